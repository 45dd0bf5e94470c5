"""The operators' commands beside a running platform (operations.md sections 3 to 5, reactor.md 6.6 and 6.7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
import requests
from bson import ObjectId

from st2common.config import load_config
from tests.running import RunningPlatform, wait_until

OLD_US = 1_000_000_000_000_000
"""September 2001."""
LIMIT = "2002-01-01T00:00:00.000000Z"


def tool(module: str, *arguments: str, conf: Path | None = None, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal."""
    command = [sys.executable, "-c", f"import sys; from st2common.commands.{module.split(':')[0]} import {module.split(':')[1]} as run; run()"]
    if conf is not None:
        command += ["--config-file", str(conf)]
    surroundings = {**os.environ, **(environment or {})}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL, env=surroundings)


def ctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "st2common.ctl.main", *arguments], capture_output=True, text=True, check=False, timeout=90, stdin=subprocess.DEVNULL
    )


@pytest.fixture
def conf(platform: RunningPlatform) -> Path:
    return platform.data_dir / "st2.conf"


@pytest.fixture
def database(conf: Path) -> Iterator[Any]:
    options = load_config([str(conf)], environ={}).database
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(options.host, retryWrites=False)
    yield client[options.db_name]
    client.close()


def api(platform: RunningPlatform, method: str, path: str, **more: Any) -> Any:
    answer = requests.request(method, f"{platform.api_url}/v1/{path}", timeout=15, **more)
    assert answer.ok, answer.text
    return answer.json() if answer.content else None


# -- st2-rule-tester ---------------------------------------------------------------------------------------------------------

RULE = """
name: tested
pack: examples
enabled: false
trigger: {type: core.st2.webhook, parameters: {url: %s}}
criteria:
  trigger.body.n: {type: gt, pattern: 5}
action:
  ref: core.echo
  parameters: {message: "n is {{ trigger.body.n }}", key: "{{ st2kv.system.%s }}"}
"""
OFFLINE_RULE = RULE.replace("{{ st2kv.system.%s }}", "plain {{ 1 + 1 }}") % "tested"


def test_rule_tester__offline(tmp_path: Path) -> None:
    rule, event = tmp_path / "rule.yaml", tmp_path / "event.yaml"
    rule.write_text(OFFLINE_RULE)
    arguments = ["--rule", str(rule), "--trigger-instance", str(event), "--offline"]

    event.write_text("trigger: core.st2.webhook\npayload: {body: {n: 3}}\n")
    no = tool("rule_tester:main", *arguments)
    assert no.returncode == 1
    assert "Validating rule examples.tested for st2.webhook." in no.stdout
    block = "Validation for rule examples.tested failed on criteria -\n  key: trigger.body.n\n  pattern: 5\n  type: gt\n  payload: 3\n"
    assert block in no.stdout
    assert no.stdout.endswith("=== RULE DOES NOT MATCH ===\n")

    event.write_text("trigger: core.st2.webhook\npayload: {body: {n: 7}}\n")
    yes = tool("rule_tester:main", *arguments)
    assert yes.returncode == 0
    for line in ("1 rule(s) found to enforce for st2.webhook.", "Action parameters resolved to:", "\tmessage: n is 7\n", "\tkey: plain 2\n"):
        assert line in yes.stdout
    assert yes.stdout.endswith("=== RULE MATCHES ===\n")

    event.write_text("trigger: core.other\npayload: {body: {n: 7}}\n")
    assert tool("rule_tester:main", *arguments).returncode == 1


def test_rule_tester__parameters_that_do_not_render__are_no_match(tmp_path: Path) -> None:
    rule, event = tmp_path / "rule.yaml", tmp_path / "event.yaml"
    rule.write_text(OFFLINE_RULE.replace("trigger.body.n }}", "trigger.body.nothing }}"))
    event.write_text("trigger: core.st2.webhook\npayload: {body: {n: 7}}\n")
    done = tool("rule_tester:main", "--rule", str(rule), "--trigger-instance", str(event), "--offline")
    assert done.returncode == 1
    assert "Failed to resolve parameters" in done.stdout and "nothing" in done.stdout
    assert done.stdout.endswith("=== RULE DOES NOT MATCH ===\n")


