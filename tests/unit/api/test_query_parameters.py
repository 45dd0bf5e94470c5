"""Conversions of query parameters, criteria, choice of attributes."""

from __future__ import annotations

import pytest

from st2api.endpoint import Param
from st2api.query import Shape, enabled_word, merged, parse_timestamp
from st2api.serving import convert, parameters
from st2common.exceptions import Invalid


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01 00:00:01.5Z", None),
        ("1970-01-01 00:00:01.500Z", 1_500_000),
        ("1970-01-01T00:00:00.000001+00:00", 1),
        ("1970-01-01T00:00:00.1234+0000", 123_400),
        ("1970-01-01T00:00:00+00", 0),
        ("1970-01-01T00:00:00+01:00", None),
        ("1970-13-01T00:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("1970-01-01", None),
        ("١٩٧٠-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_timestamps(text: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(Invalid):
            parse_timestamp(text)
    else:
        assert parse_timestamp(text) == value


@pytest.mark.parametrize(("text", "value"), [("TRUE", True), ("1", True), ("y", True), ("Yes", True), ("0", False), ("No", False), ("n", False)])
def test_booleans(text: str, value: bool) -> None:
    assert convert(Param("x", "boolean"), text) is value
    assert enabled_word(text) is value


@pytest.mark.parametrize(
    ("kind", "text"),
    [("boolean", "maybe"), ("boolean", ""), ("integer", "1.5"), ("integer", ""), ("integer", "٣"), ("integer", "9" * 60), ("integer", " 1")],
)
def test_wrong_types_name_the_parameter(kind: str, text: str) -> None:
    with pytest.raises(Invalid, match='"x" is not of type'):
        convert(Param("x", kind), text)


def test_undeclared_parameters_are_ignored_and_lists_split() -> None:
    declared = (Param("a", "array"), Param("n", "integer", 7), Param("s"))
    assert parameters(declared, {"a": "x, y,,z", "zzz": "1"}) == {"a": ["x", "y", "z"], "n": 7, "s": None}


def test_criteria_on_one_field_all_hold() -> None:
    assert merged([{"a": {"$gt": 1}}, {"a": {"$lt": 5}}, {"b": 1}]) == {"a": {"$gt": 1, "$lt": 5}, "b": 1}
    assert merged([{"a": 1}, {"a": 2}]) == {"$and": [{"a": 1}, {"a": 2}]}
    assert merged([]) == {}


def test_shapes() -> None:
    form = {"id": "1", "ref": "a.b", "name": "b", "x": 1}
    assert Shape(frozenset({"x"}), frozenset(), ("id", "ref")).apply(form) == {"id": "1", "ref": "a.b", "x": 1}
    assert Shape(None, frozenset({"x", "id"})).apply(form) == {"id": "1", "ref": "a.b", "name": "b"}
    assert Shape(None, frozenset()).apply(form) is form
