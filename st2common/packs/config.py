"""Pack configuration: values of ``configs/<pack>.yaml`` against the pack's ``config.schema.yaml`` (content.md 5).

Pure: values, schema and datastore look-ups come in; the effective configuration, an error or a masked copy goes out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

from st2common.exceptions import Invalid, Unavailable
from st2common.expressions import RenderError, is_template, render
from st2common.schema import SchemaViolation, check, mask_parameters, resource_schema

_DECRYPT_NOT_ALLOWED = (
    'Values specified as "secret: True" in config schema are automatically decrypted by default. Use of "decrypt_kv" jinja filter is not allowed '
    "for such values. Please check the specified values in the config or the default values in the schema."
)

Schema = Mapping[str, Any]


def resolve_config(
    values: Mapping[str, Any] | None,
    schema: Schema | None,
    *,
    namespace: Any,
    decrypt: Callable[[str], str] | None = None,
    pack: str = "",
) -> dict[str, Any]:
    """The configuration that actions and sensors of a pack get.

    Args:
        values: as stored; templates in them are rendered, without casting.
        schema: the pack's config schema (attribute to schema); None when it has none.
        namespace: the variable ``st2kv``, made by ``expressions.datastore_namespace`` for the user of the execution.
        decrypt: ciphertext to text, used for rendered values of secret attributes.
        pack: name of the pack, for messages.

    Raises:
        Invalid: a value could not be rendered or decrypted, or does not have the shape that its schema gives it.
        Unavailable: raised by a datastore read, passed on.
    """
    resolver = _Resolver(pack, namespace, decrypt)
    root: Schema = {"type": "object", "properties": schema or {}}
    resolved = {key: resolver.walk(value, _schema_of_key(root, key), str(key)) for key, value in (values or {}).items()}
    if schema:
        _fill_object(resolved, root, "")
    return resolved


class _Resolver:
    """Renders the dynamic values of one configuration."""

    def __init__(self, pack: str, namespace: Any, decrypt: Callable[[str], str] | None) -> None:
        self._pack = pack
        self._variables = {"st2kv": namespace}
        self._decrypt = decrypt

    def walk(self, value: Any, schema: Schema, path: str) -> Any:
        if isinstance(value, Mapping):
            return {key: self.walk(item, _schema_of_key(schema, key), f"{path}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.walk(item, _schema_of_item(schema, index), f"{path}.{index}") for index, item in enumerate(value)]
        if isinstance(value, str) and is_template(value):
            return self._dynamic(value, schema.get("secret") is True, path)
        return value

    def _dynamic(self, template: str, secret: bool, path: str) -> str | None:
        try:
            text = render(template, self._variables)
            if text and secret:
                text = self._decrypted(text)
        except Unavailable:
            raise
        except RenderError as error:
            raise self._failed(template, path, error.cause) from error
        except Exception as error:  # whatever the injected decryption raises
            raise self._failed(template, path, error) from error
        return text or None

    def _decrypted(self, ciphertext: str) -> str:
        if self._decrypt is None:
            raise ValueError("Datastore values cannot be decrypted here.")
        return self._decrypt(ciphertext)

    def _failed(self, template: str, path: str, cause: BaseException) -> Invalid:
        where = f'value for key "{path}" with value "{template}" for pack "{self._pack}" config'
        return Invalid(f"Failed to render dynamic configuration {where}: {type(cause)} {cause} ", path)


def _schema_of_key(schema: Schema, key: Any) -> Schema:
    """``properties`` first, else all matching ``patternProperties`` merged (the later wins), else ``additionalProperties``."""
    properties = schema.get("properties") or {}
    if key in properties:
        return _as_schema(properties[key])
    merged: dict[str, Any] = {}
    for pattern, pattern_schema in (schema.get("patternProperties") or {}).items():
        if re.search(pattern, str(key)):
            merged.update(_as_schema(pattern_schema))
    return merged or _as_schema(schema.get("additionalProperties"))


def _schema_of_item(schema: Schema, index: int) -> Schema:
    """``items`` for all, or by position, then ``additionalItems``."""
    items = schema.get("items")
    if not isinstance(items, list):
        return _as_schema(items)
    return _as_schema(items[index] if index < len(items) else schema.get("additionalItems"))


def _as_schema(value: Any) -> Schema:
    return value if isinstance(value, Mapping) else {}


def _fill_object(target: dict[str, Any], schema: Schema, path: str) -> None:
    """Fills defaults in: for the properties, and below the keys that only patterns or ``additionalProperties`` describe."""
    for key in dict.fromkeys([*(schema.get("properties") or {}), *target]):
        _fill_key(target, key, _schema_of_key(schema, key), f"{path}.{key}" if path else str(key))


def _fill_key(target: dict[str, Any], key: Any, schema: Schema, path: str) -> None:
    if key not in target and "default" in schema:
        target[key] = copy.deepcopy(schema["default"])
    kind = schema.get("type")
    if kind == "object" and any(schema.get(keyword) for keyword in ("properties", "patternProperties", "additionalProperties")):
        target[key] = _filled(target.get(key) or {}, schema, path)
    elif kind == "array" and any(schema.get(keyword) for keyword in ("items", "additionalItems")):
        target[key] = _filled(target.get(key) or [], schema, path)


def _filled(value: Any, schema: Schema, path: str) -> Any:
    """An object or array with defaults filled in below."""
    if schema["type"] == "object":
        if not isinstance(value, dict):
            raise Invalid(f'Config value for key "{path}" has to be an object, not {type(value).__name__}.', path)
        _fill_object(value, schema, path)
        return value
    if not isinstance(value, list):
        raise Invalid(f'Config value for key "{path}" has to be an array, not {type(value).__name__}.', path)
    slots: dict[Any, Any] = dict(enumerate(value))
    for index in list(slots):
        _fill_key(slots, index, _schema_of_item(schema, index), f"{path}.{index}")
    return list(slots.values())


def validate_config(pack: str, values: Any, schema: Schema | None, path: str) -> dict[str, Any]:
    """Checks a configuration when it is registered or saved; unknown attributes are allowed.

    Args:
        pack: name of the pack.
        values: content of the file.
        schema: the pack's config schema; None or empty accepts any object.
        path: of the file, for messages.

    Returns:
        The values with defaults; what is stored are the values as they came.

    Raises:
        Invalid: ``Failed validating attribute "a.1" in config for pack "p" (<path>): <cause>``, or ``decrypt_kv`` in a secret attribute.
    """
    attributes = dict(schema or {})
    try:
        filled = check(values, resource_schema(attributes, additional_properties=True) or {"type": "object"})
    except SchemaViolation as error:
        raise Invalid(f'Failed validating attribute "{error.path}" in config for pack "{pack}" ({path}): {error.message}', error.path) from None
    for name, value in filled.items():
        if _as_schema(attributes.get(name)).get("secret") and is_template(value) and "decrypt_kv" in str(value):
            raise Invalid(_DECRYPT_NOT_ALLOWED, str(name))
    return dict(filled)


def mask_config(values: Mapping[str, Any], schema: Schema | None) -> dict[str, Any]:
    """The values with those masked that the schema calls secret (content.md 9)."""
    return mask_parameters(values, schema or {})