def test_rule_tester__wrong_use__is_2(tmp_path: Path) -> None:
    done = tool("rule_tester:main", "--rule-ref", "examples.x", "--trigger-instance-id", "0" * 24, "--offline")
    assert done.returncode == 2 and "CRITICAL" in done.stdout
    assert tool("rule_tester:main", "--rule-ref", "examples.x").returncode == 2
    rule, event = tmp_path / "rule.yaml", tmp_path / "event.yaml"
    rule.write_text("name: x\ntrigger: [\n")
    event.write_text("trigger: core.x\n")
    broken = tool("rule_tester:main", "--rule", str(rule), "--trigger-instance", str(event), "--offline")
    assert broken.returncode == 2 and "rule.yaml" in broken.stderr and "Traceback" not in broken.stderr


def test_rule_tester__stored_rule_and_event(platform: RunningPlatform, conf: Path, tmp_path: Path) -> None:
    url = f"tested-{uuid.uuid4().hex[:8]}"
    api(platform, "PUT", f"keys/{url.replace('-', '_')}", json={"name": url.replace("-", "_"), "value": "from the datastore"})
    import yaml

    rule = api(platform, "POST", "rules", json={**yaml.safe_load(RULE % (url, url.replace("-", "_"))), "name": url})
    try:
        api(platform, "POST", f"webhooks/{url}", json={"n": 9})
        ref = rule["trigger"]["ref"]
        event = wait_until(lambda: api(platform, "GET", f"triggerinstances?trigger={ref}"), 10, "the event is stored")[0]
        done = tool("rule_tester:main", "--rule-ref", rule["ref"], "--trigger-instance-id", event["id"], conf=conf)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "\tmessage: n is 9\n" in done.stdout and "\tkey: from the datastore\n" in done.stdout
        written = tmp_path / "rule.yaml"
        written.write_text((RULE % (url, "nothing")).replace("pattern: 5", "pattern: 50"))
        done = tool("rule_tester:main", "--rule", str(written), "--trigger-instance-id", event["id"], conf=conf)
        assert done.returncode == 1 and "payload: 9" in done.stdout
        unknown = tool("rule_tester:main", "--rule-ref", "examples.nosuch", "--trigger-instance-id", event["id"], conf=conf)
        assert unknown.returncode == 2 and 'There is no rule "examples.nosuch"' in unknown.stderr
    finally:
        api(platform, "DELETE", f"rules/{rule['id']}")


# -- st2-trigger-refire ------------------------------------------------------------------------------------------------------


def test_trigger_refire__sends_the_same_payload(platform: RunningPlatform, conf: Path) -> None:
    url = f"refired-{uuid.uuid4().hex[:8]}"
    rule = api(platform, "POST", "rules", json={
        "name": url, "pack": "examples", "enabled": False, "trigger": {"type": "core.st2.webhook", "parameters": {"url": url}},
        "criteria": {}, "action": {"ref": "core.noop"},
    })  # fmt: skip
    try:
        api(platform, "POST", f"webhooks/{url}", json={"n": 1})
        path = f"triggerinstances?trigger={rule['trigger']['ref']}"
        first = wait_until(lambda: api(platform, "GET", path), 10, "the event is stored")[0]
        done = tool("trigger_refire:main", "-t", first["id"], conf=conf)
        assert (done.returncode, done.stdout) == (0, "'Trigger re-fired'\n"), done.stderr
        both = wait_until(lambda: (rows := api(platform, "GET", path)) and len(rows) == 2 and rows, 10, "the event is there again")
        assert both[0]["payload"] == both[1]["payload"]
    finally:
        api(platform, "DELETE", f"rules/{rule['id']}")
    unknown = tool("trigger_refire:main", "-t", "0" * 24, conf=conf)
    assert unknown.returncode == 1 and "There is no trigger instance" in unknown.stderr


# -- st2-purge-* -------------------------------------------------------------------------------------------------------------


def old(**more: Any) -> dict[str, Any]:
    return {"_id": ObjectId(), **more}


def left(collection: Any, *documents: dict[str, Any]) -> list[bool]:
    return [collection.find_one({"_id": document["_id"]}) is not None for document in documents]


