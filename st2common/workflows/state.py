"""Everything a conductor remembers, as data that can be stored part by part.

A part is a named piece of JSON data: ``core``, ``staged``, ``run.<n>``, ``items.<n>.<chunk>``, ``error.<n>``, ``context.<n>``, ``value.<hash>``.
Only parts that changed since the last save need to be written, so the cost of a step does not grow with what has already happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from st2common import states
from st2common.workflows.contexts import Contexts

VERSION = 1
ACTIVE = frozenset({states.REQUESTED, states.SCHEDULED, states.DELAYED, states.RUNNING, states.RESUMING, states.PAUSING, states.CANCELING})
HELD = frozenset({states.PAUSED, states.PENDING})
CHUNK = 64
"""Items whose statuses are stored together."""


@dataclass(slots=True)
class Items:
    """Progress of a task with items; the statuses of the single items are kept apart, in chunks.

    Args:
        count: how many there are.
        concurrency: how many run at a time, None for all.
        following: index from which items have not been started yet.
        values: the items still to be started, where not all start at once; read from the part ``todo.<n>``.
    """

    count: int
    concurrency: int | None
    following: int = 0
    statuses: list[str | None] = field(default_factory=list)
    values: list[Any] | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def set(self, index: int, status: str) -> str | None:
        """Note an item's status; gives the one before."""
        before = self.statuses[index]
        self.statuses[index] = status
        if before is not None:
            self.counts[before] -= 1
        self.counts[status] = self.counts.get(status, 0) + 1
        return before

    def total(self, statuses: frozenset[str]) -> int:
        """How many items have one of these statuses."""
        return sum(self.counts.get(status, 0) for status in statuses)


@dataclass(slots=True)
class Run:
    """One run of a task (or of an engine command) on one route.

    Args:
        task: id.
        route: number of the route.
        context: number of the context it sees.
        status: as the language sees it: a timed out action makes it ``failed``.
        outcome: the action's own final status.
        prev: runs that led here, each with the inbound transition.
        next: for each transition, whether it was satisfied.
        term: whether its context counts for the output.
        retry: ``{"count", "delay", "when", "tally"}`` with numbers in place of expressions; None without retry.
        items: progress of its items, None for a task without.
        retried: whether another run takes its place.
    """

    task: str
    route: int
    context: int
    status: str = states.RUNNING
    outcome: str | None = None
    prev: list[list[Any]] = field(default_factory=list)
    next: dict[str, bool] = field(default_factory=dict)
    term: bool = False
    retry: dict[str, Any] | None = None
    items: Items | None = None
    retried: bool = False


@dataclass(slots=True)
class Staged:
    """A task that was reached and has not started.

    Args:
        contexts: of the arrivals, in order.
        prev: the arrivals: run and inbound transition.
        ready: whether it may start; a join waits for its branches.
        on_fail: starts although the workflow failed (clean-up beside ``do: fail``).
        retry_of: run that it tries again.
        rerun_of: run whose succeeded items it takes over.
    """

    contexts: list[int]
    prev: list[list[Any]]
    ready: bool = False
    on_fail: bool = False
    retry_of: int | None = None
    rerun_of: int | None = None


