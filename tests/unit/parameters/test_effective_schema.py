"""Merging runner and action parameters, and the checks at registration."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.exceptions import Invalid
from st2common.parameters import check_action_parameters, effective_schema

RUNNER = {
    "cmd": {"type": "string", "description": "Command."},
    "sudo": {"type": "boolean", "default": False},
    "fixed": {"type": "string", "default": "f", "immutable": True},
}


def test_action_attributes_win_one_by_one() -> None:
    action = {"cmd": {"default": "date", "immutable": True}, "fixed": {"default": "g"}, "own": {"type": "integer"}}
    assert effective_schema(RUNNER, action) == {
        "cmd": {"type": "string", "description": "Command.", "default": "date", "immutable": True},
        "sudo": {"type": "boolean", "default": False},
        "fixed": {"type": "string", "default": "g", "immutable": True},
        "own": {"type": "integer"},
    }
    assert "default" not in RUNNER["cmd"]


def test_immutable_is_an_or() -> None:
    assert effective_schema(RUNNER, {"fixed": {"immutable": False}})["fixed"]["immutable"] is True


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"a": {"position": 0}, "b": {"position": 0}}, "Parameters b and a have same position 0. Position values have to be unique."),
        ({"a": {"position": 0}, "b": {"position": 2}}, "Positions supplied [0, 2] for parameters are not contiguous."),
        ({"a": {"immutable": True}}, "Immutable param a requires a default value."),
        ({"a": {"immutable": False}}, "Immutable param a requires a default value."),
        ({"cmd": {"immutable": True}}, "Immutable param cmd requires a default value."),
        ({"fixed": {"immutable": True}}, "Param fixed is declared immutable in runner. Cannot override in action."),
        ({"cmd": {"type": "integer"}}, 'The attribute "type" for the runner parameter "cmd" in action "p.a" cannot be overridden.'),
        ({"cmd": {"secret": True}}, 'The attribute "secret" for the runner parameter "cmd" in action "p.a" cannot be overridden.'),
    ],
)
def test_refused_at_registration(action: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_action_parameters(RUNNER, action, action_ref="p.a")
    assert caught.value.message == message


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"a": {"position": 3}, "b": {"position": 5}, "c": {"position": 4}},
        {"sudo": {"immutable": True}},
        {"cmd": {"type": "string", "default": "x", "description": "y", "enum": ["x"], "required": True, "immutable": True}},
    ],
)
def test_accepted_at_registration(action: dict[str, Any]) -> None:
    check_action_parameters(RUNNER, action, action_ref="p.a")