def test_purge_executions(conf: Path, database: Any) -> None:
    moments = {"start_us": OLD_US, "end_us": OLD_US, "links": [], "action_ref": "core.noop"}
    ended, other = old(status="succeeded", **moments), old(status="failed", **{**moments, "action_ref": "core.local"})
    abandoned, running = old(status="abandoned", **moments), old(status="requested", start_us=OLD_US, links=[], action_ref="core.noop")
    late = old(status="succeeded", **{**moments, "end_us": OLD_US * 2})
    everything = (ended, other, abandoned, running, late)
    output = old(execution_id=str(ended["_id"]), sequence=0, moment=OLD_US * 2)
    database.executions.insert_many(everything)
    database.execution_output.insert_one(output)
    try:
        done = tool("purge:executions", "--timestamp", LIMIT, "--action-ref", "core.noop", conf=conf)
        assert (done.returncode, done.stdout) == (0, "Deleted 1 executions.\n"), done.stderr
        assert left(database.executions, *everything) == [False, True, True, True, True]
        assert left(database.execution_output, output) == [False]
        assert tool("purge:executions", "--timestamp", LIMIT, conf=conf).stdout == "Deleted 1 executions.\n"
        done = tool("purge:executions", "--timestamp", LIMIT, "--purge-incomplete", conf=conf)
        assert left(database.executions, *everything) == [False] * 5, done.stdout
    finally:
        database.executions.delete_many({"_id": {"$in": [document["_id"] for document in everything]}})


@pytest.mark.parametrize(
    ("name", "collection", "field", "more"),
    [
        ("trigger_instances", "trigger_instances", "occurrence_time", {"trigger": "core.old", "status": "processed"}),
        ("rule_enforcements", "rule_enforcements", "enforced_at", {"trigger_instance_id": "x", "status": "succeeded"}),
        ("tokens", "tokens", "expiry", {"user": "x"}),
        ("workflows", "workflow_executions", "updated_us", {"status": "succeeded", "execution_id": "x"}),
    ],
)
def test_purge__what_is_older(conf: Path, database: Any, name: str, collection: str, field: str, more: dict[str, Any]) -> None:
    unique = {"token_hash": uuid.uuid4().hex} if name == "tokens" else {}
    gone, stays = old(**{field: OLD_US}, **more, **unique), old(**{field: OLD_US * 3}, **more)
    database[collection].insert_many([gone, stays])
    try:
        done = tool(f"purge:{name}", "--timestamp", LIMIT, conf=conf)
        assert (done.returncode, done.stdout) == (0, f"Deleted 1 {'workflow executions' if name == 'workflows' else name.replace('_', ' ')}.\n")
        assert left(database[collection], gone, stays) == [False, True]
    finally:
        database[collection].delete_one({"_id": stays["_id"]})


def test_purge_workflows__running_ones_only_when_asked(conf: Path, database: Any) -> None:
    running = old(updated_us=OLD_US, status="running", execution_id="x")
    part = {"_id": uuid.uuid4().hex, "workflow": str(running["_id"])}
    database.workflow_executions.insert_one(running)
    database.workflow_parts.insert_one(part)
    tool("purge:workflows", "--timestamp", LIMIT, conf=conf)
    assert left(database.workflow_executions, running) == [True]
    tool("purge:workflows", "--timestamp", LIMIT, "--purge-incomplete", conf=conf)
    assert left(database.workflow_executions, running) == [False]
    assert left(database.workflow_parts, part) == [False]


def test_purge__without_a_moment__is_an_error(conf: Path) -> None:
    missing = tool("purge:trigger_instances", conf=conf)
    assert missing.returncode == 1 and "supply a timestamp" in missing.stderr
    wrong = tool("purge:trigger_instances", "--timestamp", "yesterday", conf=conf)
    assert wrong.returncode == 1 and '"yesterday" is not a moment' in wrong.stderr


# -- st2-cleanup-db ----------------------------------------------------------------------------------------------------------


