"""The life of an execution, from request to what follows its end, on whole platforms over both brokers."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import requests

from st2common.ctl.layout import Layout
from st2common.ctl.supervision import Supervisor
from tests.running import RunningPlatform, wait_until

FINAL = ("succeeded", "failed", "timeout", "canceled", "abandoned")


class Api:
    """The API of a platform without authentication; paths below ``/v1``."""

    def __init__(self, running: RunningPlatform) -> None:
        self.running = running
        self._session = requests.Session()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._session.request(method, f"{self.running.api_url}/v1/{path}", json=body, timeout=30, headers=named)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.ok, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, body: Any, **headers: str) -> Any:
        answer = self.call("POST", path, body, **headers)
        assert answer.ok, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def run(self, action: str, **more: Any) -> str:
        """Ask for an execution; gives its id. ``parameters``, ``delay``, ``notify``..."""
        return str(self.post("executions", {"action": action, **more})["id"])

    def execution(self, id: str) -> dict[str, Any]:
        return dict(self.get(f"executions/{id}"))

    def ended(self, id: str, seconds: float = 30) -> dict[str, Any]:
        """The execution when it is final."""
        return self.when(id, lambda row: row["status"] in FINAL, seconds)

    def when(self, id: str, is_so: Callable[[dict[str, Any]], bool], seconds: float = 30) -> dict[str, Any]:
        """The execution when it is as wanted."""
        last: dict[str, Any] = {}

        def probe() -> bool:
            last.update(self.execution(id))
            return is_so(last)

        try:
            wait_until(probe, seconds, "")
        except TimeoutError:
            raise AssertionError(f"still {last.get('status')}: {last.get('log')} {last.get('result')}") from None
        return last

    def executions(self, query: str) -> list[dict[str, Any]]:
        """Executions, oldest first."""
        return list(self.get(f"executions?limit=100&sort_asc=True&{query}"))

    def action(self, command: str, **values: Any) -> str:
        """Make a shell action of one's own; gives its ref."""
        name = f"a{uuid4().hex[:12]}"
        parameters = {"cmd": {"immutable": True, "default": command}, **values.pop("parameters", {})}
        body = {"name": name, "pack": "default", "runner_type": "local-shell-cmd", "enabled": True, "parameters": parameters, **values}
        self.post("actions", body)
        return f"default.{name}"

    def policy(self, resource_ref: str, kind: str, **parameters: Any) -> None:
        self.post(
            "policies",
            {
                "name": f"p{uuid4().hex[:12]}",
                "pack": "default",
                "resource_ref": resource_ref,
                "policy_type": kind,
                "parameters": parameters,
                "enabled": True,
            },
        )

    @contextlib.contextmanager
    def rule(
        self, trigger: dict[str, Any], action: str, parameters: dict[str, Any], criteria: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """A rule for the length of a test."""
        name = f"r{uuid4().hex[:12]}"
        body = {
            "name": name,
            "pack": "default",
            "enabled": True,
            "trigger": trigger,
            "criteria": criteria or {},
            "action": {"ref": action, "parameters": parameters},
        }
        made = self.post("rules", body)
        try:
            yield made
        finally:
            self.call("DELETE", f"rules/{made['id']}")


@pytest.fixture(scope="module", params=["platform", pytest.param("rabbitmq_platform", marks=pytest.mark.rabbitmq)])
def api(request: pytest.FixtureRequest) -> Api:
    return Api(request.getfixturevalue(request.param))


def statuses(row: dict[str, Any]) -> list[str]:
    return [entry["status"] for entry in row["log"]]


def moment(row: dict[str, Any], status: str) -> float:
    """When the execution entered a status the last time, seconds since the epoch."""
    return max(datetime.fromisoformat(entry["timestamp"]).timestamp() for entry in row["log"] if entry["status"] == status)


# -- plain ---------------------------------------------------------------------------------------------------------------------


def test_plain__every_status_once_and_in_order(api: Api) -> None:
    row = api.ended(api.run(api.action("echo out; echo err >&2; exit 3")))
    assert (row["status"], statuses(row)) == ("failed", ["requested", "scheduled", "running", "failed"])
    assert (row["result"]["stdout"], row["result"]["stderr"], row["result"]["return_code"]) == ("out", "err", 3)
    assert row["start_timestamp"] <= row["end_timestamp"]
    assert row["elapsed_seconds"] > 0


def test_a_hundred_at_once__all_run_exactly_once(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "ran"
    action = api.action(f"echo $$ >> {log}")
    ids = [api.run(action) for _ in range(100)]
    assert len(set(ids)) == 100
    wait_until(lambda: all(row["status"] in FINAL for row in api.executions(f"action={action}")), 60, "all are final")
    assert {row["status"] for row in api.executions(f"action={action}")} == {"succeeded"}
    assert len(log.read_text().splitlines()) == 100


def test_output__can_be_read_while_it_runs(api: Api, tmp_path: Path) -> None:
    go = tmp_path / "go"
    id = api.run(api.action(f"echo first; until [ -e {go} ]; do sleep 0.1; done; echo second"))

    def text() -> str:
        answer = requests.get(f"{api.running.api_url}/v1/executions/{id}/output?output_format=raw", timeout=10, stream=True)
        return next(answer.iter_content(64), b"").decode()

    wait_until(lambda: "first" in text(), 15, "the first line is shown")
    assert api.execution(id)["status"] == "running"
    go.touch()
    assert api.ended(id)["result"]["stdout"] == "first\nsecond"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"action": "core.nothing"}, 'Action "core.nothing" cannot be found.'),
        ({"action": "core.local", "parameters": {"cmd": "x", "nope": 1}}, "nope"),
        ({"action": "core.local", "parameters": {}}, "cmd"),
        ({"action": "core.local", "parameters": {"cmd": "x", "timeout": "soon"}}, "'soon'"),
        ({"action": "core.noop", "delay": -1}, "-1"),
        ({"parameters": {}}, "action"),
    ],
)
def test_refused__with_a_reason__and_nothing_is_stored(api: Api, body: dict[str, Any], says: str) -> None:
    before = api.executions("action=core.nothing")
    answer = api.call("POST", "executions", body)
    assert answer.status_code == 400
    assert says in answer.json()["faultstring"]
    assert api.executions("action=core.nothing") == before


