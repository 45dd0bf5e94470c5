"""Rendering of templates beyond the recorded cases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from st2common.exceptions import Unavailable
from st2common.expressions import Lazy, RenderError, is_template, render, render_typed, render_value, template_variables

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_values_without_templates_come_back_as_they_are(value: Any) -> None:
    if not is_template(value):
        assert render_value(value, {}) is value


@given(JSON)
def test_an_exact_variable_in_a_structure_keeps_its_type(value: Any) -> None:
    assert render_value({"k": ["{{v}}"]}, {"v": value}) == {"k": [value]}


@given(JSON)
def test_a_typed_pattern_that_is_one_expression_keeps_its_type(value: Any) -> None:
    assert render_typed("{{ v }}", {"v": value}) == value


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("x{{ n }}", "x5"),
        ("{{ n }}{{ n }}", 55),
        ("{{ s }} and {{ s }}", "text and text"),
        ("[{{ n }}, {{ s }}]", [5, "text"]),
        ("{{ n + 1 }}", 6),
        ("{{ {'a': {'b': n}} }}", {"a": {"b": 5}}),
        ("{{- n -}}", 5),
        ("{% if n %}yes{% endif %}", "yes"),
        ("plain", "plain"),
    ],
)
def test_typed_patterns(pattern: str, expected: Any) -> None:
    assert render_typed(pattern, {"n": 5, "s": "text"}) == expected


def test_names_that_a_template_reads() -> None:
    assert template_variables("{{ a.b }}{% for x in c %}{{ x }}{{ range(3) }}{% endfor %}{% set d = 1 %}{{ d }}") == {"a", "c"}


def test_lazy_variables_are_worked_out_once_and_only_when_named() -> None:
    calls: list[int] = []
    variables = {"config": Lazy(lambda: calls.append(1) or {"x": 1}), "other": 2}
    assert render("{{ other }}", variables) == "2"
    assert calls == []
    assert render("{{ config.x }}{% if config %}{{ config.x }}{% endif %}", variables) == "11"
    assert calls == [1]


def test_undefined_names_may_print_as_nothing() -> None:
    assert render("[{{ nope }}]", {}, allow_undefined=True) == "[]"
    with pytest.raises(RenderError) as caught:
        render("[{{ nope }}]", {})
    assert isinstance(caught.value.cause, UndefinedError)


def test_one_trailing_newline_is_dropped_from_text_without_templates_too() -> None:
    assert render("a\n", {}) == "a"
    assert render("a\n\n", {}) == "a\n"


def test_a_database_that_is_away_is_no_error_of_the_template() -> None:
    def away() -> None:
        raise Unavailable("database")

    with pytest.raises(Unavailable):
        render("{{ config.x }}", {"config": Lazy(away)})


@pytest.mark.parametrize("template", ["{{ ''.__class__.__mro__ }}", "{{ f.__globals__ }}", "{{ range(10000000) }}", "{{ l.append.__self__ }}"])
def test_the_sandbox_holds(template: str) -> None:
    with pytest.raises(RenderError):
        render(template, {"f": render, "l": []})


@given(st.text())
def test_a_template_of_raw_text_gives_the_text(text: str) -> None:
    clean = text.replace("{", "").replace("%", "").replace("\r", "").replace("\n", "")
    assert render("{% raw %}" + clean + "{% endraw %}", {}) == clean


@given(JSON)
def test_json_filters_are_inverse(value: Any) -> None:
    text = render("{{ v | to_json_string }}", {"v": value})
    assert json.loads(text) == value
    assert render("{{ (v | to_json_string | from_json_string) == v }}", {"v": value}) == "True"


@given(st.integers(1, 30), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_human_time_within_a_month(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert render("{{ t | to_human_time_from_seconds }}", {"t": total}) == f"{days}d{hours}h{minutes}m{seconds}s"
