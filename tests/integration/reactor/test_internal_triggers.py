"""Events of the platform itself, and the traces that tie everything together (reactor.md sections 5 and 7)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.reactor.conftest import JsonObject, Reactor
from tests.running import wait_until

KEYS = "core.st2.key_value_pair"


def echo(message: str) -> JsonObject:
    return {"ref": "core.echo", "parameters": {"message": message}}


def run(reactor: Reactor, action: str, parameters: JsonObject | None = None, **more: Any) -> JsonObject:
    """An execution, ended."""
    execution = reactor.api("POST", "executions", json={"action": action, "parameters": parameters or {}, **more})
    return ended(reactor, execution["id"])


def ended(reactor: Reactor, id: str) -> JsonObject:
    def look() -> JsonObject | None:
        row: JsonObject = reactor.api("GET", f"executions/{id}")
        return row if "end_timestamp" in row else None

    result: JsonObject = wait_until(look, 20, f"execution {id} ends")
    return result


# -- the datastore -----------------------------------------------------------------------------------------------------------


def test_key_value__create_update_change_delete(reactor: Reactor) -> None:
    name = f"watched_{uuid.uuid4().hex[:8]}"
    rules = {
        what: reactor.rule(
            f"{KEYS}.{what}", criteria={f"trigger.{kind}.name": {"type": "equals", "pattern": name}}, action=echo(f"{{{{ trigger.{kind}.value }}}}")
        )
        for what, kind in (("create", "object"), ("update", "object"), ("value_change", "new_object"), ("delete", "object"))
    }
    for value in ("one", "one", "two"):
        reactor.api("PUT", f"keys/{name}", json={"name": name, "value": value})
    reactor.api("DELETE", f"keys/{name}")

    def said(what: str, count: int) -> list[str]:
        return [row["result"]["stdout"] for row in reactor.executions(rules[what], count)]

    assert said("delete", 1) == ["two"]
    assert said("create", 1) == ["one"]
    assert said("update", 2) == ["one", "two"]
    assert said("value_change", 1) == ["two"]
    changed = reactor.executions(rules["value_change"])[0]["trigger_instance"]["payload"]
    assert (changed["old_object"]["value"], changed["new_object"]["value"], changed["new_object"]["scope"]) == ("one", "two", "st2kv.system")


def test_key_value__no_rule_waits__events_can_be_looked_up(reactor: Reactor) -> None:
    name = f"unwatched_{uuid.uuid4().hex[:8]}"
    for value in ("one", "two"):
        reactor.api("PUT", f"keys/{name}", json={"name": name, "value": value})
    reactor.api("DELETE", f"keys/{name}")

    def instances(trigger: str, of: Callable[[JsonObject], bool]) -> list[JsonObject]:
        rows = reactor.api("GET", f"triggerinstances?trigger={trigger}&limit=100")
        return [row for row in rows if of(row["payload"]) and row["status"] == "processed"]

    for what, kind in (("create", "object"), ("update", "object"), ("value_change", "new_object"), ("delete", "object")):
        wait_until(lambda: len(instances(f"{KEYS}.{what}", lambda payload: payload[kind]["name"] == name)) == 1, 20, f"the {what} event")  # noqa: B023
    asked = reactor.api("POST", "executions", json={"action": "core.ask", "parameters": {"route": name}})["id"]
    wait_until(lambda: instances("core.st2.generic.inquiry", lambda payload: payload == {"id": asked, "route": name}), 20, "the inquiry's event")
    reactor.api("DELETE", f"executions/{asked}")


def test_key_value__set_by_an_action__counts_too(reactor: Reactor, pack: Path) -> None:
    (pack / "actions").mkdir()
    (pack / "actions" / "put.yaml").write_text("name: put\nrunner_type: python-script\nentry_point: put.py\nparameters: {key: {type: string}}\n")
    (pack / "actions" / "put.py").write_text(
        "from st2common.runners.base_action import Action\nclass Put(Action):\n"
        "    def run(self, key):\n        self.action_service.set_value(key, 'by an action', local=False)\n"
    )
    reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["actions"]})
    name = f"watched_{uuid.uuid4().hex[:8]}"
    rule = reactor.rule(f"{KEYS}.create", criteria={"trigger.object.name": {"type": "equals", "pattern": name}})
    assert run(reactor, f"{pack.name}.put", {"key": name})["status"] == "succeeded"
    assert reactor.executions(rule)[0]["trigger_instance"]["payload"]["object"]["value"] == "by an action"
    reactor.api("DELETE", f"keys/{name}")


# -- ends of actions ---------------------------------------------------------------------------------------------------------


def test_action_trigger__chain_in_one_trace(reactor: Reactor) -> None:
    mark = f"m{uuid.uuid4().hex[:8]}"  # output that is a number comes back as one
    rule = reactor.rule(
        "core.st2.generic.actiontrigger",
        criteria={
            "trigger.action_ref": {"type": "equals", "pattern": "core.echo"},
            "trigger.parameters.message": {"type": "equals", "pattern": mark},
        },
        action={"ref": "core.noop", "parameters": {}},
    )
    first = run(reactor, "core.echo", {"message": mark}, context={"trace_context": {"trace_tag": f"tag-{mark}"}})
    second = reactor.executions(rule)[0]
    event = second["trigger_instance"]["payload"]
    assert (event["execution_id"], event["status"], event["action_name"], event["runner_ref"]) == (
        first["id"], "succeeded", "core.echo", "local-shell-cmd"
    )  # fmt: skip
    assert event["result"]["stdout"] == mark
    traces = reactor.api("GET", f"traces?execution={second['id']}")
    assert len(traces) == 1
    trace = reactor.api("GET", f"traces/{traces[0]['id']}")
    assert trace["trace_tag"] == f"tag-{mark}"
    assert [(row["object_id"], row["ref"], row["caused_by"]) for row in trace["action_executions"]] == [
        (first["id"], "core.echo", {}),
        (second["id"], "core.noop", {"type": "rule", "id": f"{rule['id']}:{second['trigger_instance']['id']}"}),
    ]
    events = [(row["object_id"], row["caused_by"]) for row in trace["trigger_instances"]]
    assert events[0] == (second["trigger_instance"]["id"], {"type": "action_execution", "id": first["id"]})  # the end of the second is one, too
    assert [(row["object_id"], row["caused_by"]) for row in trace["rules"]] == [
        (rule["id"], {"type": "trigger_instance", "id": second["trigger_instance"]["id"]})
    ]


def test_action_trigger__masks_secret_parameters(reactor: Reactor, pack: Path) -> None:
    (pack / "actions").mkdir()
    (pack / "actions" / "hush.yaml").write_text("name: hush\nrunner_type: noop\nparameters: {word: {type: string, secret: true}}\n")
    reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["actions"]})
    rule = reactor.rule("core.st2.generic.actiontrigger", criteria={"trigger.action_ref": {"type": "equals", "pattern": f"{pack.name}.hush"}})
    run(reactor, f"{pack.name}.hush", {"word": "swordfish"})
    payload = reactor.executions(rule)[0]["trigger_instance"]["payload"]
    assert payload["parameters"] == {"word": "********"}
    assert "swordfish" not in str(payload)


def test_notify_trigger__once_per_route_and_section(reactor: Reactor) -> None:
    mark = f"m{uuid.uuid4().hex[:8]}"  # output that is a number comes back as one
    rule = reactor.rule(
        "core.st2.generic.notifytrigger",
        criteria={"trigger.data.mark": {"type": "equals", "pattern": mark}},
        action=echo("{{ trigger.route }}: {{ trigger.message }}"),
    )
    sections = {
        "on-complete": {"routes": ["a", "b"], "data": {"mark": mark}},
        "on-success": {"message": "said {{ action_results.stdout }}", "routes": ["a"], "data": {"mark": "{{ action_parameters.message }}"}},
        "on-failure": {"routes": ["a"], "data": {"mark": mark}},
    }
    execution = run(reactor, "core.echo", {"message": mark}, notify=sections)
    done = reactor.executions(rule, 3)
    assert sorted(row["result"]["stdout"] for row in done) == sorted(
        ["a: Action core.echo completed.", "b: Action core.echo completed.", f"a: said {mark}"]
    )
    payload = done[0]["trigger_instance"]["payload"]
    assert (payload["execution_id"], payload["status"], payload["action_ref"], payload["channel"]) == (
        execution["id"], "succeeded", "core.echo", payload["route"]
    )  # fmt: skip
    assert f'"stdout": "{mark}"' in payload["data"]["result"]
    trace = reactor.api("GET", f"traces?execution={execution['id']}")[0]
    assert len(trace["trigger_instances"]) == 3
    assert all(row["caused_by"] == {"type": "action_execution", "id": execution["id"]} for row in trace["trigger_instances"])


def test_inquiry_trigger__and_its_answer(reactor: Reactor) -> None:
    route = f"route-{uuid.uuid4().hex[:8]}"
    rule = reactor.rule("core.st2.generic.inquiry", criteria={"trigger.route": {"type": "equals", "pattern": route}})
    execution = reactor.api("POST", "executions", json={"action": "core.ask", "parameters": {"route": route}})
    assert reactor.executions(rule)[0]["trigger_instance"]["payload"] == {"id": execution["id"], "route": route}
    assert reactor.api("GET", f"inquiries/{execution['id']}")["route"] == route
    reactor.api("PUT", f"inquiries/{execution['id']}", json={"id": execution["id"], "response": {"continue": True}})
    assert ended(reactor, execution["id"])["status"] == "succeeded"


# -- traces ------------------------------------------------------------------------------------------------------------------


def test_trace__of_a_webhook__with_its_tag(reactor: Reactor) -> None:
    tag = f"tag-{uuid.uuid4().hex[:8]}"
    url, rule = reactor.webhook(action=echo("x"))
    reactor.post(url, {}, headers={"St2-Trace-Tag": tag})
    reactor.post(url, {}, headers={"St2-Trace-Tag": tag})
    executions = reactor.executions(rule, 2)
    traces = reactor.api("GET", f"traces?trace_tag={tag}")
    assert len(traces) == 2, "a tag begins a new trace each time"
    for execution in executions:
        event = execution["trigger_instance"]["id"]
        found = reactor.api("GET", f"traces?trigger_instance={event}")
        assert [trace["id"] for trace in found] == [trace["id"] for trace in traces if trace["trigger_instances"][0]["object_id"] == event]
        trace = found[0]
        assert (trace["trace_tag"], trace["uid"].split(":")[0]) == (tag, "trace")
        assert [row["caused_by"] for row in trace["trigger_instances"]] == [{}]
        assert [row["caused_by"] for row in trace["rules"]] == [{"type": "trigger_instance", "id": event}]
        cause = {"type": "rule", "id": f"{rule['id']}:{event}"}
        assert [(row["object_id"], row["caused_by"]) for row in trace["action_executions"]] == [(execution["id"], cause)]
        assert execution["context"]["trace_context"]["id_"] == trace["id"]
    assert {trace["id"] for trace in reactor.api("GET", f"traces?rule={rule['id']}")} == {trace["id"] for trace in traces}


def test_trace__of_a_webhook__without_a_tag(reactor: Reactor) -> None:
    url, rule = reactor.webhook()
    reactor.post(url, {})
    execution = reactor.executions(rule)[0]
    trace = reactor.api("GET", f"traces?execution={execution['id']}")[0]
    prefix, _, rest = trace["trace_tag"].rpartition("-")
    assert prefix == f"webhook-{url}" and len(rest) == 32


def test_trace__of_a_workflow__holds_its_children(reactor: Reactor, pack: Path) -> None:
    (pack / "actions" / "workflows").mkdir(parents=True)
    (pack / "actions" / "two.yaml").write_text("name: two\nrunner_type: orquesta\nentry_point: workflows/two.yaml\n")
    (pack / "actions" / "workflows" / "two.yaml").write_text(
        "version: 1.0\ntasks:\n  a:\n    action: core.noop\n    next: [{do: b}]\n  b:\n    action: core.noop\n"
    )
    reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["actions"]})
    parent = run(reactor, f"{pack.name}.two")
    assert parent["status"] == "succeeded", parent
    trace = reactor.api("GET", f"traces?execution={parent['id']}")[0]
    rows = trace["action_executions"]
    assert [row["ref"] for row in rows] == [f"{pack.name}.two", "core.noop", "core.noop"]
    assert [row["caused_by"] for row in rows[1:]] == [{"type": "action_execution", "id": parent["id"]}] * 2
    child = rows[1]["object_id"]
    assert reactor.api("GET", f"traces?execution={child}")[0]["id"] == trace["id"]
    joined = run(reactor, "core.noop", context={"trace_context": {"id_": trace["id"]}})
    assert joined["id"] in [row["object_id"] for row in reactor.api("GET", f"traces/{trace['id']}")["action_executions"]]
    unknown = reactor.request("POST", "executions", json={"action": "core.noop", "context": {"trace_context": {"id_": "0" * 24}}})
    assert not unknown.ok and "Unable to find the TraceDB instance. {'id': '000000000000000000000000'}" in unknown.text
