"""Events, rules and what they enforce, through the whole platform (reactor.md sections 1, 3 and 6)."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.platform import Platform
from tests.integration.reactor.conftest import Reactor
from tests.running import wait_until


def echo(message: str) -> dict[str, Any]:
    return {"ref": "core.echo", "parameters": {"message": message}}


# -- webhook to rule to action -----------------------------------------------------------------------------------------------


def test_webhook__json__runs_the_action(reactor: Reactor) -> None:
    url, rule = reactor.webhook(action=echo("{{ trigger.body.a.b[1] }} {{ trigger.headers['X-Kind'] }} {{ trigger.headers_lower['x-kind'] }}"))
    answer = reactor.post(url, {"a": {"b": [1, "two"]}}, headers={"X-Kind": "test", "X-Auth-Token": "secret", "St2-Trace-Tag": "my tag"})
    assert answer.json() == {"a": {"b": [1, "two"]}}
    execution = reactor.executions(rule)[0]
    assert (execution["status"], execution["result"]["stdout"]) == ("succeeded", "two test test")
    instance = reactor.instances(rule["trigger"]["ref"])[0]
    assert instance["status"] == "processed"
    assert "X-Auth-Token" not in instance["payload"]["headers"] and "x-auth-token" not in instance["payload"]["headers_lower"]
    enforcement = reactor.enforcements(rule)[0]
    assert (enforcement["status"], enforcement["execution_id"], enforcement["trigger_instance_id"]) == ("succeeded", execution["id"], instance["id"])
    assert execution["rule"]["ref"] == rule["ref"] and execution["trigger_instance"]["id"] == instance["id"]
    assert execution["trigger"]["ref"] == rule["trigger"]["ref"] and execution["trigger_type"]["ref"] == "core.st2.webhook"
    context = execution["context"]
    assert context["rule"] == {"id": rule["id"], "name": rule["name"]}
    assert context["trigger_instance"] == {"id": instance["id"], "name": None}
    assert context["pack"] == "core"
    assert context["trace_context"]["trace_tag"] == "my tag"


def test_webhook__url_with_slashes__and_form_body(reactor: Reactor) -> None:
    url, rule = reactor.webhook(url="/reactor/deep/er/", action=echo("{{ trigger.body.name }}"))
    answer = reactor.request("POST", "webhooks/reactor/deep/er", data={"name": ["a", "b"], "x": "1"})
    assert (answer.status_code, answer.json()) == (202, {"name": ["a", "b"], "x": ["1"]})
    assert reactor.executions(rule)[0]["result"]["stdout"] == "['a', 'b']"


def test_webhook__two_rules_with_equal_parameters__share_one_trigger_and_event(reactor: Reactor) -> None:
    url, first = reactor.webhook()
    second = reactor.rule("core.st2.webhook", {"url": url})
    assert first["trigger"]["ref"] == second["trigger"]["ref"]
    reactor.post(url, {})
    for rule in (first, second):
        assert len(reactor.executions(rule)) == 1
    assert len(reactor.instances(first["trigger"]["ref"])) == 1


def test_webhook__generic__takes_any_trigger(reactor: Reactor) -> None:
    url, rule = reactor.webhook(action=echo("{{ trigger.body.x }}"))
    ref = rule["trigger"]["ref"]
    reactor.post("st2", {"trigger": ref, "payload": {"headers": {}, "body": {"x": "generic"}}})
    assert reactor.executions(rule)[0]["result"]["stdout"] == "generic"
    answer = reactor.request("POST", "webhooks/st2", json={"trigger": ref, "payload": {"headers": 1, "body": {}}})
    assert answer.status_code == 400
    assert answer.json()["faultstring"].startswith(
        'Trigger payload validation failed and validation is enabled, not dispatching a trigger "core.st2.webhook" ('
    )


# -- criteria ----------------------------------------------------------------------------------------------------------------


def test_criteria__nested_payload__all_have_to_hold(reactor: Reactor) -> None:
    url, rule = reactor.webhook(
        criteria={
            "trigger.body.alerts[0].labels.severity": {"type": "equals", "pattern": "critical"},
            "trigger.body.alerts[0].labels.severity#2": {"type": "startswith", "pattern": "crit"},
            "trigger.body.'key.with.dots'": {"type": "gt", "pattern": "{{ trigger.body.least }}"},
            "trigger.body.alerts": {
                "type": "search", "condition": "any",
                "pattern": {"item.labels.host": {"type": "matchwildcard", "pattern": "db*"}, "item.n": {"type": "exists", "pattern": True}},
            },
        },
        action=echo("{{ trigger.body.id }}"),
    )  # fmt: skip
    good: dict[str, Any] = {"alerts": [{"labels": {"severity": "critical", "host": "db1"}, "n": 0}], "key.with.dots": 7, "least": 5}
    reactor.post(url, {**good, "id": "low", "key.with.dots": 4})
    reactor.post(url, {**good, "id": "host", "alerts": [{"labels": {"severity": "critical", "host": "web"}, "n": 1}]})
    reactor.post(url, {**good, "id": "calm", "alerts": [{"labels": {"severity": "warning", "host": "db1"}, "n": 1}]})
    reactor.post(url, {**good, "id": "right"})
    reactor.instances(rule["trigger"]["ref"], 4)
    assert [row["result"]["stdout"] for row in reactor.executions(rule)] == ["right"]
    assert len(reactor.enforcements(rule)) == 1


def test_criteria__datastore_in_a_pattern(reactor: Reactor) -> None:
    url, rule = reactor.webhook(criteria={"trigger.body.n": {"type": "gt", "pattern": "{{ st2kv.system.reactor_limit | int }}"}})
    reactor.api("PUT", "keys/reactor_limit", json={"name": "reactor_limit", "value": "5"})
    reactor.post(url, {"n": 5})
    reactor.instances(rule["trigger"]["ref"], 1)
    reactor.api("PUT", "keys/reactor_limit", json={"name": "reactor_limit", "value": "4"})
    reactor.post(url, {"n": 5})
    reactor.instances(rule["trigger"]["ref"], 2)
    assert len(reactor.executions(rule)) == 1


def test_backstop__only_when_nothing_else_matched(reactor: Reactor) -> None:
    url, rule = reactor.webhook(criteria={"trigger.body.n": {"type": "equals", "pattern": 1}}, action=echo("rule {{ trigger.body.n }}"))
    backstop = reactor.rule(
        "core.st2.webhook", {"url": url}, type={"ref": "backstop", "parameters": {}}, action=echo("backstop {{ trigger.body.n }}")
    )
    for n in (1, 2):
        reactor.post(url, {"n": n})
    reactor.instances(rule["trigger"]["ref"], 2)
    assert [row["result"]["stdout"] for row in reactor.executions(rule)] == ["rule 1"]
    assert [row["result"]["stdout"] for row in reactor.executions(backstop)] == ["backstop 2"]


# -- failures ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criterion", "text"),
    [
        ({"trigger.body.s": {"type": "gt", "pattern": 5}}, "There might be a problem with the criteria in rule {rule}: "),
        (
            {"trigger.body.n": {"type": "gt", "pattern": "{{ trigger.nothing.x }}"}},
            'Failed to render pattern value "{{{{ trigger.nothing.x }}}}" for key "trigger.body.n": ',
        ),
        ({"trigger.body.[[": {"type": "gt", "pattern": 5}}, "Failed transforming criteria key trigger.body.[[: "),
    ],
)  # fmt: skip
def test_criteria_that_cannot_be_judged__are_told(reactor: Reactor, criterion: dict[str, Any], text: str) -> None:
    url, rule = reactor.webhook(criteria=criterion)
    reactor.post(url, {"s": "text", "n": 1})
    instance = reactor.instances(rule["trigger"]["ref"])[0]
    assert instance["status"] == "processed"
    enforcement = reactor.enforcements(rule)[0]
    assert enforcement["status"] == "failed" and "execution_id" not in enforcement
    begin = f'Failed to match rule "{rule["ref"]}" against trigger instance "{instance["id"]}": ' + text.format(rule=rule["ref"])
    assert enforcement["failure_reason"].startswith(begin)
    assert reactor.fires(rule) == []


@pytest.mark.parametrize(
    ("action", "reason", "executed"),
    [
        ({"ref": "no.such"}, 'Action "no.such" doesn\'t exist', False),
        ({"ref": "core.local", "parameters": {"cmd": "{{ trigger.body.nothing.x }}"}}, "Failed to render parameter", True),
        ({"ref": "core.local", "parameters": {"cmd": "{{ nothing }}"}}, 'Dependency unsatisfied in variable "nothing"', True),
        ({"ref": "core.echo", "parameters": {"message": 5}}, 'Value "5" must either be a string or None. Got "int".', False),
        ({"ref": "core.local", "parameters": {}}, "'cmd' is a required property\n\nFailed validating ", False),
    ],
)
def test_enforcement__failures(reactor: Reactor, action: dict[str, Any], reason: str, executed: bool) -> None:
    url, rule = reactor.webhook(action={"parameters": {}, **action})
    other = reactor.rule("core.st2.webhook", {"url": url})
    reactor.post(url, {"n": 1})
    enforcement = reactor.enforcements(rule)[0]
    assert (enforcement["status"], enforcement.get("execution_id")) == ("failed", None)
    assert enforcement["failure_reason"].startswith(reason)
    assert reactor.instances(rule["trigger"]["ref"])[0]["status"] == "processed"
    assert len(reactor.executions(other)) == 1, "the failure of one rule does not concern the others"
    if executed:
        execution = reactor.executions(rule)[0]
        assert execution["status"] == "failed"
        assert execution["result"]["error"].startswith(reason) and "traceback" in execution["result"]
    else:
        assert reactor.fires(rule) == []


def test_unknown_operator__processing_failed__and_no_rule_is_enforced(parts: Platform, reactor: Reactor) -> None:
    url, rule = reactor.webhook()
    refused = reactor.request("PUT", f"rules/{rule['id']}", json={
        "name": rule["name"], "pack": "examples", "trigger": {"type": "core.st2.webhook", "parameters": {"url": url}}, "action": {"ref": "core.noop"},
        "criteria": {"trigger.body.n": {"type": "nosuch", "pattern": 1}},
    })  # fmt: skip
    assert refused.status_code == 400
    assert "For field: trigger.body.n, operator nosuch not in list of allowed operators: [" in refused.json()["faultstring"]
    stored = parts.store.catalog.by_id("rule", rule["id"])
    broken = {**stored.to_api(), "name": "broken", "criteria": {"trigger.body.n": {"type": "nosuch", "pattern": 1}}}
    made = parts.store.catalog.insert("rule", broken)
    reactor.afterwards(lambda: parts.store.catalog.delete("rule", made.id))
    reactor.post(url, {"n": 1})
    assert reactor.instances(rule["trigger"]["ref"])[0]["status"] == "processing_failed"
    assert reactor.fires(rule) == []


# -- changes of rules take effect at once ------------------------------------------------------------------------------------


def test_rule__changed__counts_from_the_next_event_on(reactor: Reactor) -> None:
    url, rule = reactor.webhook(enabled=False, action=echo("first"))
    body = {key: rule[key] for key in ("name", "pack", "criteria", "enabled", "action")} | {
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": url}}
    }
    watcher = reactor.rule("core.st2.webhook", {"url": url})
    events = 0

    def send(outputs: list[str]) -> None:
        nonlocal events
        events += 1
        reactor.post(url, {})
        reactor.instances(rule["trigger"]["ref"], events)
        assert [row["result"]["stdout"] for row in reactor.executions(rule, len(outputs))] == outputs

    send([])
    reactor.api("PUT", f"rules/{rule['id']}", json={**body, "enabled": True})
    send(["first"])
    reactor.api("PUT", f"rules/{rule['id']}", json={**body, "enabled": True, "action": echo("second")})
    send(["first", "second"])
    reactor.api("PUT", f"rules/{rule['id']}", json={**body, "enabled": True, "criteria": {"trigger.body.x": {"type": "exists", "pattern": True}}})
    send(["first", "second"])
    reactor.api("DELETE", f"rules/{rule['id']}")
    send(["first", "second"])
    assert len(reactor.executions(watcher, events)) == events


def test_trigger__lives_as_long_as_a_rule_needs_it(reactor: Reactor) -> None:
    url, first = reactor.webhook()
    second = reactor.rule("core.st2.webhook", {"url": url}, enabled=False)
    ref = first["trigger"]["ref"]

    def is_there() -> bool:
        listed = any(trigger["ref"] == ref for trigger in reactor.api("GET", "triggers"))
        assert listed == (reactor.request("POST", f"webhooks/{url}", json={}).status_code == 202)
        return listed

    assert is_there()
    reactor.api("DELETE", f"rules/{first['id']}")
    assert is_there(), "a disabled rule holds it, too"
    moved = {"name": second["name"], "pack": "examples", "action": {"ref": "core.noop"}, "criteria": {},
             "trigger": {"type": "core.st2.webhook", "parameters": {"url": f"{url}-moved"}}}  # fmt: skip
    again = reactor.api("PUT", f"rules/{second['id']}", json=moved)
    assert not is_there()
    assert again["trigger"]["ref"] != ref
    reactor.api("PUT", f"rules/{second['id']}", json=moved)
    reactor.post(f"{url}-moved", {})
    reactor.api("DELETE", f"rules/{second['id']}")
    assert reactor.request("POST", f"webhooks/{url}-moved", json={}).status_code == 404


def test_trigger__without_parameters__stays(reactor: Reactor) -> None:
    for _ in range(2):
        rule = reactor.rule("examples.new_file")
        reactor.api("DELETE", f"rules/{rule['id']}")
    assert any(trigger["ref"] == "examples.new_file" for trigger in reactor.api("GET", "triggers"))


def test_rule__for_a_type_that_does_not_exist(reactor: Reactor) -> None:
    body = {"name": "nowhere", "pack": "examples", "trigger": {"type": "core.nosuch", "parameters": {}}, "action": {"ref": "core.noop"}}
    refused = reactor.request("POST", "rules", json=body)
    text = 'Trigger "core.nosuch" defined in the rule does not exist in system or it\'s missing required "parameters" attribute'
    assert (refused.status_code, refused.json()["faultstring"]) == (400, text)
    accepted = reactor.rule("core.nosuch", {"a": 1})
    assert accepted["trigger"]["ref"].startswith("core.")


# -- re-emit, and messages that make no sense --------------------------------------------------------------------------------


def test_re_emit__sends_the_event_again_with_its_origin(reactor: Reactor) -> None:
    url, rule = reactor.webhook(action=echo("n {{ trigger.body.n }}"))
    reactor.post(url, {"n": 3})
    first = reactor.instances(rule["trigger"]["ref"])[0]
    answer = reactor.api("POST", f"triggerinstances/{first['id']}/re_emit", json={})
    payload = {**first["payload"], "__context": {"original_id": first["id"]}}
    assert answer == {"message": f"Trigger instance {first['id']} succesfully re-sent.", "payload": payload}
    second = reactor.instances(rule["trigger"]["ref"], 2)[1]
    assert second["payload"] == payload
    assert [row["result"]["stdout"] for row in reactor.executions(rule, 2)] == ["n 3", "n 3"]


def test_message__without_sense__is_dropped_and_nothing_stops(reactor: Reactor, parts: Platform) -> None:
    from st2common.bus import TRIGGER_INSTANCES

    parts.bus.publish(TRIGGER_INSTANCES, {"id": "nonsense"}, {"id": "0" * 24}, {})
    url, rule = reactor.webhook()
    reactor.post(url, {})
    assert len(reactor.executions(rule)) == 1


def test_event__announced_twice__fires_once(reactor: Reactor, parts: Platform) -> None:
    from st2common.bus import TRIGGER_INSTANCES
    from st2common.dispatch import message

    url, rule = reactor.webhook()
    reactor.post(url, {})
    instance = reactor.instances(rule["trigger"]["ref"])[0]
    stored = parts.store.instances.get(instance["id"])
    assert stored is not None
    parts.bus.publish(TRIGGER_INSTANCES, message(stored), message(stored))
    reactor.post(url, {"last": True})
    # Enforcements are written at the end of a batch, after the executions that they tell of.
    wait_until(lambda: len(reactor.enforcements(rule)) == 2, 15, "the event after it has fired")
    assert len(reactor.fires(rule)) == 2
