"""Pack configuration beyond the recorded cases."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.exceptions import Invalid, Unavailable
from st2common.expressions import datastore_namespace
from st2common.packs.config import mask_config, resolve_config, validate_config

STORE = {"k": "v", "sec": "CIPHER"}


def resolved(values: Any, schema: Any = None) -> dict[str, Any]:
    namespace = datastore_namespace(lambda scope, name: STORE.get(name), user="joe")
    return resolve_config(values, schema, namespace=namespace, decrypt=lambda text: {"CIPHER": "s3cr3t"}[text], pack="p")


def test_no_values_at_all() -> None:
    assert resolved(None, {"a": {"default": 1}, "o": {"type": "object", "properties": {"x": {"default": []}}}}) == {"a": 1, "o": {"x": []}}
    assert resolved(None) == {}


def test_defaults_are_copies_and_not_rendered() -> None:
    schema = {"a": {"type": "array", "default": ["{{ st2kv.system.k }}"]}}
    first = resolved({}, schema)
    assert first == {"a": ["{{ st2kv.system.k }}"]}
    first["a"].append(1)
    assert resolved({}, schema) == {"a": ["{{ st2kv.system.k }}"]}


def test_objects_below_additional_properties_get_their_defaults() -> None:
    schema = {"hosts": {"type": "object", "additionalProperties": {"type": "object", "properties": {"port": {"default": 80}}}}}
    assert resolved({"hosts": {"a": {}, "b": {"port": 81}}}, schema) == {"hosts": {"a": {"port": 80}, "b": {"port": 81}}}


def test_an_array_with_items_is_made() -> None:
    assert resolved({"a": None}, {"a": {"type": "array", "items": {"type": "string"}}}) == {"a": []}


@pytest.mark.parametrize(
    ("values", "schema", "key"),
    [
        ({"a": {"b": ["{{ nope }}"]}}, None, "a.b.0"),
        ({"a": "{{ st2kv.system.k }}"}, {"a": {"secret": True}}, "a"),
        ({"a": "{{ 'x' | decrypt_kv }}"}, None, "a"),
    ],
)
def test_the_error_names_the_key(values: Any, schema: Any, key: str) -> None:
    with pytest.raises(Invalid) as caught:
        resolved(values, schema)
    assert caught.value.message.startswith(f'Failed to render dynamic configuration value for key "{key}" with value "')
    assert 'for pack "p" config: <class ' in caught.value.message


def test_a_database_that_is_away_is_no_error_of_the_config() -> None:
    def away(scope: str, name: str) -> str | None:
        raise Unavailable("database")

    with pytest.raises(Unavailable):
        resolve_config({"a": "{{ st2kv.system.k }}"}, None, namespace=datastore_namespace(away), pack="p")


@pytest.mark.parametrize(("values", "kind"), [([1], "[1] is not of type 'object'"), (None, "None is not of type 'object'")])
@pytest.mark.parametrize("schema", [None, {}, {"a": {"type": "string"}}])
def test_a_config_is_an_object(values: Any, kind: str, schema: Any) -> None:
    with pytest.raises(Invalid) as caught:
        validate_config("p", values, schema, "configs/p.yaml")
    assert caught.value.message == f'Failed validating attribute "" in config for pack "p" (configs/p.yaml): {kind}'


def test_masking() -> None:
    schema = {"token": {"secret": True}, "o": {"type": "object", "properties": {"p": {"secret": True}}}}
    assert mask_config({"token": "t", "o": {"p": 1, "q": 2}, "x": 3}, schema) == {"token": "********", "o": {"p": "********", "q": 2}, "x": 3}
    assert mask_config({"x": 3}, None) == {"x": 3}
