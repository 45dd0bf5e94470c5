"""Scripts and Python actions of the built-in packs, run as they are."""

from __future__ import annotations

import email
import email.policy
import importlib.util
import json
import subprocess
import sys
import types
import uuid
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

CONTRIB = Path(__file__).resolve().parents[3] / "contrib"


def module(path: str, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Load a Python file of a pack the way its runner does: with actions/lib on the path."""
    file = CONTRIB / path
    monkeypatch.syspath_prepend(str(file.parent / "lib"))
    spec = importlib.util.spec_from_file_location(f"contrib_{uuid.uuid4().hex}", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def script(path: str, *arguments: str, code: int = 0) -> str:
    done = subprocess.run([str(CONTRIB / path), *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


# -- core


@pytest.fixture
def sendmail(tmp_path: Path) -> Path:
    """A sendmail that keeps what it gets: the message in ``mail``, its arguments in ``arguments``."""
    binary = tmp_path / "sendmail"
    binary.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat > {tmp_path}/mail\n')
    binary.chmod(0o755)
    return binary


def sent(sendmail: Path) -> EmailMessage:
    message = email.message_from_bytes((sendmail.parent / "mail").read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


SEND = "core/actions/send_mail/send_mail"


def test_sendmail(sendmail: Path) -> None:
    script(
        SEND, str(sendmail), "me@example.com", "a@example.com,b@example.com", "Grüße an alle, überall", "1", "text/plain", "Line one\nüber two\n", ""
    )
    message = sent(sendmail)
    assert message["From"] == "me@example.com"
    assert message["To"] == "a@example.com, b@example.com"
    assert message["Subject"] == "Grüße an alle, überall"
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "Line one\nüber two\n"
    assert (sendmail.parent / "arguments").read_text().split() == ["-i", "-t", "-f", "me@example.com"]


def test_sendmail_attachments(sendmail: Path, tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(bytes(range(256)))
    (tmp_path / "two.txt").write_text("two")
    script(SEND, str(sendmail), "me", "a@example.com", "s", "1", "text/html", "<b>x</b>", f"{tmp_path}/one.bin, {tmp_path}/two.txt")
    message = sent(sendmail)
    assert message["From"].startswith("me@")
    body, one, two = message.iter_parts()
    assert body.get_content().strip() == "<b>x</b>"
    assert (one.get_filename(), one.get_payload(decode=True)) == ("one.bin", bytes(range(256)))
    assert (two.get_filename(), two.get_payload(decode=True)) == ("two.txt", b"two")


def test_sendmail_headers_cannot_be_injected(sendmail: Path) -> None:
    script(SEND, str(sendmail), "me@example.com", "a@example.com", "x\nBcc: evil@example.com", "1", "text/plain", "b", "")
    assert sent(sendmail)["Bcc"] is None


def test_sendmail_without_body(sendmail: Path) -> None:
    assert "no mail sent" in script(SEND, str(sendmail), "me@example.com", "a@example.com", "s", "0", "text/plain", " \n", "")
    assert not (sendmail.parent / "mail").exists()
    script(SEND, str(sendmail), "me@example.com", "a@example.com", "s", "1", "text/plain", "", "")
    assert sent(sendmail).get_content().strip() == ""


def test_sendmail_failures(sendmail: Path, tmp_path: Path) -> None:
    arguments = ("me@example.com", "a@example.com", "s", "1", "text/plain", "b")
    assert "does not exist" in script(SEND, str(tmp_path / "nowhere"), *arguments, "", code=2)
    assert "Attachment" in script(SEND, str(sendmail), *arguments, str(tmp_path / "nowhere"), code=3)
    sendmail.write_text("#!/bin/sh\nexit 75\n")
    assert "did not accept" in script(SEND, str(sendmail), *arguments, "", code=4)


def test_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    action = module("core/actions/generate_uuid.py", monkeypatch).GenerateUuidAction()
    assert uuid.UUID(action.run("uuid1")).version == 1
    assert uuid.UUID(action.run("uuid4")).version == 4
    with pytest.raises(ValueError, match="uuid9"):
        action.run("uuid9")


def test_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    action = module("core/actions/pause.py", monkeypatch).PauseAction()
    assert action.run(max_pause=0) == 0
    assert 0 <= action.run(max_pause=1, random=True) <= 1


def test_inject_trigger_wants_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    action = module("core/actions/inject_trigger.py", monkeypatch).InjectTriggerAction()
    with pytest.raises(ValueError, match="mutually exclusive"):
        action.run(trigger="a.b", trigger_name="a.b")
    with pytest.raises(ValueError, match="trigger_name"):
        action.run()


# -- linux


def test_check_loadavg() -> None:
    assert set(json.loads(script("linux/actions/checks/check_loadavg.sh"))) == {"1", "5", "15", "processors"}
    assert set(json.loads(script("linux/actions/checks/check_loadavg.sh", "5"))) == {"5"}
    assert "Unknown period" in script("linux/actions/checks/check_loadavg.sh", "7", code=2)


def test_check_processes() -> None:
    mark = f"mark-{uuid.uuid4().hex}"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", mark]) as process:
        try:
            for arguments in (("name", mark), ("pid", str(process.pid))):
                lines = script("linux/actions/checks/check_processes.sh", *arguments).splitlines()
                assert [line.split()[0] for line in lines] == ["PID", str(process.pid)]
        finally:
            process.kill()
    assert "No process found" in script("linux/actions/checks/check_processes.sh", "name", mark, code=1)


class Service:
    """A sensor service that keeps what was dispatched."""

    def __init__(self) -> None:
        self.dispatched: list[dict[str, Any]] = []
        self.values: dict[str, str] = {}

    def get_logger(self, name: str) -> Any:
        import logging

        return logging.getLogger(name)

    def dispatch(self, trigger: str, payload: dict[str, Any]) -> None:
        self.dispatched.append({"trigger": trigger, **payload})

    def get_value(self, name: str) -> str | None:
        return self.values.get(name)

    def set_value(self, name: str, value: str) -> bool:
        self.values[name] = value
        return True


def test_file_watch_sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    sensor = module("linux/sensors/file_watch_sensor.py", monkeypatch).FileWatchSensor(sensor_service=service)
    sensor.setup()
    log, late = tmp_path / "a.log", tmp_path / "late.log"
    log.write_text("old\n")

    def lines() -> list[tuple[str, str]]:
        service.dispatched.clear()
        sensor.look()
        return [(item["trigger"], item["line"]) for item in service.dispatched]

    sensor.add_trigger({"id": "1", "ref": "linux.t1", "parameters": {"file_path": str(log)}})
    sensor.add_trigger({"id": "2", "ref": "linux.t2", "parameters": {"file_path": str(late)}})
    assert lines() == []
    with log.open("a") as file:
        file.write("one\r\ntwo\nhal")
    assert lines() == [("linux.t1", "one"), ("linux.t1", "two")]
    assert service.dispatched[0] == {"trigger": "linux.t1", "file_path": str(log), "file_name": "a.log", "line": "one"}
    with log.open("a") as file:
        file.write("f\n")
    late.write_text("first\n")
    assert lines() == [("linux.t1", "half"), ("linux.t2", "first")]

    with log.open("a") as file:
        file.write("last of the old\n")
    log.rename(tmp_path / "a.log.1")
    log.write_text("rotated\n")
    assert lines() == [("linux.t1", "last of the old"), ("linux.t1", "rotated")]
    log.write_text("x\n")  # truncated in place, and shorter than before
    assert lines() == [("linux.t1", "x")]

    sensor.remove_trigger({"id": "1", "ref": "linux.t1", "parameters": {}})
    log.write_text("nobody listens\n")
    assert lines() == []
    sensor.cleanup()


# -- examples


def test_new_file_sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    made = module("examples/sensors/new_file_sensor.py", monkeypatch).NewFileSensor
    sensor = made(sensor_service=service, config={"inbox": str(tmp_path / "inbox")}, poll_interval=5)
    sensor.setup()
    sensor.poll()
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a").write_text("xyz")
    sensor.poll()
    sensor.poll()
    assert service.dispatched == [{"trigger": "examples.new_file", "path": str(tmp_path / "inbox" / "a"), "name": "a", "size": 3}]
    again = made(sensor_service=service, config={"inbox": str(tmp_path / "inbox")}, poll_interval=5)
    again.setup()
    again.poll()
    assert len(service.dispatched) == 1


def test_summarize_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    action = module("examples/actions/summarize_alert.py", monkeypatch).SummarizeAlertAction()
    body = json.loads((CONTRIB / "examples" / "tests" / "fixtures" / "alert.json").read_text())
    assert action.run(body) == (
        True,
        {"title": "DiskSpaceLow: 1 firing", "severity": "critical", "firing": ["DiskSpaceLow on web-1.example.com:9100"], "resolved": []},
    )
    assert action.run({})[0] is False


def test_free_disk_space(tmp_path: Path) -> None:
    path = "examples/actions/scripts/free_disk_space.sh"
    (tmp_path / "old.log").write_text("x" * 100_000)
    (tmp_path / "kept.txt").write_text("x")
    output = script(path, str(tmp_path), "7", "web-1", "/var")
    assert "Freeing disk space for /var on web-1" in output
    assert "Deleted 0 file(s)" in output
    assert "Deleted 1 file(s)" in script(path, str(tmp_path), "", "web-1", "/var")
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.txt"]
    assert "nothing to delete" in script(path, str(tmp_path / "nowhere"), "1", "h", "/")


# -- packs and chatops


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that the actions of the pack ``packs`` find by their environment."""
    monkeypatch.setenv("ST2_SYSTEM__BASE_PATH", str(tmp_path / "st2"))
    monkeypatch.setenv("ST2_CONTENT__PACK_GROUP", "none")
    return tmp_path / "st2"


def action_of_packs(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    loaded = module(f"packs/actions/{name}.py", monkeypatch)
    from st2common.runners.base_action import Action

    (made,) = [item for item in vars(loaded).values() if isinstance(item, type) and issubclass(item, Action) and item is not Action]
    return made(config={})


def test_packs_from_download_to_delete(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, more in (("top", "dependencies: [missing]\n"), ("old", 'python_versions: ["2"]\n')):
        source = tmp_path / name
        source.mkdir()
        (source / "pack.yaml").write_text(f"name: {name}\ndescription: d\nversion: 1.0.0\nauthor: a\nemail: a@example.com\n{more}")
    default = "/opt/stackstorm/packs/"
    packs = [f"file://{tmp_path}/top", f"file://{tmp_path}/old"]
    status = action_of_packs("download", monkeypatch).run(packs=packs, abs_repo_base=default, force=True)
    assert status == {"top": "Success.", "old": "Success."}
    assert sorted(entry.name for entry in (base / "packs").iterdir()) == ["old", "top"]
    assert action_of_packs("virtualenv_prerun", monkeypatch).run(packs_status={**status, "x": "Failure : y"}, packs_list=["a"]) == ["a", "top", "old"]
    dependencies = action_of_packs("get_pack_dependencies", monkeypatch)
    assert dependencies.run(packs_status=status, nested=3) == {"dependency_list": ["missing"], "conflict_list": [], "nested": 2}
    assert dependencies.run(packs_status=status, nested=0) == {}
    (warning,) = action_of_packs("get_pack_warnings", monkeypatch).run(packs_status=status)["warning_list"]
    assert '"old"' in warning
    found = action_of_packs("get", monkeypatch).run(pack="top")
    assert (found["pack"]["version"], found["git_status"]) == ("1.0.0", None)
    assert action_of_packs("get_config", monkeypatch).run() == {"pack_group": "none", "pack_path": str(base / "packs")}
    action_of_packs("delete", monkeypatch).run(packs=["top", "old"], abs_repo_base=default)
    assert action_of_packs("get", monkeypatch).run(pack="top") == {"pack": None, "git_status": None}


def test_packs_download_fails_when_nothing_came(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ST2_CONTENT__INDEX_URL", "http://127.0.0.1:9/index.json")
    with pytest.raises(Exception, match="No results from the index"):
        action_of_packs("download", monkeypatch).run(packs=["nope"], abs_repo_base="/opt/stackstorm/packs/")


def test_chatops_default_template(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = module("chatops/actions/format_execution_result.py", monkeypatch)
    execution: dict[str, Any] = {
        "id": "6b02ed65acea043771a47169",
        "status": "succeeded",
        "action": {"ref": "core.local"},
        "runner": {"name": "local-shell-cmd"},
        "web_url": "https://localhost/#/history/6b02ed65acea043771a47169/general",
        "elapsed_seconds": 3.2,
        "result": {"stdout": "Sun Nov 22 13:25:59 UTC 2026", "stderr": "", "return_code": 0, "succeeded": True},
    }
    render = loaded.FormatExecutionResultAction._render
    template = loaded.DEFAULT_TEMPLATE.read_text()
    assert render(template, {"execution": execution}) == (
        "\nAction core.local completed.\nstatus : succeeded\nexecution: 6b02ed65acea043771a47169\n\n"
        "web_url: https://localhost/#/history/6b02ed65acea043771a47169/general\n\nTook 3s to complete.\n\n"
        "result :\n--------\nstdout : Sun Nov 22 13:25:59 UTC 2026\n"
    )
    execution |= {"runner": {"name": "remote-shell-cmd"}, "result": {"web-1": {"stdout": "a", "return_code": 1}}}
    assert render(template, {"execution": execution}).endswith("web-1 :\n    stdout : a\n    return_code : 1\n")
    execution |= {"runner": {"name": "http-request"}, "result": {"body": {"a": 1}, "parsed": False}}
    assert render(template, {"execution": execution}).endswith("body : \n  a : 1\nparsed : False\n")