# -- delay ---------------------------------------------------------------------------------------------------------------------


def test_delay__waits_and_then_runs(api: Api) -> None:
    action = api.action("echo late")
    id = api.run(action, delay=800)
    assert api.execution(id)["status"] in ("requested", "delayed")
    row = api.ended(id)
    assert row["status"] == "succeeded"
    assert statuses(row)[0] == "requested" and "delayed" in statuses(row)
    assert moment(row, "running") - moment(row, "requested") >= 0.8


def test_delay__can_be_cancelled(api: Api, tmp_path: Path) -> None:
    id = api.run(api.action(f"touch {tmp_path / 'ran'}"), delay=1500)
    answer = api.call("DELETE", f"executions/{id}")
    assert answer.status_code == 200
    row = api.ended(id)
    assert (row["status"], row["context"]["cancelled_by"]) == ("canceled", api.execution(id)["context"]["user"])
    time.sleep(1.8)
    assert api.execution(id)["status"] == "canceled"
    assert not (tmp_path / "ran").exists()


# -- policies ------------------------------------------------------------------------------------------------------------------


def test_concurrency__one_at_a_time__first_come_first_served(api: Api) -> None:
    action = api.action("sleep 0.2")
    api.policy(action, "action.concurrency", threshold=1)
    ids = [api.run(action) for _ in range(6)]
    rows = [api.ended(id, 60) for id in ids]
    assert {row["status"] for row in rows} == {"succeeded"}
    for before, after in zip(rows, rows[1:], strict=False):
        assert moment(before, "succeeded") <= moment(after, "running")
    assert any("delayed" in statuses(row) for row in rows)


def test_concurrency__cancel__the_second_does_not_run(api: Api, tmp_path: Path) -> None:
    go = tmp_path / "go"
    action = api.action(f"until [ -e {go} ]; do sleep 0.1; done")
    api.policy(action, "action.concurrency", threshold=1, action="cancel")
    first = api.run(action)
    api.when(first, lambda row: row["status"] == "running")
    second = api.ended(api.run(action))
    go.touch()
    assert second["status"] == "canceled"
    assert "running" not in statuses(second)
    assert api.ended(first)["status"] == "succeeded"


