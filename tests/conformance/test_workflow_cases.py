"""The recorded workflow and chain cases on the conductor alone (see ``workflow_room``)."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import sys
import uuid
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from workflow_room import FINAL, Chain, Execution, Room, Workflow

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "conformance"
CASES = sorted((SHARED / "workflows").glob("*.yaml"))
pytestmark = pytest.mark.skipif(not CASES, reason="the recorded cases are not beside the repository")


def replayer() -> Any:
    spec = importlib.util.spec_from_file_location("replay_workflows", SHARED / "replay_workflows.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def descendants(execution: Execution, prefix: str = "") -> list[tuple[str, Execution]]:
    found = []
    for child in sorted(execution.children, key=lambda one: one.started):
        found.append((prefix + child.task, child))
        found += descendants(child, prefix + child.task + "/")
    return found


class Play:
    """One case being played."""

    def __init__(self, case: dict[str, Any], recorded: Any) -> None:
        self.case, self.recorded, self.token = case, recorded, uuid.uuid4().hex[:12]
        keys = {f"system.{k['name']}": ("secret:" if k.get("secret") else "") + k["value"] for k in self.subst(case.get("keys", []))}
        self.room = Room(case["actions"], keys)
        ref = case["run"]["action"]
        known = self.room.parameters(ref) or {}
        parameters = {name: body.get("default") for name, body in known.items()} | self.subst(case["run"].get("parameters", {}))
        self.execution = Execution(self.room, ref, parameters)
        self.replies: list[Any] = []
        self.files: list[str] = []

    def subst(self, value: Any) -> Any:
        return self.recorded.subst(value, self.token)

    def target(self, spec: Any) -> Execution:
        if not spec or "task" not in spec:
            return self.execution
        return [child for path, child in descendants(self.execution) if path == spec["task"]][-1]

    def waits_over(self, spec: dict[str, Any]) -> bool:
        if "task" not in spec:
            return self.execution.status == spec["status"]
        hits = [c for path, c in descendants(self.execution) if path == spec["task"] and c.status == spec["status"]]
        return len(hits) >= spec.get("count", 1)

    def step(self, kind: str, spec: Any) -> None:
        if kind == "wait":
            assert self.room.until(lambda: self.waits_over(spec)), f"never came: {spec}"
        elif kind == "sleep":
            end = self.room.now + spec
            while self.room.queue and self.room.queue[0][0] <= end:
                self.room.step()
        elif kind == "touch":
            self.files.append(spec)
            pathlib.Path(spec).write_text("0\n")
        elif kind in ("pause", "resume", "cancel"):
            body = self.target(spec).body
            assert isinstance(body, (Workflow, Chain))
            getattr(body, kind)()
        elif kind == "answer":
            asked = self.target(spec)
            asked.change("succeeded", asked.result | {"response": spec["response"]})
        elif kind == "rerun":
            if not set(spec.get("reset", [])) <= set(spec["tasks"]):
                self.replies.append({"faultstring": "List of tasks to reset does not match the tasks to rerun."})
                return
            assert isinstance(self.execution.body, Workflow)
            self.execution = self.execution.body.rerun(spec["tasks"], spec.get("reset", []))
        else:
            raise AssertionError(kind)

    def play(self) -> dict[str, Any]:
        try:
            self.room.request(self.execution)
            for step in self.subst(self.case.get("steps", [])):
                ((kind, spec),) = step.items()
                self.step(kind, spec)
            while self.room.step():
                pass
        finally:
            for file in self.files:
                if os.path.exists(file):
                    os.unlink(file)
        goal = {self.case["until"]} if "until" in self.case else FINAL
        assert self.execution.status in goal, f"ended {self.execution.status}"
        seen: dict[str, Any] = {"status": self.execution.status, "result": self.recorded.mask(self.execution.result, self.token)}
        rows: dict[str, Any] = {}
        for path, child in descendants(self.execution):
            row: dict[str, Any] = {"task": path, "action": child.action, "status": child.status}
            if child.route and not self.case.get("ignore_routes"):
                row["route"] = child.route
            rows.setdefault(json.dumps(row, sort_keys=True), row | {"count": 0})["count"] += 1
        return seen | {"tasks": list(rows.values()), "order": [path for path, _ in descendants(self.execution)], "replies": self.replies}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case__played_on_the_conductor__ends_as_recorded(path: pathlib.Path) -> None:
    recorded = replayer()
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    seen = Play(case, recorded).play()
    expected = {key: value for key, value in case["expect"].items() if key != "look"}
    for key, want in expected.items():
        assert recorded.same(want, seen[key]), f"{key}: want {json.dumps(want)[:1500]} got {json.dumps(seen[key])[:1500]}"
