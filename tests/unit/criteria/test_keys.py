"""Criteria keys."""

from __future__ import annotations

from typing import Any

import jsonpath_ng
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from st2common.criteria.keys import KeySyntaxError, compile_key, plain_path
from st2common.expressions import datastore_namespace

PAYLOAD = {"a": {"b": 1}, "l": [{"x": 1}, {"x": 2}], "key-dash": "kd", "key.dot": "dot", "sp ace": "s", "nil": None, "'": "quote"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trigger.a.b", 1),
        ("$.trigger.a.b", 1),
        ("trigger.a.b#again", 1),
        ("trigger.l[1].x", 2),
        ("trigger.l[7].x", None),
        ("trigger.l.x", None),
        ("trigger.l[*].x", 1),
        ("trigger.l[-1].x", 2),
        ("trigger..x", 1),
        ("trigger.key-dash", "kd"),
        ("trigger.'key.dot'", "dot"),
        ('trigger["key.dot"]', "dot"),
        ("trigger['sp ace']", "s"),
        ('trigger."\'"', "quote"),
        ("trigger.key.dot", None),
        ("trigger.nil", None),
        ("trigger.nil.deeper", None),
        ("trigger.a[0]", None),
        ("a.b", None),
        ("trigger", PAYLOAD),
    ],
)
def test_lookup(key: str, value: Any) -> None:
    assert compile_key(key).lookup({"trigger": PAYLOAD}) == value


@pytest.mark.parametrize("key", ["", "trigger.", "trigger.sp ace", "trigger.a[", "trigger.'a", "trigger.1x", "trigger.a]", "#x"])
def test_compile__not_a_path__raises(key: str) -> None:
    with pytest.raises(KeySyntaxError):
        compile_key(key)


def test_lookup__system__text_of_the_datastore_item() -> None:
    stored = {"limits.cpu": "90"}
    context = {"trigger": {}, "system": datastore_namespace(lambda scope, name: stored.get(name)).system}
    assert compile_key("system.limits.cpu").lookup(context) == "90"
    assert compile_key("system.'limits.cpu'").lookup(context) == "90"
    assert compile_key("system.none").lookup(context) is None
    assert compile_key("system.none").lookup({"trigger": {}}) is None
    assert not compile_key("system.none").is_plain


STEPS = st.one_of(
    st.sampled_from([".a", ".b", "['a']", '["b"]', ".'a'", "[0]", "[1]", ".a-b", ".@x", "._y", "..a", ".*", "[*]", " .a", ".where", "."])
)
JSON = st.recursive(
    st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["", "ab"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "a-b", "@x", "_y"]), inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(STEPS, max_size=4), payload=JSON)
def test_lookup__plain_path__agrees_with_the_library(steps: list[str], payload: Any) -> None:
    key = "trigger" + "".join(steps)
    path = plain_path(key)
    try:
        expression = jsonpath_ng.parse(key)
    except Exception:  # noqa: BLE001 - whatever the library raises, it is no path
        assert path is None
        return
    found = expression.find({"trigger": payload})
    assert compile_key(key).lookup({"trigger": payload}) == (found[0].value if found else None)
