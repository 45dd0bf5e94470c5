"""Builder of jobs for runner tests."""

from __future__ import annotations

import getpass
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from st2common.runners.contract import Job, RunnerSettings
from st2common.runners.runner_types import runner_types

DEFAULTS = {row["name"]: {name: spec["default"] for name, spec in row["runner_parameters"].items() if "default" in spec} for row in runner_types()}


class Output:
    """Collects what a runner emits."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, str]] = []
        self.seen = threading.Event()

    def __call__(self, kind: str, text: str) -> None:
        self.pieces.append((kind, text))
        self.seen.set()

    def text(self, kind: str | None = None) -> str:
        return "".join(text for of, text in self.pieces if kind in (None, of))


def a_job(runner_type: str, *, runner: dict[str, Any] | None = None, action: dict[str, Any] | None = None, **more: Any) -> Job:
    """A job of ``runner_type`` with the type's defaults under the given runner parameters."""
    document = {
        "ref": "core.thing", "name": "thing", "pack": "core", "entry_point": "", "runner_type": runner_type, "parameters": {}, "output_schema": {}
    }  # fmt: skip
    document.update(action or {})
    document["ref"] = f"{document['pack']}.{document['name']}"
    settings = more.pop("settings", {})
    base = RunnerSettings(system_user=getpass.getuser(), kill_grace_s=0.5)
    return Job(
        execution_id="5f00000000000000000000aa",
        liveaction_id="5f00000000000000000000bb",
        action=document,
        runner_parameters={**DEFAULTS[runner_type], **(runner or {})},
        action_parameters=more.pop("parameters", {}),
        settings=replace(base, **settings),
        token=lambda: "0123456789abcdef0123456789abcdef",
        emit_output=more.pop("output", None) or Output(),
        **more,
    )


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Write a file, making its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, within_s: float = 20) -> bool:
    """Whether a process ends soon: between the last signal and its end the kernel has some work to do."""
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)
