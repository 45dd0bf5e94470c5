"""What tests of the reactor share: rules that are removed afterwards, and waiting for what follows an event."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from st2common.config import load_config
from st2common.platform import Platform
from tests.running import RunningPlatform, wait_until

JsonObject = dict[str, Any]


class Reactor:
    """A platform with ``--no-auth``, as tests of events see it."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform
        self._session = requests.Session()
        self._undo: list[Callable[[], Any]] = []

    # -- the API -------------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        return self._session.request(method, f"{self.platform.api_url}/v1/{path}", timeout=15, **more)

    def api(self, method: str, path: str, **more: Any) -> Any:
        """The JSON of a successful answer."""
        answer = self.request(method, path, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    # -- rules ---------------------------------------------------------------------------------------------------------

    def rule(self, trigger: str, parameters: JsonObject | None = None, **values: Any) -> JsonObject:
        """Create a rule (default: it echoes), to be deleted after the test."""
        body = {
            "name": f"r{uuid.uuid4().hex[:12]}",
            "pack": "examples",
            "enabled": True,
            "trigger": {"type": trigger, "parameters": parameters or {}},
            "criteria": {},
            "action": {"ref": "core.noop", "parameters": {}},
            **values,
        }
        rule: JsonObject = self.api("POST", "rules", json=body)
        self._undo.append(lambda: self.request("DELETE", f"rules/{rule['id']}"))
        return rule

    def webhook(self, **values: Any) -> tuple[str, JsonObject]:
        """A rule on a webhook of its own: (url, rule)."""
        url = values.pop("url", None) or f"hook-{uuid.uuid4().hex[:12]}"
        return url, self.rule("core.st2.webhook", {"url": url}, **values)

    def post(self, url: str, body: Any, **more: Any) -> requests.Response:
        answer = self.request("POST", f"webhooks/{url}", json=body, **more)
        assert answer.status_code == 202, answer.text
        return answer

    def afterwards(self, undo: Callable[[], Any]) -> None:
        """Have something undone after the test."""
        self._undo.append(undo)

    def clean(self) -> None:
        for undo in reversed(self._undo):
            undo()

    # -- what follows --------------------------------------------------------------------------------------------------

    def instances(self, trigger_ref: str, count: int = 1, seconds: float = 15) -> list[JsonObject]:
        """At least so many processed events of a trigger, oldest first."""

        def look() -> list[JsonObject] | None:
            rows = self.api("GET", f"triggerinstances?trigger={trigger_ref}&limit=100")
            return rows[::-1] if len(rows) >= count and all(row["status"] in ("processed", "processing_failed") for row in rows) else None

        return list(wait_until(look, seconds, f"{count} events of {trigger_ref} are processed"))

    def executions(self, rule: JsonObject, count: int = 1, seconds: float = 15) -> list[JsonObject]:
        """At least so many ended executions of a rule, oldest first."""

        def look() -> tuple[list[JsonObject]] | None:
            rows = self.api("GET", f"executions?rule={rule['name']}&sort_asc=true&limit=100")
            return (rows,) if len(rows) >= count and all("end_timestamp" in row for row in rows) else None

        return list(wait_until(look, seconds, f"{count} executions of {rule['ref']} have ended")[0])

    def enforcements(self, rule: JsonObject, count: int = 1) -> list[JsonObject]:
        """At least so many enforcements of a rule."""

        def look() -> list[JsonObject] | None:
            rows = self.api("GET", f"ruleenforcements?rule_id={rule['id']}&limit=100")
            return rows if len(rows) >= count else None

        return list(wait_until(look, 15, f"{count} enforcements of {rule['ref']}"))

    def fires(self, rule: JsonObject) -> list[str]:
        """Ids of the executions of a rule so far."""
        return [row["id"] for row in self.api("GET", f"executions?rule={rule['name']}&limit=100&include_attributes=id")]


@pytest.fixture
def reactor(platform: RunningPlatform) -> Iterator[Reactor]:
    """The session's platform."""
    made = Reactor(platform)
    yield made
    made.clean()


@pytest.fixture
def parts(platform: RunningPlatform) -> Iterator[Platform]:
    """The parts of the session's platform, from inside."""
    made = Platform(load_config([str(platform.data_dir / "st2.conf")], environ={}))
    yield made
    made.close()


_numbers = itertools.count(1)


@pytest.fixture
def pack(platform: RunningPlatform, reactor: Reactor) -> Iterator[Path]:
    """The directory of a pack of one's own, not yet registered."""
    name = f"reactor{next(_numbers)}"
    directory = platform.data_dir / "packs" / name
    directory.mkdir()
    (directory / "pack.yaml").write_text(f"name: {name}\ndescription: x\nversion: 1.0.0\nauthor: me\nemail: me@example.com\n")
    yield directory
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (directory / "pack.yaml").write_text(f"name: {name}\ndescription: x\nversion: 1.0.0\nauthor: me\nemail: me@example.com\n")
    reactor.api("POST", "packs/register", json={"packs": [name], "types": ["all"]})
    (directory / "pack.yaml").unlink()
    directory.rmdir()
