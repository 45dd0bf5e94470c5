"""Check one document of metadata and fill its defaults: the same for the files of packs and for bodies of the API.

Values in, values out: whether a referenced trigger type or action exists is asked by those who hold a store.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from st2common.criteria import validate_criteria
from st2common.exceptions import Invalid
from st2common.packs.schemas import OUTPUT_SCHEMA_DEFAULTS, POLICY_TYPES, SCHEMAS
from st2common.parameters import check_action_parameters
from st2common.runners.runner_types import runner_types
from st2common.schema import check, validate_parameter_schema, validate_schema

MINIMUM_POLL_INTERVAL_S = 4
RESERVED_PACK = "_global"
_PARAMETER_NAME = re.compile(r"^\w+$")
_PACK_REF = re.compile(r"^[a-z0-9_]+$")
_EMAIL = re.compile(r"^[^@\s\"(),:;<>\[\]\\]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$")
_SECTIONS = ("on-complete", "on-success", "on-failure")


def validate(kind: str, document: Any, *, pack: str | None = None, from_file: bool = False) -> dict[str, Any]:
    """The document with its defaults, ready for the store.

    Args:
        kind: pack, config_schema, action, sensor, trigger_type, rule, alias or policy.
        document: what the file or the request body holds.
        pack: the pack it belongs to (for files the directory's name, which a field ``pack`` must not contradict).
        from_file: a file of a pack (messages and some defaults differ from those of the API).

    Returns:
        A new mapping. ``metadata_file`` is "" unless the document names one; a sensor's ``trigger_types`` are whole documents.

    Raises:
        Invalid: with upstream's text (content.md sections 2 and 3).
    """
    if document is None:
        document = {}
    if pack is not None and isinstance(document, Mapping) and kind not in ("pack", "config_schema"):
        given = document.get("pack")
        if given is not None and given != pack:
            raise Invalid(f'Model is in pack "{pack}" but field "pack" is different: {given}', "pack")
        document = {**document, "pack": pack}
    if kind == "config_schema":
        return _config_schema(document)
    normalised: dict[str, Any] = check(document, SCHEMAS[kind])
    normalised = {key: value for key, value in normalised.items() if value is not None}
    finish = _FINISHERS.get(kind)
    if finish is not None:
        finish(normalised, from_file)
    for name in ("id", "uid", "ref") if kind != "pack" else ():
        normalised.pop(name, None)
    return normalised


def _config_schema(document: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = check(document, {"type": "object"})
    _check_parameters(attributes, from_file=True)
    return attributes


def _check_parameters(parameters: Mapping[str, Any], from_file: bool) -> None:
    """Names of parameters, and the schema of each."""
    for name, schema in parameters.items():
        if not _PARAMETER_NAME.match(str(name)):
            details = f"{name!r} does not match any of the regexes: {_PARAMETER_NAME.pattern!r}"
            text = f'Parameter name "{name}" is invalid. Valid characters for parameter name are [a-zA-Z0-0_].\n\n{details}'
            raise Invalid(text if from_file else details, str(name))
        validate_parameter_schema(str(name), schema)


@contextmanager
def _below(part: str) -> Iterator[None]:
    """Errors inside speak of paths below ``part``."""
    try:
        yield
    except Invalid as error:
        error.path = f"{part}.{error.path}" if error.path else part
        raise


# -- pack.yaml -----------------------------------------------------------------------------------------------------------


def manifest(document: Any, directory: str | None = None) -> dict[str, Any]:
    """A pack's manifest with its ref resolved and its defaults.

    Args:
        document: content of pack.yaml.
        directory: name of the pack's directory; None when there is none to take the ref from (a fresh download, 6.2).

    Raises:
        Invalid: see content.md section 2.
    """
    if not isinstance(document, Mapping):
        raise Invalid(f"pack.yaml must hold a mapping, not {type(document).__name__}")
    document = dict(document)
    if "version" in document and not isinstance(document["version"], str):
        document["version"] = str(document["version"])
    document["ref"] = pack_ref(document, directory)
    try:
        normalised = validate("pack", document)
    except Invalid as error:
        raise Invalid(_explained(error, document), error.path) from error
    if not _EMAIL.match(normalised["email"]):
        raise Invalid(f"ValidationError (PackDB:None) (Invalid email address: {normalised['email']}: ['email'])", "email")
    return normalised


def pack_ref(document: Mapping[str, Any], directory: str | None) -> str:
    """``ref`` if present, else the directory's name, else ``name``, whichever first fits the pattern.

    Raises:
        Invalid: none fits, or the ref is reserved.
    """
    ref = document.get("ref")
    if ref is None:
        candidates = [text for text in (directory, document.get("name")) if isinstance(text, str)]
        ref = next((text for text in candidates if _PACK_REF.match(text)), None)
        if ref is None:
            raise Invalid(
                f'Pack name "{document.get("name")}" contains invalid characters and "ref" attribute is not available. '
                'You either need to add "ref" attribute which contains only word characters to the pack metadata file or update '
                "name attribute to contain only word characters."
            )
    if ref == RESERVED_PACK:
        raise Invalid(f"{RESERVED_PACK} is a reserved name, and cannot be used as a pack name", "ref")
    return str(ref)


def _explained(error: Invalid, document: Mapping[str, Any]) -> str:
    """The message for a manifest that breaks its schema."""
    if error.path == "version" and "version" in document:
        return (
            f'Pack version "{document.get("version")}" doesn\'t follow a valid semver format. '
            f"Valid versions and formats include: 0.1.0, 0.2.1, 1.1.0, etc.\n\n{error.message}"
        )
    if error.path == "ref":
        return f"Pack ref / name can only contain valid word characters (a-z, 0-9 and _), dashes are not allowed.\n\n{error.message}"
    return error.message


# -- what the schema cannot say --------------------------------------------------------------------------------------------


def runner_type(name: str) -> dict[str, Any]:
    """The row of a runner type.

    Raises:
        Invalid: no such runner.
    """
    for row in runner_types():
        if row["name"] == name:
            return row
    raise Invalid(
        f"RunnerType {name} is not found. If you are using old and deprecated runner name, you need to switch to using a new one. "
        f"Available runners: {', '.join(sorted(row['name'] for row in runner_types()))}",
        "runner_type",
    )


def _finish_action(document: dict[str, Any], from_file: bool) -> None:
    runner = runner_type(document["runner_type"])
    with _below("parameters"):
        _check_parameters(document["parameters"], from_file)
        check_action_parameters(runner["runner_parameters"], document["parameters"], action_ref=f"{document['pack']}.{document['name']}")
    document["notify"] = normalise_notify(document["notify"])
    with _below("output_schema"):
        document["output_schema"] = _output_schema(document["output_schema"], from_file)


def _output_schema(schema: dict[str, Any], from_file: bool) -> dict[str, Any]:
    """The output schema as stored. The legacy form maps property names to schemas and has no ``type`` (content.md 3.1.3)."""
    legacy = bool(schema) and not isinstance(schema.get("type"), str) and all(isinstance(value, Mapping) for value in schema.values())
    for part in schema.values() if legacy else [schema]:
        validate_schema(part)
    return schema if from_file or legacy else {**copy.deepcopy(OUTPUT_SCHEMA_DEFAULTS), **schema}


def normalise_notify(notify: Mapping[str, Any] | None) -> dict[str, Any]:
    """Sections that say something, with ``channels`` (the old name) turned into ``routes``."""
    result: dict[str, Any] = {}
    for section in _SECTIONS:
        given = dict((notify or {}).get(section) or {})
        channels = given.pop("channels", None)
        if channels and not given.get("routes"):
            given["routes"] = channels
        kept = {key: value for key, value in given.items() if value not in (None, "", {}, [])}
        if kept:
            result[section] = kept
    return result


def _finish_sensor(document: dict[str, Any], from_file: bool) -> None:
    if not document["entry_point"]:
        raise Invalid("Sensor definition missing entry_point", "entry_point")
    interval = document.get("poll_interval")
    if interval is not None and interval < MINIMUM_POLL_INTERVAL_S:
        raise Invalid(f"Minimum possible poll_interval is {MINIMUM_POLL_INTERVAL_S} seconds", "poll_interval")
    pack = document["pack"]
    document["name"] = document["class_name"]
    trigger_types = []
    for index, item in enumerate(document["trigger_types"]):
        with _below(f"trigger_types.{index}"):
            trigger_types.append(validate("trigger_type", {**item, "pack": pack}, from_file=True))
    document["trigger_types"] = trigger_types


def _finish_rule(document: dict[str, Any], from_file: bool) -> None:
    validate_criteria(document["criteria"])


def _finish_policy(document: dict[str, Any], from_file: bool) -> None:
    policy_type = POLICY_TYPES.get(document["policy_type"])
    if policy_type is None:
        raise Invalid(f'Referenced policy_type "{document["policy_type"]}" doesnt exist', "policy_type")
    schema = {"type": "object", "properties": policy_type["parameters"], "additionalProperties": False}
    with _below("parameters"):
        document["parameters"] = check(document["parameters"], schema)


_FINISHERS: dict[str, Callable[[dict[str, Any], bool], None]] = {
    "action": _finish_action,
    "sensor": _finish_sensor,
    "rule": _finish_rule,
    "policy": _finish_policy,
}
