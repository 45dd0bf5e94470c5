"""Validation against schemas of the product's dialect, with the messages of the ``jsonschema`` library.

``jsonschema`` is loaded on first use; compiled validators are kept by the content of their schema.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson

from st2common.exceptions import Invalid
from st2common.schema.defaults import allowing_null, with_defaults
from st2common.schema.dialect import PARAMETER_METASCHEMA, SCHEMA_METASCHEMA
from st2common.schema.secrets import MASK, is_secret_at, mask_secrets

_COMPILED = 2048


class SchemaViolation(Invalid):
    """A value breaks its schema; the message is that of jsonschema's best error, with secret values masked.

    Args:
        message: short text, such as ``'cmd' is a required property``.
        path: where in the instance, dotted.
        error: jsonschema's error.
        root: the whole schema.
    """

    def __init__(self, message: str, path: str, error: Any, root: dict[str, Any]) -> None:
        super().__init__(message, path)
        self._error = error
        self._root = root

    @property
    def long_text(self) -> str:
        """The message followed by ``Failed validating ...``, the schema and the instance (secrets masked)."""
        error = self._error
        shown = type(error).create_from(error)
        shown.message = self.message
        shown.instance = MASK if is_secret_at(self._root, error.absolute_path) else mask_secrets(error.instance, error.schema)
        return str(shown)


class InvalidSchema(Invalid):
    """A schema written by a user is itself wrong (unknown keyword, list-valued ``required``, unresolvable ``$ref``...)."""


def _properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """Keyword ``properties`` with the boolean ``required`` of each property."""
    from jsonschema.exceptions import ValidationError

    if not isinstance(instance, dict):
        return
    for name, subschema in properties.items():
        if name in instance:
            yield from validator.descend(instance[name], subschema, path=name, schema_path=name)
        elif subschema.get("required", False):
            error = ValidationError(f"{name!r} is a required property", validator="required", validator_value=True, instance=instance, schema=schema)
            error.path.appendleft(name)
            error.schema_path.extend([name, "required"])
            yield error


def _satisfied(_validator: Any, _value: Any, _instance: Any, _schema: Any) -> Iterator[Any]:
    """``required`` is judged where the property stands, in its parent."""
    return iter(())


@lru_cache(maxsize=1)
def _dialect() -> Any:
    from jsonschema import Draft4Validator
    from jsonschema.validators import extend

    return extend(Draft4Validator, validators={"properties": _properties, "required": _satisfied})


def _engine(schema: dict[str, Any]) -> Any:
    from jsonschema_specifications import REGISTRY

    return _dialect()(schema, registry=REGISTRY)  # a fixed registry: a $ref to elsewhere is never fetched


@lru_cache(maxsize=2)
def _metaschema_validator(parameter: bool) -> Any:
    from jsonschema import Draft4Validator

    metaschema = PARAMETER_METASCHEMA if parameter else SCHEMA_METASCHEMA
    return Draft4Validator(metaschema, format_checker=Draft4Validator.FORMAT_CHECKER)


def _best(errors: Iterator[Any]) -> Any:
    """The error to report: jsonschema's choice, or the first where its order does not apply (keys of mixed types)."""
    from jsonschema.exceptions import best_match

    found = list(errors)
    try:
        return best_match(found)
    except TypeError:
        return found[0]


def _check_schema(schema: Any, *, parameter: bool = False) -> None:
    error = _best(_metaschema_validator(parameter).iter_errors(schema))
    if error is not None:
        raise InvalidSchema(error.message, _dotted(error.absolute_path))
    _check_patterns(schema)


def _check_patterns(schema: Any) -> None:
    """Refuses keys of ``patternProperties`` that are no regular expressions, which draft 4 has no words for."""
    if isinstance(schema, list):
        for item in schema:
            _check_patterns(item)
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword == "patternProperties" and isinstance(value, dict):
            for pattern in value:
                _compile_pattern(pattern)
        _check_patterns(value)


def _compile_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error:
        raise InvalidSchema(f"{pattern!r} is not a 'regex'", "patternProperties") from None