def test_concurrency_by_attribute__equal_ones_wait__others_pass(api: Api, tmp_path: Path) -> None:
    go = tmp_path / "go"
    action = api.action(f"until [ -e {go} ]; do sleep 0.1; done", parameters={"host": {"type": "string"}})
    api.policy(action, "action.concurrency.attr", threshold=1, attributes=["host"])
    first, equal, other = (api.run(action, parameters={"host": host}) for host in ("a", "a", "b"))
    api.when(other, lambda row: row["status"] == "running")
    api.when(first, lambda row: row["status"] == "running")
    assert api.execution(equal)["status"] in ("requested", "delayed")
    go.touch()
    rows = [api.ended(id) for id in (first, equal, other)]
    assert [row["status"] for row in rows] == ["succeeded"] * 3
    assert moment(rows[0], "succeeded") <= moment(rows[1], "running")


def test_retry__as_often_as_allowed__each_names_the_one_before(api: Api) -> None:
    action = api.action("exit 1")
    api.policy(action, "action.retry", retry_on="failure", max_retry_count=2, delay=0.2)
    first = api.ended(api.run(action))
    wait_until(lambda: [row["status"] for row in api.executions(f"action={action}")] == ["failed"] * 3, 30, "three runs")
    time.sleep(1)
    rows = api.executions(f"action={action}")
    assert len(rows) == 3
    assert rows[0]["id"] == first["id"]
    notes = [row["context"].get("policies", {}).get("retry") for row in rows]
    assert notes[0] is None
    assert [note["retry_count"] for note in notes[1:]] == [1, 2]
    assert [note["retried_liveaction_id"] for note in notes[1:]] == [api.execution(row["id"])["liveaction"]["id"] for row in rows[:2]]


def test_retry__on_timeout_only__leaves_failures_alone(api: Api) -> None:
    action = api.action("exit 1")
    api.policy(action, "action.retry", retry_on="timeout", max_retry_count=2)
    api.ended(api.run(action))
    time.sleep(1)
    assert len(api.executions(f"action={action}")) == 1


# -- ends before its time ------------------------------------------------------------------------------------------------------


def _family(tmp_path: Path) -> str:
    """A command that has children and does not care for SIGTERM; its pids are written to files."""
    inner = f"(sleep 300 & echo $! > {tmp_path}/grandchild; wait)"
    return f"trap '' TERM; sleep 300 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/parent; {inner}; wait"


def _all_gone(tmp_path: Path) -> bool:
    pids = [int((tmp_path / name).read_text()) for name in ("parent", "child", "grandchild")]
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def test_timeout__ends_the_whole_family(api: Api, tmp_path: Path) -> None:
    id = api.run(api.action(_family(tmp_path), parameters={"timeout": {"default": 1}}))
    row = api.ended(id)
    assert (row["status"], statuses(row)[-1]) == ("timeout", "timeout")
    wait_until(lambda: _all_gone(tmp_path), 15, "every process of the action is gone")


def test_cancel__running__ends_the_whole_family(api: Api, tmp_path: Path) -> None:
    id = api.run(api.action(_family(tmp_path)))
    wait_until(lambda: (tmp_path / "grandchild").exists() and (tmp_path / "grandchild").read_text(), 20, "the action runs")
    assert api.call("DELETE", f"executions/{id}").status_code == 200
    row = api.ended(id)
    assert (row["status"], statuses(row)[-2:]) == ("canceled", ["canceling", "canceled"])
    assert row["context"]["cancelled_by"]
    wait_until(lambda: _all_gone(tmp_path), 15, "every process of the action is gone")


def test_cancel__scheduled__never_runs(api: Api, tmp_path: Path) -> None:
    supervisor = Supervisor(Layout(api.running.data_dir))
    action = api.action(f"touch {tmp_path}/ran")
    supervisor.stop_program("st2actionrunner")
    try:
        id = api.run(action)
        assert api.when(id, lambda row: row["status"] in ("scheduled", "requested"))
        assert api.call("DELETE", f"executions/{id}").status_code == 200
        assert api.ended(id)["status"] == "canceled"
    finally:
        supervisor.start_program("st2actionrunner")
    assert api.ended(api.run("core.noop"))["status"] == "succeeded", "the worker is back, and what came before was taken"
    assert (api.execution(id)["status"], (tmp_path / "ran").exists()) == ("canceled", False)


