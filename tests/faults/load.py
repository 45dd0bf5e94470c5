"""Load whose every unit can be told apart afterwards: webhooks and executions that write an id of their own into a file."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOOK = "faults"
_GIVE_UP_S = 40.0


@dataclass
class Unit:
    """One thing asked for.

    Attributes:
        kind: "event" (a webhook, a rule runs core.local), "execution" (core.local) or "python" (core.uuid with the id in its context).
        outcome: "accepted", "refused" (only answers that promise that nothing was accepted) or "unknown" (sent, no answer).
        retries: refusals before that.
    """

    id: str
    kind: str
    phase: str
    outcome: str = ""
    retries: int = 0
    error: str = ""


class _NotSent(Exception):
    """The connection could not be made: nothing reached the server."""


class Load:
    """Sends from several threads at a bounded rate until told to stop.

    Args:
        ledger: file that every core.local appends its id to.
        pause_s: between two requests of one thread.
    """

    def __init__(self, api_url: str, ledger: Path, *, threads: int = 4, pause_s: float = 0.15) -> None:
        parts = urlsplit(api_url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._ledger = ledger
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.units: list[Unit] = []
        self.phase = "before"
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more; wait for the answers that are due."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_GIVE_UP_S + 15)

    def send(self, kind: str, sleep_s: float = 0) -> Unit:
        """Send one unit now; ``sleep_s``: how long its action sleeps before it writes."""
        unit = Unit(uuid.uuid4().hex, kind, self.phase)
        self._send(unit, self._job(unit, sleep_s))
        with self._lock:
            self.units.append(unit)
        return unit

    def _run(self, number: int) -> None:
        turn = number
        while not self._stop.is_set():
            self.send(("event", "execution", "event", "python")[turn % 4])
            turn += 1
            self._stop.wait(self._pause_s)

    def _job(self, unit: Unit, sleep_s: float) -> tuple[str, Any]:
        command = f"{f'sleep {sleep_s}; ' if sleep_s else ''}echo {unit.id} >> {self._ledger}"
        if unit.kind == "event":
            return f"/v1/webhooks/{HOOK}", {"id": unit.id}
        if unit.kind == "python":
            return "/v1/executions", {"action": "core.uuid", "parameters": {}, "context": {"unit": unit.id}}
        return "/v1/executions", {"action": "core.local", "parameters": {"cmd": command}, "context": {"unit": unit.id}}

    def _send(self, unit: Unit, job: tuple[str, Any]) -> None:
        """Try until accepted; again only when the server did not get it, or said that it did not take it."""
        deadline = time.monotonic() + _GIVE_UP_S
        while True:
            try:
                status, text = self._post(*job)
            except _NotSent as error:
                unit.error = str(error)
            except (OSError, http.client.HTTPException) as error:
                unit.outcome, unit.error = "unknown", f"{type(error).__name__}: {error}"
                return
            else:
                if status in (201, 202):
                    unit.outcome = "accepted"
                    return
                unit.error = f"{status}: {text[:200]}"
                if status != 503:
                    unit.outcome = "unknown"
                    return
            if time.monotonic() > deadline:
                unit.outcome = "refused"
                return
            unit.retries += 1
            time.sleep(0.3)

    def _post(self, path: str, body: Any) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=30)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise _NotSent(str(error)) from error
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()


def rule(ledger: Path) -> dict[str, Any]:
    """The rule behind the events."""
    return {
        "name": "faults", "pack": "default", "enabled": True, "trigger": {"type": "core.st2.webhook", "parameters": {"url": HOOK}},
        "criteria": {}, "action": {"ref": "core.local", "parameters": {"cmd": f"echo {{{{ trigger.body.id }}}} >> {ledger}"}},
    }  # fmt: skip


def wait_for(probe: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of ``probe``; its exceptions count as not yet."""
    deadline = time.monotonic() + seconds
    problem: object = None
    while time.monotonic() < deadline:
        try:
            value = probe()
            if value:
                return value
        except Exception as error:  # noqa: BLE001 - servers are being killed; anything means: not yet
            problem = error
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds:.0f} s ({problem})")
