"""``st2ctl up`` and its companions, as a user runs them: real processes, a data folder each."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from st2common.config import load_config
from st2common.config.sample import EMBEDDED
from st2common.ctl.layout import Layout
from st2common.ctl.supervision import Supervisor
from tests.running import RunningPlatform, wait_until

CTL = [sys.executable, "-m", "st2common.ctl.main"]

A_RULE = {
    "name": "kept", "pack": "examples", "enabled": True, "criteria": {}, "trigger": {"type": "core.st2.webhook", "parameters": {"url": "kept"}},
    "action": {"ref": "core.echo", "parameters": {"message": "{{ trigger.body.x }}"}},
}  # fmt: skip


def ctl(*arguments: str, timeout_s: float = 60, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``st2ctl`` to its end."""
    return subprocess.run(
        [*CTL, *arguments], capture_output=True, text=True, check=False, timeout=timeout_s, env={**os.environ, **(environment or {})}
    )


def st2(running: RunningPlatform, *arguments: str, home: Path) -> Any:
    """Run ``st2 ... -j`` with the configuration that the platform wrote."""
    environment = {**os.environ, **running.cli_environment, "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "st2client.main", *arguments, "-j"], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def _lives(process: psutil.Process) -> bool:
    """Whether it still runs; one that ended and was left by its parent stays in the table until init fetches it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_on(data: Path) -> list[str]:
    """Command lines of processes that have to do with the data folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "pid"]):
        words = process.info["cmdline"] or []
        if process.info["pid"] != os.getpid() and any(str(data) in word for word in words):
            found.append(" ".join(words)[:150])
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform with authentication, for everything that leaves it as it is."""
    with RunningPlatform(tmp_path_factory.mktemp("ctl") / "data", auth=True) as platform:
        yield platform


# -- a platform that runs ----------------------------------------------------------------------------------------------------


def test_up__says_ready_with_urls_and_folder__and_how_to_use_it(running: RunningPlatform) -> None:
    lines = running.log.read_text().splitlines()
    ready = [line for line in lines if line.startswith("ready ")]
    assert ready == [f"ready api={running.api_url} auth={running.auth_url} stream={running.stream_url} data={running.data_dir}"]
    assert any("st2admin" in line and running.password in line for line in lines)
    assert any(f"ST2_CONFIG_FILE={running.data_dir}/cli.conf" in line for line in lines)
    for name in ("db", "bus", "packs/core", "packs/examples", "configs", "virtualenvs", "logs"):
        assert (running.data_dir / name).is_dir(), name


def test_up__secrets_are_for_the_owner_only(running: RunningPlatform) -> None:
    for name in ("st2.conf", "cli.conf", "htpasswd", "keys/datastore_key.json", "bus/valkey.conf"):
        assert (running.data_dir / name).stat().st_mode & 0o077 == 0, name
    assert running.password not in (running.data_dir / "htpasswd").read_text()
    broker_password = load_config([str(running.data_dir / "st2.conf")], environ={}).messaging.url.split("@")[0].rsplit(":", 1)[1]
    for secret in (running.password, broker_password):
        for process in psutil.process_iter(["cmdline"]):
            assert secret not in " ".join(process.info["cmdline"] or [])
        for log in (running.data_dir / "logs").iterdir():
            assert secret not in log.read_text(errors="replace"), log


def test_up__writes_what_the_sample_says(running: RunningPlatform) -> None:
    import configparser

    parser = configparser.RawConfigParser()
    parser.read(running.data_dir / "st2.conf")
    assert {(section, name) for section in parser.sections() for name, _ in parser.items(section)} == set(EMBEDDED)


def test_up__credentials_are_needed_and_work(running: RunningPlatform, tmp_path: Path) -> None:
    assert requests.get(f"{running.api_url}/v1/actions", timeout=10).status_code == 401
    assert requests.post(f"{running.auth_url}/tokens", auth=("st2admin", "wrong"), json={}, timeout=10).status_code == 401
    execution = st2(running, "run", "core.echo", "message=hello", home=tmp_path)
    assert (execution["status"], execution["result"]["stdout"]) == ("succeeded", "hello")


def test_up__a_new_user_in_htpasswd__may_log_in_at_once(running: RunningPlatform) -> None:
    users = running.data_dir / "htpasswd"
    with users.open("a") as file:
        file.write("ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")  # "secret"
    url = f"{running.auth_url}/tokens"
    wait_until(lambda: requests.post(url, auth=("ada", "secret"), json={}, timeout=10).status_code == 201, 10, "ada may log in")


def test_status__lists_every_process(running: RunningPlatform) -> None:
    rows = running.status()
    assert {"supervisord", "db", "bus", "st2api", "st2auth", "st2stream", "st2actionrunner", "st2engines"} <= {row["service"] for row in rows}
    assert all(psutil.pid_exists(row["pid"]) for row in rows if ":" not in row["service"])
    hosted = next(row["hosts"] for row in rows if row["service"] == "st2engines")
    assert "st2rulesengine" in hosted and "st2scheduler" in hosted
    shown = ctl("status", "--data", str(running.data_dir))
    assert shown.returncode == 0
    assert shown.stdout.startswith("##### st2 components status #####\n")
    assert "st2api PID: " in shown.stdout


def test_up__data_folder_in_use__is_refused(running: RunningPlatform) -> None:
    done = ctl("up", "--data", str(running.data_dir), "--port-base", str(RunningPlatform._free_base()))
    assert done.returncode == 1
    assert f'the data folder "{running.data_dir}" is in use' in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert requests.get(f"{running.api_url}/healthz", timeout=10).status_code == 200


def test_service__started_beside_the_others(running: RunningPlatform) -> None:
    port = RunningPlatform._free_base()
    environment = {**os.environ, "ST2_API__PORT": str(port), "ST2_AUTH__ENABLE": "false"}
    process = subprocess.Popen(
        [sys.executable, "-m", "st2api.main", "--config-file", str(running.data_dir / "st2.conf")],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer = wait_until(lambda: requests.get(f"http://127.0.0.1:{port}/v1/actions/core.noop", timeout=5), 30, "the second API answers")
        assert answer.status_code == 200
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_reload__content_added_broken_and_removed(running: RunningPlatform, tmp_path: Path) -> None:
    pack = running.data_dir / "packs" / "mine"
    (pack / "actions").mkdir(parents=True)
    (pack / "pack.yaml").write_text("name: mine\ndescription: x\nversion: 1.0.0\nauthor: me\nemail: me@example.com\n")
    for name in ("one", "two"):
        (pack / "actions" / f"{name}.yaml").write_text(f"name: {name}\nrunner_type: noop\nenabled: true\n")
    done = ctl("reload", "--data", str(running.data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Registered " in done.stdout and " actions." in done.stdout
    assert st2(running, "run", "mine.one", home=tmp_path)["status"] == "succeeded"

    (pack / "actions" / "one.yaml").unlink()
    (pack / "actions" / "bad.yaml").write_text("name: bad\nrunner_type: [\n")
    done = ctl("reload", "--data", str(running.data_dir), "--register-actions")
    assert done.returncode == 1
    assert "bad.yaml" in done.stderr and "Traceback" not in done.stderr
    done = ctl("reload", "--data", str(running.data_dir), "--register-actions", "--register-no-fail-on-failure")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bad.yaml" in done.stderr
    token = {"X-Auth-Token": running.token()}
    assert requests.get(f"{running.api_url}/v1/actions/mine.one", headers=token, timeout=10).status_code == 404
    assert requests.get(f"{running.api_url}/v1/actions/mine.two", headers=token, timeout=10).status_code == 200


def test_killed_service__comes_back(running: RunningPlatform) -> None:
    (before,) = running.pids("st2auth")
    os.kill(before, signal.SIGKILL)
    after = wait_until(lambda: [pid for pid in running.pids("st2auth") if pid != before], 20, "st2auth is started again")
    wait_until(lambda: requests.get(f"{running.auth_url}/healthz", timeout=3).status_code == 200, 20, "st2auth answers")
    assert after != [before]


def test_restart_component__by_the_name_of_a_hosted_service(running: RunningPlatform) -> None:
    before = running.pids("st2engines")
    done = ctl("restart-component", "st2scheduler", "--data", str(running.data_dir))
    assert done.returncode == 0, done.stderr
    assert running.pids("st2engines") not in (before, [])
    wrong = ctl("restart-component", "st2nothing", "--data", str(running.data_dir))
    assert wrong.returncode == 1 and "st2nothing" in wrong.stderr


# -- starts that cannot work -------------------------------------------------------------------------------------------------


def test_up__port_in_use__says_which(tmp_path: Path) -> None:
    base = RunningPlatform._free_base()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", base + 1))
        other.listen()
        done = ctl("up", "--data", str(tmp_path / "data"), "--port-base", str(base))
    assert done.returncode == 1
    assert f"port {base + 1} (API) on 127.0.0.1 is in use; choose others with --port-base" in done.stdout + done.stderr
    assert processes_on(tmp_path / "data") == []


def test_up__missing_server_binary__says_how_to_get_it(tmp_path: Path) -> None:
    # A Python without the package that ships SecantusDB: the same interpreter, started under another name.
    link = tmp_path / "bin" / "python"
    link.parent.mkdir()
    link.symlink_to(sys.executable)
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [str(link), *CTL[1:], "up", "--data", str(tmp_path / "data"), "--port-base", str(RunningPlatform._free_base())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 1
    assert "SecantusDB is not installed: pip install" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_up__folder_that_cannot_be_made__is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = ctl("up", "--data", str(tmp_path / "file" / "data"), "--port-base", str(RunningPlatform._free_base()))
    assert done.returncode == 1
    assert str(tmp_path / "file") in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_up__path_too_long_for_a_socket__is_said(tmp_path: Path) -> None:
    done = ctl("up", "--data", str(tmp_path / ("long" * 25)), "--port-base", str(RunningPlatform._free_base()))
    assert done.returncode == 1
    assert "is too long for a Unix socket" in done.stdout + done.stderr


_DIES = """
import sys
from pathlib import Path
from st2common.ctl import embedded
embedded.ENGINES = ("st2common.host:no_such_service",)
embedded._START_S = 8
options = embedded.Options(Path(sys.argv[1]), port_base=int(sys.argv[2]), auth=False)
sys.exit(embedded.Embedded(options).run())
"""
"""A platform whose engines end with an error a moment after they began, again and again."""


def test_up__a_process_that_dies_after_its_start__is_not_called_ready(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _DIES, str(tmp_path / "data"), str(RunningPlatform._free_base())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "st2engines did not come up within 8 s" in done.stdout
    assert "no_such_service" in done.stdout, "its last words"
    assert "ready api=" not in done.stdout
    assert processes_on(tmp_path / "data") == []


def test_up__a_wrong_option__is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("[scheduler]\npool_size = lots\n")
    done = ctl("up", "--data", str(tmp_path / "data"), "--port-base", str(RunningPlatform._free_base()), "--config", str(wrong))
    assert done.returncode == 1
    assert "wrong.conf, [scheduler] pool_size" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert processes_on(tmp_path / "data") == []


def test_status_and_stop__nothing_runs(tmp_path: Path) -> None:
    done = ctl("status", "--json", "--data", str(tmp_path))
    assert (done.returncode, json.loads(done.stdout)) == (1, [])
    done = ctl("stop", "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, f"nothing runs on {tmp_path}\n")
    done = ctl("reload", "--data", str(tmp_path))
    assert done.returncode == 1 and "st2ctl up --data" in done.stderr


# -- stop, and start again ---------------------------------------------------------------------------------------------------


def test_restart__data_survives__nothing_is_left_running(tmp_path: Path) -> None:
    options = {"webui": {"webui_base_url": "https://ui.example.com"}}
    first = RunningPlatform(tmp_path / "data", auth=True, options=options)
    with first:
        execution = st2(first, "run", "core.echo", "message=before", home=tmp_path)
        shown = requests.get(f"{first.api_url}/v1/executions/{execution['id']}", headers={"X-Auth-Token": first.token()}, timeout=10).json()
        assert shown["web_url"].startswith("https://ui.example.com/"), "the option of --config is in force"
        st2(first, "key", "set", "greeting", "hello", home=tmp_path)
        st2(first, "key", "set", "secret", "s3cret", "--encrypt", home=tmp_path)
        rule = tmp_path / "rule.json"
        rule.write_text(json.dumps(A_RULE))
        st2(first, "rule", "create", str(rule), home=tmp_path)
        family = [psutil.Process(row["pid"]) for row in first.status() if psutil.pid_exists(row["pid"])]
        began = time.monotonic()
        assert first.process is not None
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(20) == 0
        assert time.monotonic() - began < 15
    assert [process for process in family if _lives(process)] == []
    assert processes_on(first.data_dir) == []

    with RunningPlatform(tmp_path / "data", auth=True, options=options) as second:
        assert "First start" not in second.log.read_text()
        assert second.password == first.password
        kept = st2(second, "execution", "get", execution["id"], home=tmp_path)
        assert (kept["status"], kept["result"]["stdout"]) == ("succeeded", "before")
        assert st2(second, "key", "get", "greeting", home=tmp_path)["value"] == "hello"
        assert st2(second, "key", "get", "secret", "--decrypt", home=tmp_path)["value"] == "s3cret"
        headers = {"X-Auth-Token": second.token()}
        requests.post(f"{second.api_url}/v1/webhooks/kept", json={"x": "after"}, headers=headers, timeout=10).raise_for_status()

        def ran() -> list[Any]:
            rows = requests.get(f"{second.api_url}/v1/executions?rule=kept", headers=headers, timeout=10).json()
            return [row for row in rows if row["status"] == "succeeded" and row["result"]["stdout"] == "after"]

        wait_until(ran, 15, "the rule that was made before the restart fires")
        done = ctl("stop", "--data", str(second.data_dir))
        assert done.returncode == 0, done.stderr
        assert second.process is not None
        assert second.process.wait(20) == 0
    assert processes_on(second.data_dir) == []


def test_restart__messages_that_nobody_had_taken__survive(tmp_path: Path) -> None:
    with RunningPlatform(tmp_path / "data", auth=False) as first:
        Supervisor(Layout(first.data_dir)).stop_program("st2actionrunner")
        execution = requests.post(f"{first.api_url}/v1/executions", json={"action": "core.noop"}, timeout=10).json()
        assert execution["status"] == "requested"
    with RunningPlatform(tmp_path / "data", auth=False) as second:
        url = f"{second.api_url}/v1/executions/{execution['id']}"
        wait_until(lambda: requests.get(url, timeout=5).json()["status"] == "succeeded", 20, "the execution from before the restart runs")