def test_cancel__ended__is_said_and_changes_nothing(api: Api) -> None:
    row = api.ended(api.run("core.noop"))
    answer = api.call("DELETE", f"executions/{row['id']}")
    assert answer.status_code == 200
    assert "cannot be canceled" in answer.json()["faultstring"]
    assert api.execution(row["id"])["log"] == row["log"]


# -- what follows --------------------------------------------------------------------------------------------------------------


def test_notify__a_rule_hears_of_the_end(api: Api) -> None:
    route, action = f"route-{uuid4().hex}", api.action("echo 42")
    criteria = {"trigger.route": {"type": "equals", "pattern": route}}
    parameters = {"message": "{{ trigger.message }} {{ trigger.status }} {{ trigger.execution_id }}"}
    with api.rule({"type": "core.st2.generic.notifytrigger"}, "core.echo", parameters, criteria) as rule:
        notify = {"on-success": {"message": "got {{ action_results.stdout }}", "routes": [route]}, "on-failure": {"message": "no", "routes": [route]}}
        id = api.run(action, notify=notify)
        api.ended(id)
        rows = wait_until(lambda: [row for row in api.executions(f"rule={rule['name']}") if row["status"] in FINAL], 20, "the rule's action ended")
    assert [row["result"]["stdout"] for row in rows] == [f"got 42 succeeded {id}"]


def test_action_trigger__chain_of_rules__is_one_trace(api: Api) -> None:
    first, second, hook = api.action("echo one"), api.action("echo two"), f"chain-{uuid4().hex}"
    webhook = {"type": "core.st2.webhook", "parameters": {"url": hook}}
    on_first = {"trigger.action_name": {"type": "equals", "pattern": first}, "trigger.status": {"type": "equals", "pattern": "succeeded"}}
    with api.rule(webhook, first, {}) as one, api.rule({"type": "core.st2.generic.actiontrigger"}, second, {}, on_first) as two:
        api.post(f"webhooks/{hook}", {"n": 1}, St2_Trace_Tag=hook)
        rows = wait_until(lambda: [row for row in api.executions(f"action={second}") if row["status"] in FINAL], 30, "the second action ended")
        time.sleep(0.5)
        assert len(api.executions(f"action={second}")) == 1
        (trace,) = api.get(f"traces?trace_tag={hook}")
        assert {item["ref"] for item in trace["action_executions"]} == {first, second}
        assert {item["ref"] for item in trace["rules"]} == {one["ref"], two["ref"]}
        # The webhook, and the ends of both actions (somebody listens to them).
        instances = trace["trigger_instances"]
        assert [item["ref"] for item in instances[1:]] == ["core.st2.generic.actiontrigger"] * 2
        assert [item["caused_by"]["id"] for item in instances[1:]] == [item["object_id"] for item in trace["action_executions"]]
        assert trace["action_executions"][-1]["object_id"] == rows[0]["id"]
        assert trace["action_executions"][-1]["caused_by"] == {"type": "rule", "id": f"{two['id']}:{instances[1]['object_id']}"}
        (enforcement,) = api.get(f"ruleenforcements?rule_ref={two['ref']}")
        assert enforcement["execution_id"] == rows[0]["id"]


def test_rule__parameters_that_do_not_render__are_told_in_the_enforcement(api: Api) -> None:
    hook = f"bad-{uuid4().hex}"
    with api.rule({"type": "core.st2.webhook", "parameters": {"url": hook}}, "core.echo", {"message": "{{ trigger.body.missing.deeper }}"}) as rule:
        api.post(f"webhooks/{hook}", {"n": 1})
        (row,) = wait_until(lambda: api.get(f"ruleenforcements?rule_ref={rule['ref']}"), 20, "the enforcement is recorded")
    assert "execution_id" not in row
    assert "missing" in row["failure_reason"]