def _dotted(path: Any) -> str:
    return ".".join(str(step) for step in path)


class Validator:
    """One compiled schema.

    Args:
        schema: in the product's dialect; must not be changed afterwards.

    Raises:
        InvalidSchema: the schema breaks the dialect.
    """

    __slots__ = ("_nullable", "_strict", "schema")

    def __init__(self, schema: dict[str, Any]) -> None:
        _check_schema(schema)
        self.schema = schema
        self._strict = _engine(schema)
        self._nullable: Any = None

    def check(self, instance: Any, *, fill_defaults: bool = True, null_for_optional: bool = True) -> Any:
        """Validates an instance; the arguments and errors are those of ``check`` below."""
        filling = fill_defaults and isinstance(instance, dict) and self.schema.get("type") == "object"
        if filling:
            instance = with_defaults(instance, self.schema)
        engine = self._engine_for(fill_defaults and null_for_optional)
        error = self._first_error(engine, instance)
        if error is not None:
            raise self._violation(error)
        return instance

    def _engine_for(self, nullable: bool) -> Any:
        if not nullable:
            return self._strict
        if self._nullable is None:
            self._nullable = _engine(allowing_null(self.schema))
        return self._nullable

    @staticmethod
    def _first_error(engine: Any, instance: Any) -> Any:
        from referencing.exceptions import Unresolvable

        try:
            return _best(engine.iter_errors(instance))
        except Unresolvable as error:
            raise InvalidSchema(f"Unresolvable reference in the schema: {error}") from None
        except RecursionError:
            raise InvalidSchema("The schema or the value is nested too deeply (does a $ref lead back to itself?).") from None

    def _violation(self, error: Any) -> SchemaViolation:
        path = list(error.absolute_path)
        message = error.message
        hidden = MASK if is_secret_at(self.schema, path) else mask_secrets(error.instance, error.schema)
        if hidden != error.instance:
            message = message.replace(repr(error.instance), repr(hidden))
        return SchemaViolation(message, _dotted(path), error, self.schema)


@lru_cache(maxsize=_COMPILED)
def _compiled(content: bytes) -> Validator:
    return Validator(orjson.loads(content))


def compile_schema(schema: dict[str, Any]) -> Validator:
    """The validator of a schema, made once per content.

    Raises:
        InvalidSchema: the schema breaks the dialect (a list-valued ``required``, an unknown keyword, ...).
    """
    try:
        content = orjson.dumps(schema, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # numbers beyond 64 bits and the like: valid, only not a cache key
        return Validator(copy.deepcopy(schema))
    return _compiled(content)


def check(instance: Any, schema: dict[str, Any], *, fill_defaults: bool = True, null_for_optional: bool = True) -> Any:
    """Validates an instance against a schema (content.md 3.1.2).

    Args:
        instance: the value; stays as it is.
        schema: in the product's dialect.
        fill_defaults: set defaults for absent and null properties of objects first.
        null_for_optional: optional properties without a default (or with default null) accept null; only together with ``fill_defaults``.

    Returns:
        The instance, with defaults where asked for.

    Raises:
        SchemaViolation: the instance is wrong; ``long_text`` has the long form.
        InvalidSchema: the schema is.
    """
    return compile_schema(schema).check(instance, fill_defaults=fill_defaults, null_for_optional=null_for_optional)


def validate_schema(schema: Any) -> None:
    """Checks that a value is a schema of the dialect (an output schema, a trigger schema).

    Raises:
        InvalidSchema: with jsonschema's message.
    """
    _check_schema(schema)


def validate_parameter_schema(name: str, schema: Any) -> None:
    """Checks the schema of one parameter or config attribute (content.md 3.1.1): allowed keywords, one simple type, no ``format``.

    Args:
        name: of the parameter; only for the path of the error.
        schema: what the metadata say.

    Raises:
        InvalidSchema: with jsonschema's message; ``path`` starts with the name.
    """
    try:
        _check_schema(schema, parameter=True)
    except InvalidSchema as error:
        raise InvalidSchema(error.message, f"{name}.{error.path}" if error.path else name) from None
