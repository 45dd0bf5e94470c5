"""Register content: one read-check-store loop, with one row per kind (content.md section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from st2common.exceptions import Invalid, St2Error
from st2common.log import getLogger
from st2common.packs import reader
from st2common.packs.config import validate_config
from st2common.packs.overrides import Overrides
from st2common.packs.reader import Item, PackDirectory, Problem
from st2common.packs.rules import delete_rule, save_rule
from st2common.packs.schemas import POLICY_TYPES, RULE_TYPES
from st2common.runners.runner_types import runner_types
from st2common.store import Store
from st2common.triggers import ACTION_TRIGGER, INTERNAL_TRIGGER_TYPES

LOG = getLogger("st2common.packs.registrar")

TYPES: dict[str, str] = {
    "runner": "runners",
    "rule_type": "rule_types",
    "policy_type": "policy_types",
    "trigger": "triggers",
    "sensor": "sensors",
    "action": "actions",
    "rule": "rules",
    "alias": "aliases",
    "policy": "policies",
    "config": "configs",
}
"""Type -> its plural, under which it is counted, in the order of registration."""

_BRINGS = {"action": "runner", "rule": "rule_type", "policy": "policy_type"}
_ALIAS_RUNNERS = ("orchestra",)


@dataclass
class Report:
    """What a registration did.

    Attributes:
        counts: plural -> number of registered resources, and ``<plural>(overridden)`` where not zero.
        problems: files that could not be registered.
        removed: refs of resources whose file is gone.
        warnings: what is wrong with workflows that were registered all the same.
    """

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def parse_types(types: Iterable[str] | None) -> list[str]:
    """Singular types in order of registration, from singular or plural names; None, nothing or ``all`` mean all of them.

    Raises:
        Invalid: an unknown name.
    """
    names = {plural: single for single, plural in TYPES.items()}
    wanted: set[str] = set()
    for name in types or ["all"]:
        single = names.get(name, name)
        if single == "all":
            wanted |= set(TYPES)
        elif single in TYPES:
            wanted.add(single)
        else:
            allowed = ["all", *(text for pair in TYPES.items() for text in pair)]
            raise Invalid(f"{name!r} is not one of {allowed}", "types")
    wanted |= {_BRINGS[single] for single in wanted if single in _BRINGS}
    return [single for single in TYPES if single in wanted]


class Registrar:
    """Registers the content of packs into a store.

    Args:
        store: where to.
        pack_paths: base directories of packs; the first one wins on a name clash.
        base_path: directory with ``configs/`` and ``overrides/``.
        validate_trigger_parameters: see ``save_rule``.
    """

    def __init__(self, store: Store, *, pack_paths: Sequence[Path], base_path: Path, validate_trigger_parameters: bool = True) -> None:
        self._store = store
        self._pack_paths = list(pack_paths)
        self._base_path = base_path
        self._validate_trigger_parameters = validate_trigger_parameters
        self._kinds: dict[str, _Kind] = {
            "trigger": _Kind("trigger_type", self._save_trigger_type, self._delete_trigger_type),
            "sensor": _Kind("sensor", self._save_sensor, self._delete_sensor),
            "action": _Kind("action", self._save_action, self._delete),
            "rule": _Kind("rule", self._save_rule, lambda kind, rule: delete_rule(store, rule)),
            "alias": _Kind("alias", self._save_alias, self._delete),
            "policy": _Kind("policy", self._save_by_name, self._delete),
        }

    # -- entry points ------------------------------------------------------------------------------------------------------

    def packs(self, names: Iterable[str] | None = None) -> list[PackDirectory]:
        """The named packs on disk, or all of them.

        Raises:
            Invalid: a named pack is not there.
        """
        found, hidden = reader.find_packs(self._pack_paths)
        for pack in hidden:
            LOG.warning('Pack "%s" already found in "%s", ignoring "%s"', pack.name, found[pack.name].path, pack.path)
        if names is None:
            return list(found.values())
        wanted = []
        for name in names:
            if name not in found:
                raise self._no_such_pack(name)
            wanted.append(found[name])
        return wanted

    def _no_such_pack(self, name: str) -> Invalid:
        if "/" not in name and name not in ("", ".", "..") and any((base / name).is_dir() for base in self._pack_paths):
            return Invalid(f'Failed to register pack "{name}": Pack "{name}" is missing {reader.MANIFEST} file')
        return Invalid(f'Pack "{name}" not found on disk: Directory "{self._pack_paths[0] / name}" doesn\'t exist')

    def register(
        self, types: Iterable[str] | None = None, packs: Iterable[str] | Sequence[PackDirectory] | None = None, *, fail_on_failure: bool = True
    ) -> Report:
        """Register some types of content of some packs.

        Args:
            types: singular or plural names, ``all``, None = all.
            packs: names or directories; None = every pack on disk.
            fail_on_failure: stop at the first bad file (what came before stays registered); else bad files are skipped and reported.

        Raises:
            Invalid: an unknown type or pack; with ``fail_on_failure`` a bad file.
        """
        singles = parse_types(types)
        given = None if packs is None else list(packs)
        directories = [pack for pack in given or [] if isinstance(pack, PackDirectory)]
        if given is None or len(directories) < len(given):
            directories += self.packs(None if given is None else [name for name in given if isinstance(name, str)])
        report = Report()
        for single, table in (
            ("runner", self._register_runners),
            ("rule_type", self._register_rule_types),
            ("policy_type", self._register_policy_types),
        ):
            if single in singles:
                report.counts[TYPES[single]] = table()
        content = [single for single in singles if single in self._kinds or single == "config"]
        if content:
            directories = [pack for pack in directories if self._guarded(report, fail_on_failure, self._register_pack, pack)]
        for single in content:
            report.counts.setdefault(TYPES[single], 0)
            for pack in directories:
                if single == "config":
                    self._guarded(report, fail_on_failure, self._register_config, pack)
                else:
                    self._guarded(report, fail_on_failure, partial(self._register_kind, fail=fail_on_failure, single=single), pack)
        if "action" in singles:
            self._check_workflows(report, directories)
        return report

    def register_internal_trigger_types(self, *, action_trigger: bool = True) -> int:
        """The trigger types that the platform itself dispatches. ``action_trigger`` is ``[action_sensor] enable``. Returns their number."""
        rows = [row for row in INTERNAL_TRIGGER_TYPES.values() if action_trigger or row is not ACTION_TRIGGER]
        for row in rows:
            self._save_trigger_type(
                {
                    "name": row.name,
                    "pack": row.pack,
                    "description": row.description,
                    "payload_schema": row.payload_schema,
                    "parameters_schema": row.parameters_schema,
                    "tags": [],
                }
            )
        return len(rows)

    # -- the loop ----------------------------------------------------------------------------------------------------------

    def _register_kind(self, report: Report, pack: PackDirectory, *, fail: bool, single: str) -> None:
        kind = self._kinds[single]
        overrides = Overrides.load(self._base_path / "overrides", pack.name)
        kept: set[tuple[str, str]] = set()
        broken: set[str] = set()
        for found in reader.read_kind(pack, kind.name, overrides):
            problem = found if isinstance(found, Problem) else self._save_item(kind, pack, found, kept)
            if problem is None:
                report.counts[TYPES[single]] += 1
                if isinstance(found, Item) and found.overridden:
                    key = f"{TYPES[single]}(overridden)"
                    report.counts[key] = report.counts.get(key, 0) + 1
                continue
            broken.add(str(Path(problem.file).relative_to(pack.path)))
            self._report(report, fail, single, problem)
        for gone in self._gone(kind.name, pack, kept, broken):
            LOG.info("Removing %s %s: its file %s no longer holds it", single, gone.ref, gone.metadata_file)
            kind.delete(kind.name, gone)
            report.removed.append(gone.ref)

    def _check_workflows(self, report: Report, packs: Iterable[PackDirectory]) -> None:
        """When all actions are there."""
        from st2common.packs.workflow_check import WorkflowCheck  # the workflow language is large, and many processes never need it

        check = WorkflowCheck(self._store)
        for problem in (problem for pack in packs for problem in check.problems(pack)):
            LOG.warning("Workflow of pack %s: %s", problem.pack, problem)
            report.warnings.append(problem)

    def _save_item(self, kind: _Kind, pack: PackDirectory, item: Item, kept: set[tuple[str, str]]) -> Problem | None:
        try:
            kind.save({**item.values, "pack_path": str(pack.path)})
        except St2Error as error:
            line = item.document.line_of(getattr(error, "path", ""))
            return Problem(kind.name, pack.name, str(item.path), line, error.message)
        kept.add((item.values["metadata_file"], item.values["name"]))
        return None

    def _gone(self, kind: str, pack: PackDirectory, kept: set[tuple[str, str]], broken: set[str]) -> list[Any]:
        """Resources of the pack that came from a file which is gone or holds another one now. A broken file keeps what it made."""
        folder = f"{reader.DIRECTORIES[kind]}/"
        return [
            document
            for document in self._store.catalog.find_all(kind, {"pack": pack.name})
            if (document.metadata_file or "").startswith(folder)
            and (document.metadata_file, document.name) not in kept
            and document.metadata_file not in broken
        ]

    def _report(self, report: Report, fail: bool, single: str, problem: Problem) -> None:
        place = f" (line {problem.line})" if problem.line else ""
        message = f'Failed to register {single} "{problem.file}" from pack "{problem.pack}": {problem.reason}{place}'
        if fail:
            raise Invalid(message)
        LOG.error(message)
        report.problems.append(problem)

    def _guarded(self, report: Report, fail: bool, step: Callable[[Report, PackDirectory], None], pack: PackDirectory) -> bool:
        """Run a step that concerns the pack as a whole. False when it failed and failures are only reported."""
        try:
            step(report, pack)
        except Invalid as error:
            if fail:
                raise
            LOG.error(error.message)
            report.problems.append(Problem("pack", pack.name, str(pack.path / reader.MANIFEST), None, error.message))
            return False
        return True

    # -- the tables --------------------------------------------------------------------------------------------------------

    def _register_runners(self) -> int:
        rows = runner_types()
        for row in rows:
            self._store.catalog.upsert("runner_type", row)
        return sum(row["name"] not in _ALIAS_RUNNERS for row in rows)

    def _register_rule_types(self) -> int:
        for row in RULE_TYPES:
            self._store.catalog.upsert("rule_type", row)
        return len(RULE_TYPES)

    def _register_policy_types(self) -> int:
        for row in POLICY_TYPES.values():
            self._store.catalog.upsert("policy_type", row)
        return len(POLICY_TYPES)

    # -- packs and their configuration -------------------------------------------------------------------------------------

    def _register_pack(self, report: Report, pack: PackDirectory) -> None:
        try:
            values = reader.read_manifest(pack)
            attributes = reader.read_config_schema(pack)
            self._store.catalog.upsert("pack", values)
        except Invalid as error:
            raise Invalid(f'Failed to register pack "{pack.name}": {error.message}', error.path) from error
        present = self._store.catalog.by_ref("config_schema", pack.name)
        if attributes is not None:
            self._store.catalog.upsert("config_schema", {"pack": pack.name, "attributes": attributes})
        elif present is not None:
            self._store.catalog.delete("config_schema", present.id)

    def _register_config(self, report: Report, pack: PackDirectory) -> None:
        file = self._base_path / "configs" / f"{pack.name}.yaml"
        if not file.is_file():
            return
        schema = self._store.catalog.by_ref("config_schema", pack.name)
        try:
            values = reader.read_config(file)
            validate_config(pack.name, values, schema.attributes if schema else None, str(file))
        except Invalid as error:
            raise Invalid(f'Failed to register config "{file}" from pack "{pack.name}": {error.message}', error.path) from error
        self._store.catalog.upsert("config", {"pack": pack.name, "values": values})
        report.counts[TYPES["config"]] += 1

    # -- one function per kind ---------------------------------------------------------------------------------------------

    def _save_trigger_type(self, values: dict[str, Any]) -> None:
        trigger_type, _ = self._store.catalog.upsert("trigger_type", values)
        shadow = self._store.triggers.by_ref(trigger_type.ref)
        if not trigger_type.parameters_schema:
            self._store.triggers.ensure_shadow(trigger_type)
        elif shadow is not None and shadow.shadow:
            # It takes parameters now: the trigger without any has no meaning left.
            self._store.triggers.delete(shadow.id)

    def _delete_trigger_type(self, kind: str, trigger_type: Any) -> None:
        shadow = self._store.triggers.by_ref(trigger_type.ref)
        if shadow is not None and shadow.shadow:
            self._store.triggers.delete(shadow.id)
        self._store.catalog.delete("trigger_type", trigger_type.id)

    def _save_sensor(self, values: dict[str, Any]) -> None:
        pack, file = values["pack"], Path("sensors") / values["entry_point"]
        refs = []
        for trigger_type in values["trigger_types"]:
            self._save_trigger_type({**trigger_type, "metadata_file": values["metadata_file"]})
            refs.append(f"{pack}.{trigger_type['name']}")
        self._delete_trigger_types_of(pack, values["metadata_file"], keep=refs)
        module = ".".join(file.with_suffix("").parts)
        self._store.catalog.upsert(
            "sensor",
            {
                **values,
                "artifact_uri": f"file://{Path(values['pack_path']) / file}",
                "entry_point": values["class_name"] if pack == "core" else f"{module}.{values['class_name']}",
                "trigger_types": refs,
            },
        )

    def _delete_sensor(self, kind: str, sensor: Any) -> None:
        self._delete_trigger_types_of(sensor.pack, sensor.metadata_file, keep=self._declared_by_others(sensor))
        self._store.catalog.delete(kind, sensor.id)

    def _declared_by_others(self, sensor: Any) -> list[str]:
        """Trigger types of the file that another sensor of it (it was renamed) declares."""
        siblings = self._store.catalog.find_all("sensor", {"pack": sensor.pack, "metadata_file": sensor.metadata_file})
        return [ref for sibling in siblings if sibling.id != sensor.id for ref in sibling.trigger_types]

    def _delete_trigger_types_of(self, pack: str, metadata_file: str, keep: Sequence[str]) -> None:
        for trigger_type in self._store.catalog.find_all("trigger_type", {"pack": pack, "metadata_file": metadata_file}):
            if trigger_type.ref not in keep:
                self._delete_trigger_type("trigger_type", trigger_type)

    def _save_action(self, values: dict[str, Any]) -> None:
        self._store.catalog.upsert("action", values)

    def _save_rule(self, values: dict[str, Any]) -> None:
        twin = self._store.catalog.by_ref("rule", f"default.{values['name']}")
        if twin is not None and values["pack"] != "default":
            delete_rule(self._store, twin)
        present = self._store.catalog.by_ref("rule", f"{values['pack']}.{values['name']}")
        save_rule(self._store, values, replaces=present, validate_parameters=self._validate_trigger_parameters)

    def _save_alias(self, values: dict[str, Any]) -> None:
        if self._store.catalog.by_ref("action", values["action_ref"]) is None:
            LOG.warning('Action "%s" of alias %s.%s is not registered', values["action_ref"], values["pack"], values["name"])
        self._save_by_name(values, kind="alias")

    def _save_by_name(self, values: dict[str, Any], kind: str = "policy") -> None:
        # Found by name alone, whatever the pack (content.md 3.7).
        self._store.catalog.upsert(kind, values, by={"name": values["name"]})

    def _delete(self, kind: str, document: Any) -> None:
        self._store.catalog.delete(kind, document.id)


@dataclass(frozen=True)
class _Kind:
    """One row: how resources of a kind are stored and removed."""

    name: str
    save: Callable[[dict[str, Any]], None]
    delete: Callable[[str, Any], Any]
