"""``make demo``: an alert comes in, a rule decides, an action runs, and its result is on the screen.

Everything shown is the real thing: ``st2ctl up`` starts the platform as a user would start it (authentication on, data in a
temporary folder), the alert is posted over HTTP, and the ``st2`` commands are run exactly as they are printed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from st2common.ctl.servers import free_port, port_is_free

ALERT = Path(__file__).resolve().parents[1] / "contrib" / "examples" / "tests" / "fixtures" / "alert.json"
RULE = "examples.remediate_disk_space"
ACTION = "examples.free_disk_space"
_READY_S = 120
_RESULT_S = 30


class StepFailed(Exception):
    """A step of the demo did not do what it should; the text says which, and what came instead."""


class Screen:
    """What the person watching sees; bold and dim only on a terminal."""

    def __init__(self) -> None:
        self._styled = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._step = 0

    def step(self, text: str) -> None:
        """A numbered line that says what happens now."""
        self._step += 1
        print(f"\n{self._style('1')}{self._step}. {text}{self._style('0')}", flush=True)

    def say(self, text: str) -> None:
        """A line of narration."""
        print(f"   {text}", flush=True)

    def command(self, words: list[str]) -> None:
        """A command line as one would type it."""
        print(f"\n   {self._style('36')}$ {shlex.join(words)}{self._style('0')}", flush=True)

    def output(self, text: str) -> None:
        """What a command printed."""
        print("\n".join(f"   {line}" for line in text.rstrip().splitlines()), flush=True)

    def _style(self, code: str) -> str:
        return f"\033[{code}m" if self._styled else ""


class Platform:
    """``st2ctl up`` as a child process."""

    def __init__(self, data: Path) -> None:
        self.data = data
        base = _free_base()
        self.api_url = f"http://127.0.0.1:{base + 1}"
        self.command = [_program("st2ctl"), "up", "--data", str(data), "--port-base", str(base)]
        self._lines: list[str] = []
        self._ready = threading.Event()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait for its line ``ready``."""
        self._process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        deadline = time.monotonic() + _READY_S
        while not self._ready.wait(0.1):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StepFailed("the platform did not come up:\n" + "\n".join(self._lines))

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        for line in process.stdout:
            self._lines.append(line.rstrip())
            if line.startswith("ready "):
                self._ready.set()

    def stop(self) -> None:
        """Stop everything; the platform does so within 15 s."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(25)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise StepFailed("the platform did not stop within 25 s") from None
        if self._process.returncode:
            raise StepFailed(f"the platform ended with code {self._process.returncode}:\n" + "\n".join(self._lines[-20:]))

    def processes(self) -> list[dict[str, Any]]:
        """Its processes, as ``st2ctl status --json`` lists them."""
        command = [_program("st2ctl"), "status", "--json", "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        return list(json.loads(done.stdout or "[]"))


class Demo:
    """The steps, one method each."""

    def __init__(self, data: Path) -> None:
        self._screen = Screen()
        self._platform = Platform(data)
        # HOME: the token that the command line keeps goes with the rest.
        self._environment = {**os.environ, "ST2_CONFIG_FILE": str(data / "cli.conf"), "HOME": str(data.parent), "COLUMNS": "110", "NO_COLOR": "1"}
        self._began = 0.0

    def run(self) -> None:
        """All steps in order; the platform is stopped whatever happens."""
        try:
            self._start()
            self._show_content()
            token, key = self._log_in()
            self._make_logs_to_delete()
            instance_tag = self._post(key)
            execution = self._await_result(token, instance_tag)
            self._show(execution)
        finally:
            self._stop()

    def _start(self) -> None:
        self._screen.step("Start the platform: database, message bus and all services, each in a process of its own.")
        self._screen.command(["st2ctl", *self._platform.command[1:]])
        started = time.monotonic()
        self._platform.start()
        names = [row["service"] for row in self._platform.processes() if ":" not in row["service"]]
        self._screen.say(f"ready after {time.monotonic() - started:.1f} s: {', '.join(names)}")
        self._screen.say("It made a user st2admin with a random password; the command line knows it by:")
        self._screen.command(["export", f"ST2_CONFIG_FILE={self._platform.data}/cli.conf"])

    def _show_content(self) -> None:
        self._screen.step("The pack `examples` was registered at the start. One of its rules waits for alerts about full disks:")
        self._st2("pack", "list", "-a", "ref", "description")
        self._st2("rule", "get", RULE, "-a", "ref", "enabled", "trigger.type", "criteria", "action.ref")

    def _log_in(self) -> tuple[str, str]:
        token = str(self._st2_json("auth", "st2admin", "-p", self._password())["token"])
        key = str(self._st2_json("apikey", "create", "-j", "-m", '{"used_by": "alertmanager"}')["key"])
        return token, key

    def _password(self) -> str:
        for line in (self._platform.data / "cli.conf").read_text().splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "password":
                return value.strip()
        raise StepFailed(f"there is no password in {self._platform.data}/cli.conf")

    def _make_logs_to_delete(self) -> None:
        folder = Path("/tmp/st2-examples/logs")
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(3):
            (folder / f"demo-{number}.log").write_bytes(b"x" * 200_000)

    def _post(self, key: str) -> str:
        self._screen.step("Prometheus Alertmanager reports that a disk is nearly full (it uses an API key of its own):")
        url, tag = f"{self._platform.api_url}/v1/webhooks/alertmanager", f"demo-{os.getpid()}"
        self._screen.command(["curl", "-X", "POST", "-H", "St2-Api-Key: ...", "-H", f"St2-Trace-Tag: {tag}", "--data", "@alert.json", url])
        self._began = time.time()
        answer = requests.post(url, json=json.loads(ALERT.read_text()), headers={"St2-Api-Key": key, "St2-Trace-Tag": tag}, timeout=10)
        if answer.status_code != 202:
            raise StepFailed(f"the webhook answered {answer.status_code}: {answer.text}")
        self._screen.say(f"HTTP {answer.status_code} after {1000 * (time.time() - self._began):.0f} ms")
        return tag

    def _await_result(self, token: str, tag: str) -> dict[str, Any]:
        """The finished execution of the rule's action."""

        def finished() -> dict[str, Any] | None:
            answer = requests.get(
                f"{self._platform.api_url}/v1/executions", params={"action": ACTION, "limit": 1}, headers={"X-Auth-Token": token}, timeout=10
            )
            answer.raise_for_status()
            found = [row for row in answer.json() if row["status"] in ("succeeded", "failed", "timeout", "canceled", "abandoned")]
            return found[0] if found else None

        execution = _wait_for(finished, _RESULT_S, f"an execution of {ACTION} for the alert {tag}")
        if execution["status"] != "succeeded":
            raise StepFailed(f"the execution {execution['id']} is {execution['status']}: {json.dumps(execution.get('result'))}")
        elapsed = datetime.fromisoformat(execution["end_timestamp"]).timestamp() - self._began
        self._screen.step(f"A rule matched, its action ran, the result is stored: {1000 * elapsed:.0f} ms after the alert was posted.")
        return dict(execution)

    def _show(self, execution: dict[str, Any]) -> None:
        instance = execution["trigger_instance"]["id"]
        self._screen.say("The event as it came in, the rule that it fired, and what that did:")
        shown = self._st2("trigger-instance", "get", instance, "-a", "id", "status", "occurrence_time", "payload.body.commonLabels")
        self._expect(shown, "DiskSpaceLow", "the trigger instance")
        self._expect(
            self._st2("rule-enforcement", "list", "--trigger-instance", instance, "-a", "rule.ref", "execution_id"),
            execution["id"],
            "the rule enforcement",
        )
        shown = self._st2("execution", "get", execution["id"])
        self._expect(shown, "Freeing disk space for /var on web-1.example.com:9100", "the output of the action")
        self._expect(shown, "Deleted 3 file(s)", "the output of the action")
        self._screen.step("What came of the event hangs together in a trace: a second rule put the alert into words for the people on call.")
        self._st2("trace", "list", "--execution", execution["id"])
        self._st2("execution", "list", "-n", "5", "-a", "id", "action.ref", "status", "elapsed_seconds")

    def _stop(self) -> None:
        self._screen.step("Stop everything.")
        started = time.monotonic()
        self._platform.stop()
        self._screen.say(f"stopped after {time.monotonic() - started:.1f} s, nothing is left running.")

    # -- the st2 command -------------------------------------------------------------------------------------------------------

    def _st2(self, *arguments: str) -> str:
        """Run ``st2`` as shown, show what it prints."""
        self._screen.command(["st2", *arguments])
        text = self._run_st2(arguments)
        self._screen.output(text)
        return text

    def _st2_json(self, *arguments: str) -> dict[str, Any]:
        return dict(json.loads(self._run_st2([*arguments, *([] if "-j" in arguments else ["-j"])])))

    def _run_st2(self, arguments: Sequence[str]) -> str:
        done = subprocess.run([_program("st2"), *arguments], env=self._environment, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise StepFailed(f"st2 {arguments[0]} {arguments[1]} ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    @staticmethod
    def _expect(text: str, wanted: str, what: str) -> None:
        if wanted not in text:
            raise StepFailed(f'{what} does not show "{wanted}"')


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise StepFailed(f"the command {name} is not installed; run: make setup")
    return found


def _free_base() -> int:
    """Three free ports in a row, the usual ones when nobody has them."""
    base = 9100
    while not all(port_is_free("127.0.0.1", base + offset) for offset in range(3)):
        base = free_port()
    return base


def _wait_for(probe: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.02)
    raise StepFailed(f"{what}: nothing within {seconds:.0f} s")


def main() -> int:
    """Run the demo. Returns the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="st2-demo-"))
    try:
        Demo(folder / "data").run()
    except StepFailed as error:
        print(f"\nThe demo failed: {error}\nLogs are in {folder}/data/logs", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        return 130
    except (requests.RequestException, subprocess.SubprocessError, OSError, KeyError, ValueError) as error:
        print(f"\nThe demo failed: {type(error).__name__}: {error}\nLogs are in {folder}/data/logs", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print("\nYour turn: `make up` starts a platform that stays; README.md shows the way to a rule of your own.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