def test_cleanup_db__asks__and_drops(conf: Path, database: Any) -> None:
    name = f"st2_{uuid.uuid4().hex[:8]}"
    other = database.client[name]
    other.things.insert_one({"a": 1})
    environment = {"ST2_DATABASE__DB_NAME": name}
    refused = tool("cleanup_db:main", conf=conf, environment=environment)
    assert refused.returncode == 1 and "--yes" in refused.stderr
    assert other.things.count_documents({}) == 1
    done = tool("cleanup_db:main", "--yes", conf=conf, environment=environment)
    assert (done.returncode, done.stdout) == (0, f'Database "{name}" dropped.\n')
    assert name not in database.client.list_database_names()


# -- st2ctl ------------------------------------------------------------------------------------------------------------------


def test_st2ctl__what_is_not_understood__is_usage_and_1() -> None:
    for arguments in (["nonsense"], ["restart-component", "st2nothing"], ["reopen-log-files", "st2nothing"], ["status", "--nonsense"]):
        done = ctl(*arguments)
        assert done.returncode == 1 and "Usage: st2ctl" in done.stderr, arguments


def test_st2ctl_status__production__every_component(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPONENTS", raising=False)
    monkeypatch.setenv("COMPONENTS", "st2nothing st2none")
    done = ctl("status")
    assert (done.returncode, done.stdout) == (
        1,
        "##### st2 components status #####\nst2nothing is not running.\nst2none is not running.\n",
    )
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    done = ctl("status")
    assert done.returncode == 1 and "Kubernetes" in done.stderr


def test_st2ctl_reload__shows_flags_counts_and_status(platform: RunningPlatform) -> None:
    done = ctl("reload", "--data", str(platform.data_dir))
    assert done.returncode == 0, done.stderr
    flags = " ".join(f"--register-{kind}" for kind in ("runners", "actions", "aliases", "sensors", "triggers", "configs", "rules"))
    assert f"[flags = {flags}]" in done.stdout
    assert "Registered " in done.stdout and "##### st2 components status #####\n" in done.stdout
    assert "policies" not in done.stdout
    done = ctl("reload", "--data", str(platform.data_dir), "--register-policies", "--register-recreate-virtualenvs")
    assert done.returncode == 0, done.stderr
    assert "--register-policies --register-recreate-virtualenvs" in done.stdout


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform to do violence to."""
    with RunningPlatform(tmp_path_factory.mktemp("tools") / "data", auth=False) as running:
        yield running


def test_st2ctl_reopen_log_files__after_a_rotation__writes_a_new_file(own: RunningPlatform) -> None:
    audit = own.data_dir / "logs" / "audit.log"
    wait_until(lambda: api(own, "POST", "executions", json={"action": "core.noop"}) and audit.exists(), 10, "there are audit records")
    services = ("st2api", "st2auth", "st2stream", "st2actionrunner", "st2engines")
    before = {row["service"]: row["pid"] for row in own.status()}
    audit.rename(audit.with_suffix(".log.1"))
    done = ctl("reopen-log-files", "st2rulesengine", "--data", str(own.data_dir))  # one of those that st2engines hosts
    assert done.returncode == 0, done.stderr
    for service in services:
        os.kill(before[service], signal.SIGUSR1)
    wait_until(lambda: api(own, "POST", "executions", json={"action": "core.noop"}) and audit.exists(), 10, "a new audit file is written")
    after = {row["service"]: row["pid"] for row in own.status()}
    assert [after[name] for name in services] == [before[name] for name in services]


def test_st2ctl_clean__begins_anew(own: RunningPlatform) -> None:
    api(own, "POST", "executions", json={"action": "core.noop"})
    api(own, "PUT", "keys/kept", json={"name": "kept", "value": "no"})
    refused = ctl("clean", "--data", str(own.data_dir))
    assert refused.returncode == 1 and "--yes" in refused.stderr
    done = ctl("clean", "--yes", "--data", str(own.data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dropped" in done.stdout
    wait_until(lambda: api(own, "GET", "actions/core.noop"), 30, "the API answers again")
    assert api(own, "GET", "executions") == [] and api(own, "GET", "keys") == []
    execution = api(own, "POST", "executions", json={"action": "core.noop"})
    wait_until(lambda: api(own, "GET", f"executions/{execution['id']}")["status"] == "succeeded", 20, "it runs again")
