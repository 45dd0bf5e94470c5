"""``st2-rule-tester``: would this rule fire for that event, and with which parameters? (reactor.md 6.6)"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from st2common.commands.options import configuration, fail, load
from st2common.config import Config
from st2common.criteria import UnknownOperator, compile_criteria
from st2common.exceptions import Invalid, St2Error
from st2common.log import getLogger
from st2common.packs import metadata
from st2common.packs.yaml_file import YamlProblem, read
from st2common.parameters import resolve
from st2common.platform import Platform
from st2common.refs import is_object_id

LOG = getLogger("st2common.commands.rule_tester")
_WRONG_USE = 2
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class TestedRule:
    """The rule in question, taken as enabled.

    Attributes:
        trigger: refs that an event of this rule may carry: of its trigger, and of the type of that.
    """

    ref: str
    name: str
    id: str | None
    criteria: Mapping[str, Any]
    action: str
    parameters: Mapping[str, Any]
    trigger: frozenset[str]


@dataclass(frozen=True)
class TestedEvent:
    """The event in question; ``trigger`` as the file or the database names it."""

    trigger: str
    payload: dict[str, Any]
    id: str | None = None

    @property
    def trigger_name(self) -> str:
        """The trigger without its pack."""
        return self.trigger.partition(".")[2]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rule", "rule_file", type=_FILE, help="File with the rule.")
@click.option("--rule-ref", metavar="REF", help="A registered rule.")
@click.option("--trigger-instance", "instance_file", type=_FILE, help="YAML file with the event: trigger and payload.")
@click.option("--trigger-instance-id", "instance_id", metavar="ID", help="A stored event.")
@click.option("--offline", is_flag=True, help="Use no database; needs both files.")
@configuration
def main(
    rule_file: Path | None, rule_ref: str | None, instance_file: Path | None, instance_id: str | None, offline: bool,
    config_file: tuple[str, ...], config_dir: tuple[str, ...], verbose: bool,
) -> None:  # fmt: skip
    """Test a rule against an event without enforcing it. Ends with 0 when it matches, with 1 when not."""
    config = load(config_file, config_dir, verbose)
    _log_to_stdout()
    if offline and not (rule_file and instance_file):
        LOG.critical("With --offline, the rule and the event have to come from files: --rule and --trigger-instance.")
        sys.exit(_WRONG_USE)
    if bool(rule_file) == bool(rule_ref) or bool(instance_file) == bool(instance_id):
        raise click.UsageError("Name one of --rule and --rule-ref, and one of --trigger-instance and --trigger-instance-id.")
    platform = None if offline else Platform(config)
    try:
        rule = _rule_from_file(rule_file, platform) if rule_file else _rule_from_store(platform, rule_ref or "")
        event = _event_from_file(instance_file) if instance_file else _event_from_store(platform, instance_id or "")
        matches = is_match(rule, event, platform, config)
    except St2Error as error:
        fail(error.message, _WRONG_USE)
    finally:
        if platform is not None:
            platform.close()
    LOG.info("=== RULE MATCHES ===" if matches else "=== RULE DOES NOT MATCH ===")
    sys.exit(0 if matches else 1)


def is_match(rule: TestedRule, event: TestedEvent, platform: Platform | None, config: Config) -> bool:
    """Whether the rule fires for the event; the log says why not, or with which parameters.

    Args:
        platform: for the datastore; None: templates see no datastore.
        config: names the system user, who runs the actions of rules.
    """
    if event.trigger not in rule.trigger:
        LOG.info('The trigger of the rule "%s" and that of the event "%s" do not match.', ", ".join(sorted(rule.trigger)), event.trigger)
        return False
    LOG.info("Validating rule %s for %s.", rule.ref, event.trigger_name)
    matches = _meets_criteria(rule, event, platform)
    LOG.info("%d rule(s) found to enforce for %s.", int(matches), event.trigger_name)
    return matches and _renders(rule, event, platform, config.system_user.user)


def _meets_criteria(rule: TestedRule, event: TestedEvent, platform: Platform | None) -> bool:
    variables: dict[str, Any] = {}
    if platform is not None:
        namespace = platform.datastore.namespace(None)
        variables = {"st2kv": namespace, "system": namespace.system}
    try:
        result = compile_criteria(rule.criteria, rule.ref).match(event.payload, variables=variables)
    except UnknownOperator as error:
        LOG.error("Rule %s cannot be judged: %s", rule.ref, error)
        return False
    for failure in result.failures:
        LOG.warning('Failed to match rule "%s" against trigger instance "%s": %s', rule.ref, event.id, failure)
    if not result.ok:
        why = result.reasons[-1]
        details = f"  key: {why.key}\n  pattern: {why.pattern}\n  type: {why.operator}\n  payload: {why.value}"
        LOG.info("Validation for rule %s failed on criteria -\n%s", rule.ref, details)
    return result.ok


def _renders(rule: TestedRule, event: TestedEvent, platform: Platform | None, user: str) -> bool:
    """Whether the parameters of the rule's action render; only these are, without the action's schema."""
    pack = rule.action.partition(".")[0]
    context = {
        "trigger_instance": {"id": event.id, "name": None},
        "rule": {"id": rule.id, "name": rule.name},
        "user": user,
        "pack": pack,
    }
    variables: dict[str, Any] = {"trigger": event.payload, "action_context": context}
    if platform is not None:
        variables["st2kv"] = platform.datastore.namespace(user)
        variables["config_context"] = lambda: platform.datastore.pack_config(pack, user)
    try:
        parameters = resolve(rule.parameters, variables)
    except Invalid as error:
        LOG.error("Failed to resolve parameters\n\tOriginal error : %s", error.message)
        return False
    LOG.info("Action parameters resolved to:")
    for name, value in parameters.items():
        LOG.info("\t%s: %s", name, value)
    return True


# -- where rule and event come from ------------------------------------------------------------------------------------


def _content(path: Path) -> dict[str, Any]:
    try:
        content = read(path).content
    except YamlProblem as problem:
        raise Invalid(f'"{path}", line {problem.line}: {problem.reason}' if problem.line else f'"{path}": {problem.reason}') from problem
    if not isinstance(content, dict):
        raise Invalid(f'"{path}" does not hold an object')
    return content


def _rule_from_file(path: Path, platform: Platform | None) -> TestedRule:
    content = _content(path)
    try:
        values = metadata.validate("rule", content, pack=content.get("pack") or "default", from_file=True)
    except Invalid as error:
        raise Invalid(f'The rule in "{path}" is wrong: {error.message}', error.path) from error
    wanted = values["trigger"]
    triggers = {wanted["type"]}
    if platform is not None and wanted.get("parameters"):
        found = platform.store.triggers.by_parameters(wanted["type"], wanted["parameters"])
        triggers |= {found.ref} if found is not None else set()
    return _tested(values, None, triggers)


def _rule_from_store(platform: Platform | None, ref: str) -> TestedRule:
    rule = platform.store.catalog.by_ref_or_id("rule", ref) if platform is not None else None
    if rule is None:
        raise Invalid(f'There is no rule "{ref}".')
    return _tested(rule.to_api(), str(rule.id), {rule.trigger["ref"], rule.trigger["type"]})


def _tested(values: Mapping[str, Any], id: str | None, triggers: set[str]) -> TestedRule:
    return TestedRule(
        ref=f"{values['pack']}.{values['name']}", name=values["name"], id=id, criteria=values.get("criteria") or {},
        action=values["action"]["ref"], parameters=values["action"].get("parameters") or {}, trigger=frozenset(triggers),
    )  # fmt: skip


def _event_from_file(path: Path) -> TestedEvent:
    content = _content(path)
    trigger, payload = content.get("trigger"), content.get("payload")
    if not isinstance(trigger, str) or not isinstance(payload or {}, dict):
        raise Invalid(f'"{path}" needs a trigger (its reference) and a payload (an object).')
    return TestedEvent(trigger, payload or {})


def _event_from_store(platform: Platform | None, id: str) -> TestedEvent:
    instance = platform.store.instances.get(id) if platform is not None and is_object_id(id) else None
    if instance is None:
        raise Invalid(f'There is no trigger instance with id "{id}".')
    return TestedEvent(instance.trigger, instance.payload or {}, str(instance.id))


def _log_to_stdout() -> None:
    """What this command has to say is its log, whatever level the services write."""
    LOG.setLevel(min(logging.INFO, logging.getLogger().level))
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(sys.stdout)


if __name__ == "__main__":
    main()
