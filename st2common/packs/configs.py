"""Configurations of packs: the values file and its check against the pack's schema (content.md section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from st2common.exceptions import Invalid
from st2common.packs.yaml_file import YamlProblem, read
from st2common.schema import check


def read_config(file: Path) -> dict[str, Any]:
    """The values of a configuration file; an empty file has none.

    Raises:
        Invalid: the file is no YAML or holds something else than a mapping.
    """
    try:
        content = read(file).content
    except YamlProblem as problem:
        raise Invalid(f"{file}, line {problem.line}: {problem.reason}" if problem.line else f"{file}: {problem.reason}") from problem
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Invalid(f'Contents of config file "{file}" is not a mapping')
    return content


def validate_config(pack: str, values: Mapping[str, Any], attributes: Mapping[str, Any] | None, file: str) -> None:
    """Check values against the attributes of a pack's configuration schema. Attributes that the schema does not know are allowed.

    Args:
        pack: name of the pack, for the message.
        values: as written, templates unrendered.
        attributes: the schema; None or empty checks nothing.
        file: where the values are kept, for the message.

    Raises:
        Invalid: names the attribute by its dotted path.
    """
    if not attributes:
        return
    try:
        check(dict(values), {"type": "object", "properties": dict(attributes), "additionalProperties": True}, null_for_optional=True)
    except Invalid as error:
        raise Invalid(f'Failed validating attribute "{error.path}" in config for pack "{pack}" ({file}): {error.message}', error.path) from error
    for name, schema in attributes.items():
        value = values.get(name)
        if schema.get("secret") and isinstance(value, str) and "decrypt_kv" in value:
            raise Invalid(
                f'Failed validating attribute "{name}" in config for pack "{pack}" ({file}): '
                'Values specified as "secret: True" in config schema are automatically decrypted by default. '
                'Use of "decrypt_kv" jinja filter is not allowed for such values. Please check the specified values in the config or the '
                "default values in the schema.",
                name,
            )
