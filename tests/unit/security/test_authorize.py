"""The RBAC decision (operations.md section 9)."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.exceptions import Forbidden
from st2common.models import Action, Rule
from st2common.security.access import Grants, Requester, authorize, enforcement_subject, inquiry_subject, require_admin
from st2common.security.permissions import GLOBAL_TYPES, KIND_OF, PERMISSION_TYPES

ACTION = Action(pack="linux", name="check", runner_type="local-shell-cmd")
EXECUTION = {"_id": "6b02e4d9560fca4c7ce40000", "action_ref": "linux.check"}


def _joe(*types: str, on: str | None = None, observer: bool = False) -> Requester:
    grants = Grants(observer, frozenset() if on else frozenset(types), {on: frozenset(types)} if on else {})
    return Requester("joe", is_admin=False, grants=grants)


def test_rbac_off__everything() -> None:
    for name in KIND_OF:
        authorize(Requester("joe"), name)


def test_admin__everything() -> None:
    admin = Requester("root", is_admin=True, grants=Grants())
    for name in KIND_OF:
        authorize(admin, name, "action:linux:check")


def test_no_role__nothing__the_text_names_who_what_and_where() -> None:
    for name in KIND_OF:
        with pytest.raises(Forbidden):
            authorize(_joe(), name)
    with pytest.raises(Forbidden) as refused:
        authorize(_joe(), "action_execute", ACTION)
    assert refused.value.message == 'User "joe" doesn\'t have required permission "action_execute" on resource "action:linux:check"'
    with pytest.raises(Forbidden) as refused:
        authorize(_joe(), "action_list")
    assert refused.value.message == 'User "joe" doesn\'t have required permission "action_list"'
    with pytest.raises(Forbidden):
        require_admin(_joe())


def test_observer__every_list_and_view_and_no_change() -> None:
    observer = _joe(observer=True)
    for name in ("action_list", "execution_view", "stream_view", "execution_views_filters_list", "pack_views_index_health", "api_key_view"):
        assert observer.may(name, None if name in GLOBAL_TYPES else ACTION), name
    for name in ("action_execute", "rule_create", "pack_install", "key_value_pair_set", "inquiry_respond", "execution_stop"):
        assert not observer.may(name, ACTION), name


@pytest.mark.parametrize("granted", ["action_view", "action_create", "action_modify", "action_delete", "action_execute", "action_all"])
def test_view__is_implied(granted: str) -> None:
    assert _joe(granted, on="action:linux:check").may("action_view", ACTION)
    assert not _joe(granted, on="action:linux:other").may("action_view", ACTION)


def test_view__implies_nothing() -> None:
    for name in ("action_execute", "action_modify", "action_delete", "action_create"):
        assert not _joe("action_view", on="action:linux:check").may(name, ACTION)


def test_all__everything_of_its_type_and_only_that() -> None:
    boss = _joe("action_all", on="action:linux:check")
    assert all(boss.may(name, ACTION) for name in PERMISSION_TYPES["action"] if name != "action_list")
    assert not boss.may("rule_view", "rule:linux:check")
    assert not _joe("pack_all", on="pack:linux").may("action_execute", ACTION)


def test_pack__its_actions_rules_sensors_and_aliases() -> None:
    joe = _joe("action_execute", "rule_modify", "sensor_type_view", "action_alias_delete", on="pack:linux")
    assert joe.may("action_execute", ACTION)
    assert joe.may("rule_modify", Rule(pack="linux", name="r", trigger="t.t", action={}))
    assert joe.may("sensor_type_view", "sensor_type:linux:S") and joe.may("action_alias_delete", "action_alias:linux:say")
    assert not joe.may("action_execute", "action:core:local")
    assert not joe.may("policy_view", "policy:linux:p")


def test_execution__inherits_from_its_action_and_pack() -> None:
    for on in ("action:linux:check", "pack:linux"):
        runner = _joe("action_execute", on=on)
        assert runner.may("execution_view", EXECUTION) and runner.may("execution_rerun", EXECUTION) and runner.may("execution_stop", EXECUTION)
        viewer = _joe("action_view", on=on)
        assert viewer.may("execution_view", EXECUTION) and not viewer.may("execution_stop", EXECUTION)
    assert not _joe("action_execute", on="action:core:local").may("execution_view", EXECUTION)


def test_inquiry_and_enforcement__inherit_from_workflow_and_rule() -> None:
    inquiry = inquiry_subject("6b02e4d9560fca4c7ce40000", "linux.check")
    assert _joe("action_execute", on="action:linux:check").may("inquiry_respond", inquiry)
    assert not _joe("action_view", on="action:linux:check").may("inquiry_respond", inquiry)
    assert _joe("inquiry_respond").may("inquiry_respond", inquiry)
    enforcement = enforcement_subject("6b02e4d9560fca4c7ce40000", "rule:linux:r")
    assert _joe("rule_view", on="rule:linux:r").may("rule_enforcement_view", enforcement)
    assert _joe("rule_all", on="pack:linux").may("rule_enforcement_view", enforcement)
    assert not _joe("rule_view", on="pack:core").may("rule_enforcement_view", enforcement)


def test_datastore__own_items_always__those_of_others_never() -> None:
    joe = _joe("key_value_pair_all", on="key_value_pair:st2kv.user:ann:x")
    assert joe.may("key_value_pair_set", "key_value_pair:st2kv.user:joe:x") and joe.may("key_value_pair_delete", "key_value_pair:st2kv.user:joe:a:b")
    assert not joe.may("key_value_pair_view", "key_value_pair:st2kv.user:ann:x")
    assert not _joe(observer=True).may("key_value_pair_view", "key_value_pair:st2kv.user:ann:x")
    setter = _joe("key_value_pair_set", on="key_value_pair:st2kv.system:x")
    assert setter.may("key_value_pair_view", "key_value_pair:st2kv.system:x") and not setter.may(
        "key_value_pair_set", "key_value_pair:st2kv.system:y"
    )


def test_unknown_permission__is_a_bug_not_a_refusal() -> None:
    with pytest.raises(ValueError, match="unknown permission"):
        authorize(Requester("joe"), "action_fly")


def test_table__every_type_has_one_owner_and_a_text() -> None:
    shown: dict[str, Any] = {name: text for kind in PERMISSION_TYPES.values() for name, text in kind.items()}
    assert set(KIND_OF) == set(shown) and all(shown.values())
    assert GLOBAL_TYPES <= set(KIND_OF)
    assert set(PERMISSION_TYPES["stream"]) == {"stream_view"}
