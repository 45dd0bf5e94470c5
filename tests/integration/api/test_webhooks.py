"""Webhooks beyond upstream: signatures and each delivery once; and that a bad request leaves nothing behind."""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.integration.api.conftest import Api

KEY = "a shared key"


@pytest.fixture
def hook(api: Api) -> Iterator[Any]:
    """Makes a rule on a webhook of its own; gives the hook's url and its trigger."""
    made: list[str] = []

    def make(enabled: bool = False, **parameters: Any) -> tuple[str, str]:
        url = f"tests/{uuid.uuid4().hex}"
        name = f"hook_{uuid.uuid4().hex}"
        body = {"name": name, "pack": "tests", "enabled": enabled, "trigger": {"type": "core.st2.webhook", "parameters": {"url": url, **parameters}},
                "action": {"ref": "core.noop"}}  # fmt: skip
        answer = api("POST", "/rules", body)
        assert answer.status_code == 201, answer.text
        made.append(name)
        return url, answer.json()["trigger"]["ref"]

    yield make
    for name in made:
        api("DELETE", f"/rules/tests.{name}")


def events(api: Api, trigger: str) -> int:
    """Number of events of a trigger."""
    return int(api("GET", f"/triggerinstances?trigger={trigger}&limit=1").headers["X-Total-Count"])


def post(api: Api, url: str, body: Any, **headers: str) -> int:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return api("POST", f"/webhooks/{url}", data=data, headers={"Content-Type": "application/json", **headers}).status_code


def signature(body: bytes, key: str = KEY) -> str:
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
def shared_key(api: Api) -> Iterator[str]:
    name = f"hook_key_{uuid.uuid4().hex}"
    assert api("PUT", f"/keys/{name}", {"name": name, "value": KEY, "secret": True}).status_code == 200
    yield name
    api("DELETE", f"/keys/{name}")


def test_signed_requests_only(api: Api, hook: Any, shared_key: str) -> None:
    url, trigger = hook(signature={"header": "X-Hub-Signature-256", "prefix": "sha256=", "key": shared_key})
    body = b'{"action":  "opened"}'
    assert post(api, url, body) == 401
    assert post(api, url, body, **{"X-Hub-Signature-256": signature(body, "another key")}) == 401
    assert post(api, url, body, **{"X-Hub-Signature-256": signature(body)[len("sha256=") :]}) == 401
    assert post(api, url, body + b" ", **{"X-Hub-Signature-256": signature(body)}) == 401
    assert events(api, trigger) == 0
    assert post(api, url, body, **{"X-Hub-Signature-256": signature(body)}) == 202
    assert events(api, trigger) == 1


def test_signature_without_its_key_refuses(api: Api, hook: Any) -> None:
    url, trigger = hook(signature={"header": "X-Signature", "key": "no_such_key"})
    assert post(api, url, {}, **{"X-Signature": hmac.new(b"", b"{}", hashlib.sha256).hexdigest()}) == 401
    assert events(api, trigger) == 0


def test_each_delivery_once(api: Api, hook: Any) -> None:
    url, trigger = hook(deduplicate={"header": "X-GitHub-Delivery"})
    assert [post(api, url, {"n": n}, **{"X-GitHub-Delivery": "d1"}) for n in range(3)] == [202, 202, 202]
    assert events(api, trigger) == 1
    assert post(api, url, {}, **{"X-GitHub-Delivery": "d2"}) == 202
    assert post(api, url, {}) == 202, "a request that names no delivery is taken"
    assert post(api, url, {}) == 202
    assert events(api, trigger) == 4


def test_delivery_named_by_an_expression_for_a_time(api: Api, hook: Any) -> None:
    url, trigger = hook(deduplicate={"expression": "{{ trigger.body.id }}-{{ trigger.headers_lower['x-kind'] }}", "window_s": 1})
    assert [post(api, url, {"id": 7}, **{"X-Kind": kind}) for kind in ("a", "a", "b")] == [202] * 3
    assert events(api, trigger) == 2
    assert post(api, url, {"other": 1}, **{"X-Kind": "a"}) == 400, "the expression fails: the sender is told"
    time.sleep(1.2)
    assert post(api, url, {"id": 7}, **{"X-Kind": "a"}) == 202
    assert events(api, trigger) == 3


def test_bad_declarations_are_refused(api: Api) -> None:
    for parameters in (
        {"deduplicate": {}},
        {"signature": {"header": "X"}},
        {"signature": {"header": "X", "key": "k", "algorithm": "md5"}},
        {"zzz": 1},
    ):
        trigger = {"type": "core.st2.webhook", "parameters": {"url": "tests/bad", **parameters}}
        answer = api("POST", "/rules", {"name": "bad", "pack": "tests", "trigger": trigger, "action": {"ref": "core.noop"}})
        assert answer.status_code == 400, (parameters, answer.text)


def test_bad_requests_leave_nothing(api: Api, hook: Any) -> None:
    url, trigger = hook()
    for body in (b"{", b"1", b'"x"', b"null", b"\xff", b"[" * 5000):
        assert post(api, url, body) == 400
    assert post(api, url, b"<a/>", **{"Content-Type": "text/xml"}) == 400
    assert events(api, trigger) == 0


def test_without_declarations_everything_is_taken(api: Api, hook: Any) -> None:
    url, trigger = hook()
    headers = {"X-GitHub-Delivery": "d", "St2-Trace-Tag": f"tag-{uuid.uuid4().hex}", "X-Auth-Token": "secret", "Cookie": "a=b"}
    assert [post(api, f"/{url}/", {"n": 1}, **headers) for _ in range(2)] == [202, 202]
    assert events(api, trigger) == 2
    instance = api("GET", f"/triggerinstances?trigger={trigger}&limit=1").json()[0]
    assert {"x-auth-token", "cookie", "st2-api-key", "st2-trace-tag"}.isdisjoint(instance["payload"]["headers_lower"])
    assert len(api("GET", "/traces", params={"trace_tag": headers["St2-Trace-Tag"]}).json()) == 2


def test_a_rule_on_the_hook_runs(api: Api, hook: Any) -> None:
    url, trigger = hook(enabled=True)
    assert post(api, url, {"n": 1}) == 202
    found = api.wait_for(f"/ruleenforcements?limit=5&trigger_instance={_instance(api, trigger)}", lambda answer: len(answer) == 1)
    assert api.result_of(found[0]["execution_id"])["status"] == "succeeded"


def _instance(api: Api, trigger: str) -> str:
    return str(api.wait_for(f"/triggerinstances?trigger={trigger}", bool)[0]["id"])
