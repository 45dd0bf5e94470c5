"""The datastore over HTTP: secrets, expiry, and the rules that hear of changes."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from tests.integration.api.conftest import Api


@pytest.fixture
def name() -> str:
    return f"key_{uuid.uuid4().hex}"


def put(api: Api, name: str, **body: Any) -> Any:
    answer = api("PUT", f"/keys/{name}", {"name": name, "value": "v", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_secret_and_its_cipher_text(api: Api, name: str) -> None:
    kept = put(api, name, value="hush", secret=True)
    assert kept["encrypted"] and kept["value"] != "hush"
    assert api("GET", f"/keys/{name}?decrypt=true").json()["value"] == "hush"
    other = f"{name}_copy"
    assert put(api, other, value=kept["value"], encrypted=True)["secret"]
    assert api("GET", f"/keys/{other}?decrypt=true").json()["value"] == "hush"
    broken = "F" + kept["value"][1:] if kept["value"][0] != "F" else "0" + kept["value"][1:]
    assert api("PUT", f"/keys/{other}", {"name": other, "value": broken, "encrypted": True}).status_code == 400
    assert api("GET", f"/keys/{other}?decrypt=true").json()["value"] == "hush"
    for one in (name, other):
        assert api("DELETE", f"/keys/{one}").status_code == 204


def test_ttl(api: Api, name: str) -> None:
    assert put(api, name, ttl=1)["expire_timestamp"]
    time.sleep(1.2)
    assert api("GET", f"/keys/{name}").status_code == 404
    assert name not in [key["name"] for key in api("GET", f"/keys?prefix={name}").json()]
    assert "expire_timestamp" not in put(api, name)
    api("DELETE", f"/keys/{name}")


def test_scopes(api: Api, name: str) -> None:
    put(api, name, value="system")
    mine = put(api, name, value="mine", scope="user")
    assert (mine["name"], mine["scope"]) == (name, "st2kv.user") and mine["user"]
    assert [key["value"] for key in api("GET", f"/keys?prefix={name}&scope=all").json()] == ["system", "mine"]
    assert api("GET", f"/keys/{name}?scope=user").json()["value"] == "mine"
    for scope in ("system", "user"):
        assert api("DELETE", f"/keys/{name}?scope={scope}").status_code == 204


@pytest.mark.parametrize("event", ["create", "update", "value_change", "delete"])
def test_rules_hear_of_changes(api: Api, name: str, event: str) -> None:
    part = "new_object" if event == "value_change" else "object"
    rule = {
        "name": f"hears_{name}", "pack": "tests", "enabled": True, "trigger": {"type": f"core.st2.key_value_pair.{event}"},
        "criteria": {f"trigger.{part}.name": {"type": "eq", "pattern": name}}, "action": {"ref": "core.noop"},
    }  # fmt: skip
    made = api("POST", "/rules", rule).json()
    try:
        put(api, name, value="a")
        put(api, name, value="b")
        api("DELETE", f"/keys/{name}")
        found = api.wait_for(f"/ruleenforcements?rule_id={made['id']}", bool)
        assert [one["status"] for one in found] == ["succeeded"]
    finally:
        api("DELETE", f"/rules/tests.hears_{name}")
