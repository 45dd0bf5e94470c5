"""StackStorm's own client, st2client 3.9.0 from PyPI in a virtualenv of its own, drives this platform unchanged.

The virtualenv is kept in the user's cache directory, so only the first run downloads anything.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running import RunningPlatform, wait_until

VERSION = "3.9.0"

Run = Callable[..., Any]


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "st2-platform-tests" / f"st2client-{VERSION}-py{sys.version_info.major}{sys.version_info.minor}"


def _install(target: Path) -> None:
    """Make the virtualenv beside its place and move it there when it is whole; console scripts are not used, so it may move."""
    scratch = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}")
    scratch.parent.mkdir(parents=True, exist_ok=True)
    for command in ([sys.executable, "-m", "venv", scratch], [scratch / "bin" / "python", "-m", "pip", "install", "-q", f"st2client=={VERSION}"]):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=280)
        if done.returncode:
            shutil.rmtree(scratch, ignore_errors=True)
            pytest.skip(f"st2client {VERSION} cannot be installed: {done.stderr.strip()[-300:]}")
    try:
        scratch.rename(target)
    except OSError:  # another run was quicker
        shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(scope="module")
def python_of_client() -> Path:
    """The interpreter of a virtualenv that has the real client."""
    target = _cache()
    if not (target / "bin" / "python").exists():
        _install(target)
    return target / "bin" / "python"


@pytest.fixture(scope="module")
def home(secured_platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory whose client configuration names the platform."""
    path = tmp_path_factory.mktemp("home")
    (path / ".st2").mkdir()
    lines = [
        "[general]", f"base_url = {secured_platform.api_url}", "silence_ssl_warnings = True",
        "[auth]", f"url = {secured_platform.auth_url}/v1",
        "[api]", f"url = {secured_platform.api_url}/v1",
        "[stream]", f"url = {secured_platform.stream_url}/v1",
    ]  # fmt: skip
    (path / ".st2" / "config").write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def st2(python_of_client: Path, home: Path, secured_platform: RunningPlatform) -> Iterator[Run]:
    """``st2("action", "list")`` runs a command, logged in, and gives its output; with ``as_json`` the parsed JSON."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ST2_") and key != "PYTHONPATH"}
    environment.update(HOME=str(home), LANG="C.UTF-8", LC_ALL="C.UTF-8", COLUMNS="200")

    def run(*arguments: str, as_json: bool = False, code: int = 0) -> Any:
        command = [str(python_of_client), "-P", "-c", "import sys; from st2client.shell import main; sys.exit(main())", *arguments]
        done = subprocess.run([*command, *(["-j"] if as_json else [])], env=environment, capture_output=True, text=True, check=False, timeout=90)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if as_json else done.stdout

    login = run("login", secured_platform.user, "--password", secured_platform.password, "--write-password")
    assert "Logged in as" in login
    yield run


def test_login__writes_the_token__whoami_and_auth(st2: Run, secured_platform: RunningPlatform, home: Path) -> None:
    assert secured_platform.user in (home / ".st2" / "config").read_text()
    assert secured_platform.user in st2("whoami")
    token = st2("auth", secured_platform.user, "-p", secured_platform.password, "-l", "600", as_json=True)
    assert token["user"] == secured_platform.user and len(token["token"]) == 32
    assert st2("auth", secured_platform.user, "-p", secured_platform.password, "--only-token").strip()


def test_login__wrong_password(st2: Run, secured_platform: RunningPlatform) -> None:
    answer = st2("auth", "nobody", "-p", "wrong", code=1)
    assert "401" in answer


def test_run__waits_for_the_result(st2: Run) -> None:
    shown = st2("run", "core.local", "cmd=echo hello from the real client")
    assert "succeeded" in shown and "hello from the real client" in shown
    done = st2("run", "core.local", "cmd=echo json", as_json=True)
    assert done["status"] == "succeeded" and done["result"]["stdout"] == "json"
    refused = st2("run", "core.nosuch", code=1)
    assert "core.nosuch" in refused


def test_execution__list_get_re_run_and_cancel(st2: Run) -> None:
    started = {"id": _started(st2("run", "-a", "core.local", "cmd=sleep 60", "timeout=70"))}
    listed = st2("execution", "list", "-n", "5", "--action", "core.local", as_json=True)
    assert started["id"] in {row["id"] for row in listed}
    assert st2("execution", "get", started["id"], as_json=True)["id"] == started["id"]
    st2("execution", "cancel", started["id"])
    wait_until(lambda: st2("execution", "get", started["id"], as_json=True)["status"] == "canceled", 20, "the execution is cancelled")
    first = st2("run", "core.local", "cmd=echo again", as_json=True)
    again = st2("execution", "re-run", first["id"])
    assert "succeeded" in again and "again" in again


def test_execution__tail_follows_the_output(st2: Run, secured_platform: RunningPlatform, tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = f"while [ ! -e {go} ]; do sleep 0.1; done; for i in 1 2 3; do echo line $i; sleep 0.3; done"
    started = _started(st2("run", "-a", "core.local", f"cmd={command}"))
    with ThreadPoolExecutor(1) as pool:
        tail = pool.submit(st2, "execution", "tail", started)
        metrics = f"{secured_platform.stream_url}/metrics"
        wait_until(lambda: "st2_stream_connections 1" in requests.get(metrics, timeout=5).text, 30, "the client listens")
        go.touch()
        tailed = tail.result(60)
    assert [f"line {number}" in tailed for number in (1, 2, 3)] == [True] * 3
    assert "completed" in tailed


def test_action_and_pack__lists(st2: Run) -> None:
    actions = st2("action", "list", "--pack", "core", as_json=True)
    assert "core.local" in {row["ref"] for row in actions}
    assert st2("action", "get", "core.local", as_json=True)["runner_type"] == "local-shell-cmd"
    assert "cmd" in st2("run", "core.local", "-h")
    packs = st2("pack", "list", as_json=True)
    assert {"core", "linux"} <= {row["ref"] for row in packs}
    assert st2("pack", "get", "core", as_json=True)["name"] == "core"


def test_key__set_get_list_delete(st2: Run) -> None:
    name = f"real.{uuid.uuid4().hex[:8]}"
    assert st2("key", "set", name, "value one", as_json=True)["value"] == "value one"
    assert st2("key", "get", name, as_json=True)["value"] == "value one"
    assert name in {row["name"] for row in st2("key", "list", "-n", "-1", as_json=True)}
    secret = st2("key", "set", f"{name}.secret", "hush", "--encrypt", as_json=True)
    assert secret["value"] != "hush"
    assert st2("key", "get", f"{name}.secret", "--decrypt", as_json=True)["value"] == "hush"
    for each in (name, f"{name}.secret"):
        st2("key", "delete", each)
    assert "is not found" in st2("key", "get", name, code=1)


def test_rule_and_webhook__from_post_to_execution(st2: Run, secured_platform: RunningPlatform, tmp_path: Path) -> None:
    hook = f"real_{uuid.uuid4().hex[:8]}"
    rule = {
        "name": hook, "pack": "default", "description": "posted by a test", "enabled": True,
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": hook}},
        "criteria": {"trigger.body.level": {"type": "eq", "pattern": "red"}},
        "action": {"ref": "core.local", "parameters": {"cmd": "echo {{ trigger.body.text }}"}},
    }  # fmt: skip
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(rule))
    made = st2("rule", "create", str(path), as_json=True)
    assert made["ref"] == f"default.{hook}"
    assert f"default.{hook}" in {row["ref"] for row in st2("rule", "list", "--pack", "default", as_json=True)}
    assert hook in st2("webhook", "list")
    key = st2("apikey", "create", as_json=True)
    for level in ("green", "red"):
        alert = {"level": level, "text": f"alert {level}"}
        answer = requests.post(f"{secured_platform.api_url}/v1/webhooks/{hook}", json=alert, headers={"St2-Api-Key": key["key"]}, timeout=10)
        assert answer.status_code == 202
    rows = wait_until(lambda: st2("rule-enforcement", "list", "--rule", f"default.{hook}", as_json=True), 20, "the rule has fired")
    assert len(rows) == 1
    execution = wait_until(lambda: _finished(st2, rows[0]["execution_id"]), 20, "the action has ended")
    assert execution["result"]["stdout"] == "alert red" and execution["status"] == "succeeded"
    assert f"default.{hook}" in st2("rule", "get", f"default.{hook}")
    assert st2("rule", "disable", f"default.{hook}", as_json=True)["enabled"] is False
    instances = st2("trigger-instance", "list", "-n", "20", as_json=True)
    assert len(instances) >= 2
    st2("rule", "delete", f"default.{hook}")
    st2("apikey", "delete", key["id"])


def test_lists_of_the_rest(st2: Run) -> None:
    for command in ("trigger", "sensor", "runner", "policy-type", "action-alias", "apikey", "trace", "timer", "policy"):
        assert "ERROR" not in st2(command, "list")


def _started(text: str) -> str:
    """The execution's id in what ``st2 run -a`` prints."""
    found = re.search(r"st2 execution get ([0-9a-f]{24})", text)
    assert found, text
    return found[1]


def _finished(st2: Run, id: str) -> Any:
    found = st2("execution", "get", id, as_json=True)
    return found if found["status"] in ("succeeded", "failed") else None