class State:
    """The memory of one workflow run. Change runs through ``touch`` and the methods, so that changed parts are known."""

    def __init__(self) -> None:
        self.status = states.REQUESTED
        self.pause_requested = False
        self.finished = False
        self.first_run = 0
        """First run of the present attempt: a rerun is not canceled by what was canceled before it."""
        self.routes: list[list[str]] = [[]]
        self.output: dict[str, Any] | None = None
        self.errors: list[dict[str, Any]] = []
        self.runs: dict[int, Run] = {}
        self.runs_made = 0
        self.staged: dict[tuple[str, int], Staged] = {}
        self.contexts = Contexts()
        self.latest: dict[tuple[str, int], int] = {}
        self.active: set[int] = set()
        self.held: set[int] = set()
        self.canceled: set[int] = set()
        self._dirty: set[str] = {"core", "staged"}
        self._error_keys: set[bytes] = set()

    # --- runs

    def add_run(self, run: Run) -> int:
        """Number of a new run."""
        number = self.runs_made
        self.runs_made += 1
        self.runs[number] = run
        self._index(number, run)
        self.touch(number)
        self._dirty.add("core")
        if run.items:
            self._dirty.update(f"items.{number}.{chunk}" for chunk in range((run.items.count + CHUNK - 1) // CHUNK))
            if run.items.values is not None:
                self._dirty.add(f"todo.{number}")
        return number

    def drop_run(self, number: int) -> None:
        """Forget a run that never happened."""
        run = self.runs.pop(number)
        for known in (self.active, self.held, self.canceled):
            known.discard(number)
        before = [n for n, other in self.runs.items() if (other.task, other.route) == (run.task, run.route)]
        if before:
            self.latest[run.task, run.route] = max(before)
        else:
            self.latest.pop((run.task, run.route), None)
        self.touch(number)

    def touch(self, number: int) -> None:
        """A run changed."""
        self._dirty.add(f"run.{number}")

    def set_status(self, number: int, status: str) -> None:
        """Give a run a status."""
        self.runs[number].status = status
        self._sort(number, status)
        self.touch(number)

    def set_item(self, number: int, index: int, status: str) -> str | None:
        """Give an item a status; returns the one before."""
        items = self.runs[number].items
        assert items is not None
        self._dirty.add(f"items.{number}.{index // CHUNK}")
        return items.set(index, status)

    def _index(self, number: int, run: Run) -> None:
        self.latest[run.task, run.route] = number
        self._sort(number, run.status)

    def _sort(self, number: int, status: str) -> None:
        for known, members in ((self.active, ACTIVE), (self.held, HELD), (self.canceled, (states.CANCELED, states.CANCELING))):
            if status in members:
                known.add(number)
            else:
                known.discard(number)

    # --- the rest

    def change(self) -> None:
        """Status, flags, routes or output changed."""
        self._dirty.add("core")

    def change_staged(self) -> None:
        """Staged tasks changed."""
        self._dirty.add("staged")

    def log(self, entry: dict[str, Any]) -> None:
        """Add to the errors; an identical entry is kept once."""
        key = orjson.dumps(entry, default=repr, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        if key not in self._error_keys:
            self._error_keys.add(key)
            self._dirty.add(f"error.{len(self.errors)}")
            self.errors.append(entry)

    def log_error(self, message: str, task: str | None = None, route: int | None = None, transition: str | None = None, result: Any = None) -> None:
        """Add an error entry (workflows.md 6.9); what is None is left out."""
        entry = {"type": "error", "message": message, "task_id": task, "route": route, "task_transition_id": transition, "result": result}
        self.log({key: value for key, value in entry.items() if value is not None})

    # --- storing

    def dirty_parts(self) -> dict[str, Any]:
        """Parts that changed since ``mark_saved``; None for one that is gone."""
        parts = self.contexts.unsaved_parts()
        for name in sorted(self._dirty):
            parts[name] = self._part(name)
        return parts

    def mark_saved(self) -> None:
        """What ``dirty_parts`` gave has been written."""
        self._dirty.clear()
        self.contexts.saved()

    def all_parts(self) -> dict[str, Any]:
        """The whole state."""
        return self.contexts.all_parts() | {name: self._part(name) for name in self._names()}

    def _names(self) -> Iterator[str]:
        yield from ("core", "staged")
        yield from (f"error.{number}" for number in range(len(self.errors)))
        for number, run in self.runs.items():
            yield f"run.{number}"
            if run.items:
                yield from (f"items.{number}.{chunk}" for chunk in range((run.items.count + CHUNK - 1) // CHUNK))
                if run.items.values is not None:
                    yield f"todo.{number}"

    def _part(self, name: str) -> Any:
        kind, _, rest = name.partition(".")
        if kind == "core":
            return self._core()
        if kind == "staged":
            return [_staged_part(task, route, entry) for (task, route), entry in self.staged.items()]
        if kind == "error":
            return self.errors[int(rest)]
        number, _, chunk = rest.partition(".")
        run = self.runs.get(int(number))
        if run is None:
            return None
        if kind == "run":
            return _run_part(run)
        assert run.items is not None
        if kind == "todo":
            return run.items.values
        return run.items.statuses[int(chunk) * CHUNK : (int(chunk) + 1) * CHUNK]

    def _core(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "status": self.status,
            "pause_requested": self.pause_requested,
            "finished": self.finished,
            "first_run": self.first_run,
            "runs_made": self.runs_made,
            "routes": [list(route) for route in self.routes],
            "output": self.output,
        }

    @classmethod
    def load(cls, parts: Mapping[str, Any]) -> State:
        """The state from its parts, in any order. Parts that are None are ignored."""
        parts = {name: part for name, part in parts.items() if part is not None}
        state = cls()
        core = parts["core"]
        state.status = core["status"]
        state.pause_requested = core["pause_requested"]
        state.finished = core["finished"]
        state.first_run = core["first_run"]
        state.runs_made = core["runs_made"]
        state.routes = [list(route) for route in core["routes"]]
        state.output = core["output"]
        state.contexts = Contexts.load(parts)
        for entry in parts["staged"]:
            body = {key: value for key, value in entry.items() if key not in ("task", "route")}
            state.staged[entry["task"], entry["route"]] = Staged(**body)
        errors = {int(name[len("error.") :]): part for name, part in parts.items() if name.startswith("error.")}
        for number in sorted(errors):
            state.log(errors[number])
        for number in sorted(int(name[len("run.") :]) for name in parts if name.startswith("run.")):
            state.runs[number] = run = _load_run(number, parts)
            state._index(number, run)
        state._dirty.clear()
        return state


def _staged_part(task: str, route: int, entry: Staged) -> dict[str, Any]:
    return {
        "task": task,
        "route": route,
        "contexts": list(entry.contexts),
        "prev": list(entry.prev),
        "ready": entry.ready,
        "on_fail": entry.on_fail,
        "retry_of": entry.retry_of,
        "rerun_of": entry.rerun_of,
    }


def _run_part(run: Run) -> dict[str, Any]:
    items = run.items
    part = {
        "task": run.task,
        "route": run.route,
        "context": run.context,
        "status": run.status,
        "outcome": run.outcome,
        "prev": run.prev,
        "next": dict(run.next),
        "term": run.term,
        "retry": run.retry,
        "retried": run.retried,
    }
    return part | ({"items": {"count": items.count, "concurrency": items.concurrency, "following": items.following}} if items else {})


def _load_run(number: int, parts: Mapping[str, Any]) -> Run:
    part = dict(parts[f"run.{number}"])
    body = part.pop("items", None)
    run = Run(**part)
    if body is not None:
        items = run.items = Items(**body)
        for chunk in range((items.count + CHUNK - 1) // CHUNK):
            items.statuses += parts[f"items.{number}.{chunk}"]
        items.values = parts.get(f"todo.{number}")
        for status in items.statuses:
            if status is not None:
                items.counts[status] = items.counts.get(status, 0) + 1
    return run
