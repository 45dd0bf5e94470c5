"""Runs the recorded workflow cases on conductors alone: a clock that jumps, shell commands for actions, no database and no bus.

This stands in for what is outside the workflow room (executions, their API, the runners of ``core``), as far as the cases need it.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from st2common.exceptions import NotFound
from st2common.workflows import chain, events
from st2common.workflows.commands import ActionRequest, Cascade, Command, Finish, SetStatus, StartItems, StartTask, TaskChanged
from st2common.workflows.conductor import Conductor
from st2common.workflows.errors import ChainError, DefinitionError, RerunRefused
from st2common.workflows.inspection import inspect
from st2common.workflows.results import Means
from st2common.workflows.spec import parse
from st2common.workflows.variables import KNOWN_AT_RUN_TIME

FINAL = {"succeeded", "failed", "timeout", "abandoned", "canceled"}
IDS = itertools.count(0x600000000000000000000000)
CORE: dict[str, dict[str, Any]] = {
    "core.noop": {},
    "core.echo": {"message": {"type": "string", "required": True}},
    "core.local": {"cmd": {"type": "string", "required": True}, "timeout": {"type": "integer", "default": 60}},
    "core.ask": {"route": {"type": "string"}, "schema": {"type": "object"}, "ttl": {}, "users": {}, "roles": {}},
}
ASK_SCHEMA = {
    "title": "response_data",
    "type": "object",
    "properties": {"continue": {"type": "boolean", "description": "Would you like to continue the workflow?", "required": True}},
}


@dataclass
class Execution:
    """One action execution of the simulated platform."""

    room: Room
    action: str
    parameters: dict[str, Any]
    parent: Workflow | Chain | None = None
    run: int | None = None
    item: int | None = None
    task: str = ""
    route: int = 0
    status: str = "requested"
    result: Any = None
    started: float = 0.0
    id: str = field(default_factory=lambda: f"{next(IDS):024x}")
    children: list[Execution] = field(default_factory=list)
    body: Workflow | Chain | None = None

    def change(self, status: str, result: Any = None) -> None:
        if self.status in FINAL:
            return
        self.status = status
        if result is not None:
            self.result = result
        if self.parent is not None:
            self.parent.child_changed(self)


class Room:
    """The simulated platform: time, actions, executions."""

    def __init__(self, actions: dict[str, dict[str, Any]], keys: dict[str, str]) -> None:
        self.actions = actions
        self.keys = keys
        self.now = 0.0
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.blocked: list[tuple[str, Execution]] = []

    def later(self, delay: float, call: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.now + delay, next(self.order), call))

    def step(self) -> bool:
        ready = [entry for entry in self.blocked if os.path.exists(entry[0])]
        for entry in ready:
            self.blocked.remove(entry)
            self.later(0.01, lambda execution=entry[1]: self.shell(execution))
        if not self.queue:
            return False
        self.now, _, call = heapq.heappop(self.queue)
        call()
        return True

    def until(self, test: Callable[[], bool]) -> bool:
        while not test():
            if not self.step():
                return test()
        return True

    # --- actions

    def parameters(self, ref: str) -> dict[str, Any] | None:
        if ref in CORE:
            return CORE[ref]
        action = self.actions.get(ref.removeprefix("wfconf."))
        return None if action is None else {**action["metadata"].get("parameters", {}), "notify": {}}

    def request(self, execution: Execution, delay: float = 0.0) -> None:
        execution.started = self.now + next(self.order) * 1e-9
        if delay:
            execution.change("delayed")
        self.later(delay + 0.01, lambda: self.run(execution))

    def run(self, execution: Execution) -> None:
        if execution.status in FINAL:
            return
        execution.change("running")
        ref, parameters = execution.action, execution.parameters
        if ref == "core.noop":
            execution.change("succeeded", {"failed": False, "succeeded": True, "return_code": 0})
        elif ref == "core.echo":
            execution.change("succeeded", self.local_result(0, str(parameters.get("message", ""))))
        elif ref == "core.local":
            self.local(execution)
        elif ref == "core.ask":
            asked = {"schema": ASK_SCHEMA, "roles": [], "users": [], "route": "", "ttl": 1440} | parameters
            execution.change("pending", asked)
        else:
            kind = self.actions[ref.removeprefix("wfconf.")]["metadata"]["runner_type"]
            execution.body = (Chain if kind == "action-chain" else Workflow)(self, execution)
            execution.body.begin()

    def local(self, execution: Execution) -> None:
        command = execution.parameters["cmd"]
        gate = re.match(r"while \[ ! -e (\S+) \]", command)
        if gate:
            self.blocked.append((gate.group(1), execution))
            return
        duration = sum(float(seconds) for seconds in re.findall(r"sleep ([\d.]+)", command))
        limit = execution.parameters.get("timeout") or 60
        if duration > limit:
            self.later(limit, lambda: execution.change("timeout", {"failed": True, "succeeded": False, "return_code": -9}))
        else:
            self.later(0.01 + duration, lambda: self.shell(execution))

    def shell(self, execution: Execution) -> None:
        command = re.sub(r"sleep [\d.]+", "true", execution.parameters["cmd"])
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20, check=False)
        status = "failed" if done.returncode else "succeeded"
        execution.change(status, self.local_result(done.returncode, done.stdout.removesuffix("\n"), done.stderr.removesuffix("\n")))

    @staticmethod
    def local_result(code: int, stdout: str, stderr: str = "") -> dict[str, Any]:
        try:
            parsed = json.loads(stdout)
        except ValueError:
            parsed = stdout
        shown = parsed if stdout[:1] in "[{" or isinstance(parsed, (int, float)) else stdout
        return {"failed": code != 0, "succeeded": code == 0, "return_code": code, "stdout": shown, "stderr": stderr}

    def read_key(self, key: str, decrypt: bool) -> str:
        if key not in self.keys:
            raise NotFound(key)
        value = self.keys[key]
        secret = value.startswith("secret:")
        return value.removeprefix("secret:") if decrypt or not secret else "4ff3"


class Workflow:
    """Drives one conductor, the way the workflow engine does."""

    def __init__(self, room: Room, execution: Execution) -> None:
        self.room = room
        self.execution = execution
        self.conductor: Conductor | None = None
        self.runs: dict[tuple[int, int | None], Execution] = {}
        self.ended: set[int] = set()
        self.text = room.actions[execution.action.removeprefix("wfconf.")]["file"]

    # what expressions may ask
    def result(self, run: int, item: int | None) -> Any:
        child = self.runs.get((run, item))
        return child.result if child else None

    def results(self, run: int, items: Sequence[int]) -> dict[int, Any]:
        return {item: self.result(run, item) for item in items}

    def record(self, run: int) -> dict[str, Any]:
        end = "2026-01-01 00:00:01+00:00" if run in self.ended else "None"
        return {"task_execution_id": f"{run:024x}", "workflow_execution_id": "0" * 24, "start_timestamp": "2026-01-01", "end_timestamp": end}

    def begin(self) -> None:
        parameters = self.execution.parameters
        try:
            spec = parse(self.text)
            findings = inspect(spec, self.room.parameters, KNOWN_AT_RUN_TIME)
        except DefinitionError as error:
            return self.execution.change("failed", {"errors": [{"message": error.message}], "output": None})
        if findings:
            return self.execution.change("failed", {"errors": [finding.to_dict() for finding in findings], "output": None})
        unknown = [name for name in parameters.get("notify") or [] if name not in spec.tasks]
        if unknown:
            message = f"The following tasks in the notify parameter do not exist in the workflow definition: {', '.join(unknown)}."
            return self.execution.change("failed", {"errors": [{"message": message}], "output": None})
        context = {"st2": {"action_execution_id": self.execution.id, "user": "stanley"}, "parent": {"user": "stanley", "pack": "wfconf"}}
        self.conductor = Conductor.start(spec, parameters, context, "f" * 24, Means(self, self.room.read_key))
        return self.feed(events.Started())

    def feed(self, *happened: events.Event) -> None:
        assert self.conductor is not None
        commands = self.conductor.handle(happened)
        # Saved and loaded after every step: what is not in the state is forgotten.
        kept = getattr(self, "store", {})
        kept |= self.conductor.dirty_parts()
        self.store = json.loads(json.dumps({name: part for name, part in kept.items() if part is not None}))
        assert self.store == json.loads(json.dumps({**self.store, **self.conductor.dump()}))
        self.conductor = Conductor.load(self.conductor.spec, self.store, self.conductor.means)
        self.carry_out(commands)

    def carry_out(self, commands: list[Command]) -> None:
        for index, command in enumerate(commands):
            if isinstance(command, (StartTask, StartItems)):
                for request in command.requests:
                    problem = self.start(command.run, request)
                    if problem:
                        dropped = tuple(c.run for c in commands[index + 1 :] if isinstance(c, StartTask))
                        rest = [c for c in commands[index + 1 :] if not isinstance(c, (StartTask, StartItems))]
                        self.carry_out(rest)
                        return self.feed(events.RequestFailed(command.run, problem, dropped, request.item))
                if self.execution.result is None:
                    self.execution.result = {"output": None}
            elif isinstance(command, TaskChanged):
                if command.status in FINAL:
                    self.ended.add(command.run)
            elif isinstance(command, Cascade):
                self.cascade(command)
            elif isinstance(command, SetStatus):
                self.execution.change(command.status)
            elif isinstance(command, Finish):
                self.execution.change(command.status, command.result)

    def start(self, run: int, request: ActionRequest) -> str | None:
        known = self.room.parameters(request.action)
        if known is None:
            return f'InvalidActionReferencedException: Unable to find action "{request.action}".'
        for name, body in known.items():
            if body.get("required") and request.input.get(name, body.get("default")) is None:
                return f"ValidationError: None is not of type '{body['type']}'"
        parameters = {name: body.get("default") for name, body in known.items() if not request.action.startswith("core.")} | request.input
        assert self.conductor is not None
        task = self.conductor.state.runs[run]
        child = Execution(self.room, request.action, parameters, self, run, request.item, task.task, task.route)
        self.runs[run, request.item] = child
        self.execution.children.append(child)
        self.room.request(child, request.delay_s)
        return None

    def child_changed(self, child: Execution) -> None:
        assert child.run is not None
        final = child.status in FINAL
        self.feed(events.ActionChanged(child.run, child.status, child.result if final and child.run % 2 else events.UNREAD, child.item))

    def cascade(self, command: Cascade) -> None:
        for (run, _), child in list(self.runs.items()):
            if run not in command.runs or child.status in FINAL:
                continue
            if isinstance(child.body, Workflow):
                getattr(child.body, command.request)()
            elif command.request == "cancel" and child.status in ("requested", "scheduled", "delayed"):
                self.room.later(0, lambda child=child: child.change("canceled"))

    def pause(self) -> None:
        self.feed(events.PauseRequested())

    def resume(self) -> None:
        self.feed(events.ResumeRequested())

    def cancel(self) -> None:
        immediate = self.execution.status == "paused"
        self.feed(events.CancelRequested())
        if immediate:
            self.execution.result = {"message": "Action canceled by user.", "user": "st2admin"}
        parent = self.execution.parent
        if isinstance(parent, Workflow) and parent.execution.status not in ("canceling", *FINAL):
            parent.cancel()

    def rerun(self, tasks: list[str], reset: list[str]) -> Execution:
        again = Execution(self.room, self.execution.action, self.execution.parameters)
        again.body, self.execution = self, again
        try:
            again.status = "running"
            self.feed(events.RerunRequested(tuple(tasks), tuple(reset)))
        except RerunRefused as error:
            again.change("failed", {"errors": [{"message": error.message}], "output": None})
        return again


class Chain:
    """Drives one action chain, the way its runner does."""

    def __init__(self, room: Room, execution: Execution) -> None:
        self.room = room
        self.execution = execution
        self.text = room.actions[execution.action.removeprefix("wfconf.")]["file"]
        self.play: chain.ChainRun | None = None

    def begin(self) -> None:
        given = self.execution.parameters
        values = chain.Surroundings(parameters={k: v for k, v in given.items() if k not in ("display_published", "skip_notify", "notify")})
        try:
            definition = chain.parse(self.text)
            self.play = chain.ChainRun.start(definition, values, display_published=given.get("display_published") is not False)
        except ChainError as error:
            return self.execution.change("failed", {"error": error.message, "traceback": "t"})
        return self.carry_out(self.play.advance())

    def carry_out(self, wanted: chain.Step) -> None:
        assert self.play is not None
        if isinstance(wanted, chain.RunTask):
            if self.room.parameters(wanted.ref) is None:
                return self.carry_out(self.play.request_failed(chain.no_such_action(wanted.name, wanted.ref)))
            child = Execution(self.room, wanted.ref, wanted.parameters, self, 0, None, wanted.name)
            self.execution.children.append(child)
            return self.room.request(child)
        if isinstance(wanted, chain.ChainPaused):
            return self.execution.change("paused")
        if isinstance(wanted, chain.ChainFinished):
            result = dict(wanted.result)
            if "error" in result:
                result["traceback"] = "t"
            return self.execution.change(wanted.status, result)
        return None

    def child_changed(self, child: Execution) -> None:
        assert self.play is not None
        if child.status in FINAL or child.status in ("paused", "pending"):
            row = {"id": child.task, "name": child.task, "execution_id": child.id, "liveaction_id": child.id, "workflow": None}
            row |= {"created_at": "2026-01-01T00:00:00.000000Z", "updated_at": "2026-01-01T00:00:01.000000Z"}
            self.play = chain.ChainRun.load(self.play.definition, json.loads(json.dumps(self.play.dump())), self.play.surroundings)
            self.carry_out(self.play.task_ended(child.status, child.result, row))

    def pause(self) -> None:
        assert self.play is not None
        self.execution.change("pausing")
        self.carry_out(self.play.pause())

    def resume(self) -> None:
        assert self.play is not None
        self.execution.change("running")
        self.carry_out(self.play.resume())