def test_webhooks__many_at_once__each_fires_once(api: Api) -> None:
    hook = f"many-{uuid4().hex}"
    criteria = {"trigger.body.wanted": {"type": "equals", "pattern": True}}
    rule = api.rule({"type": "core.st2.webhook", "parameters": {"url": hook}}, "core.noop", {}, criteria)
    with rule as made:
        for number in range(60):
            api.post(f"webhooks/{hook}", {"wanted": number % 2 == 0, "n": number})
        wait_until(
            lambda: len([row for row in api.executions(f"rule={made['name']}") if row["status"] == "succeeded"]) >= 30, 40, "thirty executions"
        )
        time.sleep(0.5)
        assert len(api.executions(f"rule={made['name']}")) == 30


# -- secrets, re-run, disabled -------------------------------------------------------------------------------------------------


def test_secrets__are_masked__but_reach_the_action(api: Api) -> None:
    secret = f"s3cret-{uuid4().hex}"
    parameters = {"password": {"type": "string", "secret": True}, "env": {"default": {"P": "{{ password }}"}}}
    action = api.action('[ "$P" = "' + secret + '" ] && echo same', parameters={**parameters, "cmd": {"type": "string", "required": True}})
    id = api.run(action, parameters={"password": secret, "cmd": "echo sum:$(printf %s $P | md5sum | cut -c1-6)"})
    row = api.ended(id)
    assert row["status"] == "succeeded" and row["parameters"]["password"] == "********"
    assert row["result"]["stdout"] == "sum:" + hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest()[:6]
    for path in (f"executions/{id}", f"executions?action={action}", f"executions/{id}/attribute/parameters"):
        assert secret not in api.call("GET", path).text.replace('"P":"' + secret, '"P":"'), path
    assert api.get(f"executions/{id}?show_secrets=true")["parameters"]["password"] == secret
    for log in (api.running.data_dir / "logs").iterdir():
        assert secret not in log.read_text(errors="replace"), log


def test_rerun__the_same_again__or_with_other_parameters(api: Api) -> None:
    action = api.action("echo ${WHO:-nobody}", parameters={"env": {"type": "object"}})
    first = api.ended(api.run(action, parameters={"env": {"WHO": "ada"}}))
    again = api.ended(api.post(f"executions/{first['id']}/re_run", {})["id"])
    other = api.ended(api.post(f"executions/{first['id']}/re_run", {"parameters": {"env": {"WHO": "eve"}}})["id"])
    assert [row["result"]["stdout"] for row in (first, again, other)] == ["ada", "ada", "eve"]
    assert again["context"]["re-run"]["ref"] == other["context"]["re-run"]["ref"] == first["id"]
    assert len({row["id"] for row in (first, again, other)}) == 3


def test_disabled__action__is_refused(api: Api) -> None:
    action = api.action("echo x", enabled=False)
    answer = api.call("POST", "executions", {"action": action})
    assert (answer.status_code, answer.json()["faultstring"]) == (400, f'Unable to execute. Action "{action}" is disabled.')


def test_disabled__runner__fails_the_execution(api: Api) -> None:
    runner = api.get("runnertypes/local-shell-cmd")
    action = api.action("echo x")
    assert api.call("PUT", f"runnertypes/{runner['id']}", {**runner, "enabled": False}).status_code == 200
    try:
        row = api.ended(api.run(action))
    finally:
        assert api.call("PUT", f"runnertypes/{runner['id']}", {**runner, "enabled": True}).status_code == 200
    assert row["status"] == "failed"
    assert row["result"]["error"] == 'Runner "local-shell-cmd" has been disabled by the administrator.'
    assert api.ended(api.run(action))["status"] == "succeeded"


def test_disabled__rule__does_not_fire(api: Api) -> None:
    hook = f"off-{uuid4().hex}"
    with api.rule({"type": "core.st2.webhook", "parameters": {"url": hook}}, "core.noop", {}) as rule:
        assert api.call("PUT", f"rules/{rule['id']}", {**rule, "enabled": False}).status_code == 200
        api.post(f"webhooks/{hook}", {"n": 1})
        assert api.call("PUT", f"rules/{rule['id']}", {**rule, "enabled": True}).status_code == 200
        api.post(f"webhooks/{hook}", {"n": 2})
        wait_until(lambda: api.executions(f"rule={rule['name']}"), 20, "the rule fires again")
        time.sleep(0.5)
        (row,) = api.executions(f"rule={rule['name']}")
    instance = api.execution(row["id"])["trigger_instance"]
    assert instance["payload"]["body"] == {"n": 2}
