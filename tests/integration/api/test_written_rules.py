"""Rules of the API that are written down and that no recorded case shows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.api.conftest import Api
from tests.running import RunningPlatform

NOTIFIED = "core.st2.generic.notifytrigger"
Rule = Callable[..., str]


@pytest.fixture
def rule(api: Api) -> Iterator[Rule]:
    """Makes an enabled rule; gives its ref."""
    made: list[str] = []

    def make(trigger: dict[str, Any], action: dict[str, Any]) -> str:
        body = {"name": f"written_{uuid.uuid4().hex}", "pack": "tests", "enabled": True, "trigger": trigger, "action": action}
        answer = api("POST", "/rules", body)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["ref"])
        return made[-1]

    yield make
    for ref in made:
        api("DELETE", f"/rules/{ref}")


@pytest.mark.parametrize("path", ["/actions", "/rules", "/sensortypes", "/packs", "/executions"])
def test_count_beyond_the_last_page(api: Api, path: str) -> None:
    total = api("GET", path).headers["X-Total-Count"]
    answer = api("GET", f"{path}?offset=100000")
    assert answer.json() == []
    assert int(answer.headers["X-Total-Count"]) >= int(total) and int(answer.headers["X-Total-Count"]) < 100000


def test_path_that_is_not_utf8(api: Api) -> None:
    answer = api("GET", "/actions/%ff")
    assert answer.status_code == 400 and "faultstring" in answer.json()
    assert api("GET", "/actions/%c3%bc").status_code == 404


def test_traces_in_the_order_of_their_tags(api: Api) -> None:
    run = uuid.uuid4().hex
    for letter in "bac":
        context = {"trace_context": {"trace_tag": f"{letter}-{run}"}}
        assert api("POST", "/executions", {"action": "core.noop", "context": context}).status_code == 201

    def tags(sort: str) -> list[str]:
        found = api("GET", f"/traces?limit=-1&include_attributes=trace_tag&{sort}").json()
        return [trace["trace_tag"][0] for trace in found if trace["trace_tag"].endswith(run)]

    assert tags("sort=trace_tag") == ["a", "b", "c"]
    assert tags("sort=-trace_tag") == ["c", "b", "a"]
    assert tags("sort=id") == tags("sort_asc=True") == ["b", "a", "c"]
    assert tags("sort=-id") == tags("") == ["c", "a", "b"]


def test_webhook_event_names_its_request_and_hides_secrets(api: Api, rule: Rule) -> None:
    url = f"written/{uuid.uuid4().hex}"
    ref = rule(
        {"type": "core.st2.webhook", "parameters": {"url": url}},
        {"ref": "core.local", "parameters": {"cmd": "true", "sudo_password": "hush"}},
    )
    request_id = api("POST", f"/webhooks/{url}", {}).headers["X-Request-ID"]
    enforcement = api.wait_for(f"/ruleenforcements?rule_ref={ref}", lambda found: found and "execution_id" in found[0])[0]
    execution = api.result_of(enforcement["execution_id"])
    payload = execution["trigger_instance"]["payload"]
    assert payload["headers"]["X-Request-Id"] == payload["headers_lower"]["x-request-id"] == request_id
    assert execution["parameters"]["sudo_password"] == execution["rule"]["action"]["parameters"]["sudo_password"] == "********"
    shown = api("GET", f"/executions/{execution['id']}?show_secrets=true").json()
    assert shown["rule"]["action"]["parameters"]["sudo_password"] == "hush"


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("{{ action_context.nothing }}.", "."),
        ("{{ nothing }}.", "{{ nothing }}."),
        ("{{ nothing | default('d') }}.", "d."),
        ("{{ 1 / 0 }}", "{{ 1 / 0 }}"),
        ("{{ action_results.return_code }}", "0"),
    ],
)
def test_notification(api: Api, rule: Rule, message: str, sent: str) -> None:
    rule({"type": NOTIFIED}, {"ref": "core.noop"})
    body = {"action": "core.noop", "notify": {"on-complete": {"message": message, "routes": ["written"]}}}
    id = api("POST", "/executions", body).json()["id"]

    def mine(instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [instance["payload"] for instance in instances if instance["payload"].get("execution_id") == id]

    payload = mine(api.wait_for(f"/triggerinstances?trigger={NOTIFIED}", lambda found: bool(mine(found))))[0]
    execution = api.result_of(id)
    assert payload["message"] == sent
    for name in ("start_timestamp", "end_timestamp"):
        assert payload[name] == execution[name].replace("Z", "+00:00")


def test_register_a_directory_without_manifest(api: Api, platform: RunningPlatform) -> None:
    name = f"written_{uuid.uuid4().hex}"
    answer = api("POST", "/packs/register", {"packs": [name]})
    assert answer.status_code == 400 and "not found on disk" in answer.json()["faultstring"]
    directory = platform.data_dir / "packs" / name
    directory.mkdir()
    try:
        answer = api("POST", "/packs/register", {"packs": [name]})
    finally:
        directory.rmdir()
    assert answer.status_code == 400
    assert answer.json()["faultstring"] == f'Failed to register pack "{name}": Pack "{name}" is missing pack.yaml file'
