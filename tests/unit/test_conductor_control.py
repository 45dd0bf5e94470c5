"""Pause, resume, cancel, inquiries, reruns, failed requests and crashes, on the conductor alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from st2common.workflows import Conductor, RequestRefused, RerunRefused, parse
from st2common.workflows.commands import Cascade, Command, Finish, SetStatus, StartItems, StartTask, TaskChanged
from st2common.workflows.events import (
    ActionChanged,
    CancelRequested,
    Failed,
    PauseRequested,
    RequestFailed,
    RerunRequested,
    ResumeRequested,
    Started,
)

TWO_BRANCHES = """
version: 1.0
tasks:
  a: {action: core.ask, next: [{publish: [{a: <% result() %>}], do: j}]}
  b: {action: core.noop, next: [{do: b2}]}
  b2: {action: core.noop, next: [{do: j}]}
  j: {join: all, action: core.noop}
output: [{a: <% ctx().a %>}]
"""
ITEMS = """
version: 1.0
tasks:
  w:
    with: {items: "<% range(4) %>", concurrency: 2}
    action: core.echo message="<% item() %>"
    next: [{publish: [{n: "<% result() %>"}]}]
output: [{n: <% ctx().n %>}]
"""


class Bench:
    """A conductor that is saved and loaded around every event."""

    def __init__(self, text: str, **inputs: Any) -> None:
        self.conductor = Conductor.start(parse(text), inputs, {"st2": {}, "parent": {}})
        self.commands: list[Command] = []
        self.finishes: list[Finish] = []
        self.do(Started())

    def do(self, *happened: Any) -> list[Command]:
        self.commands = self.conductor.handle(happened)
        self.finishes += self.of(Finish)
        self.conductor = Conductor.load(self.conductor.spec, json.loads(json.dumps(self.conductor.dump())))
        return self.commands

    def of(self, kind: type[Any]) -> list[Any]:
        return [command for command in self.commands if isinstance(command, kind)]

    def run(self, task: str) -> int:
        return max(number for number, run in self.conductor.state.runs.items() if run.task == task)

    def end(self, task: str, status: str = "succeeded", result: Any = None, item: int | None = None) -> list[Command]:
        return self.do(ActionChanged(self.run(task), status, result, item))

    def started(self) -> list[str]:
        return [command.task_id for command in self.of(StartTask)]

    @property
    def shown(self) -> str:
        return self.conductor.shown_status


def test_inquiry__peer_still_runs__shown_running_then_paused_then_answer_resumes() -> None:
    bench = Bench(TWO_BRANCHES)
    bench.end("a", "pending")
    assert bench.conductor.status == "pausing" and bench.shown == "running" and not bench.of(SetStatus)
    bench.end("b")
    assert bench.of(SetStatus) == [SetStatus("paused")] and bench.started() == []
    bench.end("a", "succeeded", {"response": 1})
    assert bench.started() == ["b2"] and bench.shown == "running"
    bench.end("b2")
    assert bench.started() == ["j"]
    bench.end("j")
    assert bench.finishes == [Finish("succeeded", {"a": {"response": 1}})]


def test_two_inquiries__first_answered__stays_paused() -> None:
    bench = Bench("version: 1.0\ntasks:\n  a: {action: core.ask, next: [{do: c}]}\n  b: {action: core.ask}\n  c: {action: core.noop}\n")
    bench.do(ActionChanged(bench.run("a"), "pending"), ActionChanged(bench.run("b"), "pending"))
    assert bench.shown == "paused"
    bench.end("a")
    assert bench.shown == "paused" and bench.started() == []
    bench.end("b")
    assert bench.started() == ["c"] and bench.shown == "running"


def test_pause_during_last_task__paused__resume_succeeds_without_output() -> None:
    bench = Bench("version: 1.0\ntasks:\n  a: {action: core.noop}\noutput: [{x: 1}]\n")
    bench.do(PauseRequested())
    assert bench.of(SetStatus) == [SetStatus("pausing")] and bench.of(Cascade) == [Cascade("pause", (0,))]
    bench.end("a")
    assert bench.shown == "paused" and not bench.finishes
    bench.do(ResumeRequested())
    assert bench.finishes == [Finish("succeeded", None)]


def test_items__paused_and_resumed__the_rest_runs_in_order() -> None:
    bench = Bench(ITEMS)
    assert [request.item for request in bench.of(StartTask)[0].requests] == [0, 1]
    bench.do(PauseRequested())
    assert TaskChanged(0, "pausing") in bench.commands
    bench.end("w", item=1, result=1)
    assert not bench.of(StartItems) and bench.shown == "pausing"
    bench.end("w", item=0, result=0)
    assert TaskChanged(0, "paused") in bench.commands and bench.shown == "paused"
    bench.do(ResumeRequested())
    assert [request.item for request in bench.of(StartItems)[0].requests] == [2, 3] and bench.shown == "running"
    bench.do(ActionChanged(0, "succeeded", 3, 3), ActionChanged(0, "succeeded", 2, 2))
    assert bench.finishes[0].status == "succeeded"


def test_items__cancel__running_ones_end_and_no_other_starts() -> None:
    bench = Bench(ITEMS)
    bench.do(CancelRequested())
    assert bench.shown == "canceling" and bench.of(Cascade) == [Cascade("cancel", (0,))]
    bench.end("w", item=0)
    assert not bench.of(StartItems)
    bench.end("w", item=1)
    assert bench.finishes[0].status == "canceled" and TaskChanged(0, "canceled") in bench.commands


def test_items__failed_item_with_others_active__others_go_on_until_none_is_active() -> None:
    bench = Bench(ITEMS)
    bench.end("w", "failed", {"e": 1}, 0)
    assert [request.item for request in bench.of(StartItems)[0].requests] == [2]
    bench.end("w", "failed", {"e": 1}, 1)
    assert [request.item for request in bench.of(StartItems)[0].requests] == [3]
    bench.do(ActionChanged(0, "succeeded", 2, 2), ActionChanged(0, "succeeded", 3, 3))
    (finish,) = bench.finishes
    assert finish.status == "failed" and len([entry for entry in finish.errors if "result" in entry]) == 1  # identical entries once


def test_cancel__paused__at_once() -> None:
    bench = Bench(TWO_BRANCHES)
    bench.do(ActionChanged(bench.run("a"), "pending"), ActionChanged(bench.run("b"), "succeeded"))
    assert bench.shown == "paused"
    bench.do(CancelRequested())
    assert bench.finishes[0].status == "canceled" and not bench.of(Cascade)


def test_canceled_child__its_transitions_start_nothing() -> None:
    bench = Bench("version: 1.0\ntasks:\n  a: {action: core.noop, next: [{when: <% completed() %>, do: b}]}\n  b: {action: core.noop}\n")
    bench.end("a", "canceled")
    assert bench.finishes[0].status == "canceled" and bench.started() == []


def test_requests__in_a_final_or_canceling_state__refused() -> None:
    bench = Bench(TWO_BRANCHES)
    bench.do(CancelRequested())
    for request in (PauseRequested(), ResumeRequested()):
        with pytest.raises(RequestRefused):
            bench.conductor.handle([request])


def test_sub_workflow__paused_alone__parent_paused_then_resumed_by_it() -> None:
    bench = Bench("version: 1.0\ntasks:\n  a: {action: p.sub}\n  b: {action: core.noop}\n")
    bench.end("a", "pausing")
    bench.end("a", "paused")
    assert bench.shown == "running"
    bench.end("b")
    assert bench.shown == "paused"
    bench.end("a", "resuming")
    assert bench.shown == "running"
    bench.end("a")
    assert bench.finishes[0].status == "succeeded"


def test_request_failed__rest_not_requested__workflow_fails_without_transitions() -> None:
    bench = Bench(
        "version: 1.0\ntasks:\n  a: {action: core.noop}\n  b: {action: x.y, next: [{when: <% failed() %>, do: d}]}\n"
        "  c: {action: core.noop}\n  d: {action: core.noop}\n"
    )
    bench.do(RequestFailed(bench.run("b"), "SomeError: no", unrequested=(bench.run("c"),)))
    (finish,) = bench.finishes
    assert finish.result == {"output": None, "errors": [{"type": "error", "message": "SomeError: no", "task_id": "b", "route": 0}]}
    assert "c" not in {run.task for run in bench.conductor.state.runs.values()}
    bench.end("a")
    assert bench.started() == [] and len(bench.finishes) == 1


def test_rerun__succeeded_join__only_the_named_branch_runs_again() -> None:
    bench = Bench(TWO_BRANCHES)
    for task in ("a", "b", "b2", "j"):
        bench.end(task)
    bench.do(RerunRequested(("b2",)))
    assert bench.started() == ["b2"] and bench.of(SetStatus) == [SetStatus("running")]
    bench.end("b2")
    assert bench.started() == ["j"]
    bench.end("j")
    assert [finish.status for finish in bench.finishes] == ["succeeded", "succeeded"]


def test_rerun__both_branches__join_waits_for_both() -> None:
    bench = Bench(TWO_BRANCHES)
    for task in ("a", "b", "b2", "j"):
        bench.end(task)
    bench.do(RerunRequested(("a", "b")))
    assert sorted(bench.started()) == ["a", "b"]
    bench.end("a")
    assert bench.started() == []
    bench.end("b")
    bench.end("b2")
    assert bench.started() == ["j"]


def test_rerun__without_names__all_failed_tasks() -> None:
    bench = Bench("version: 1.0\ntasks:\n  a: {action: core.noop}\n  b: {action: core.noop}\n")
    bench.end("a", "failed", 1)
    bench.end("b")
    bench.do(RerunRequested())
    assert bench.started() == ["a"]
    bench.end("a")
    assert bench.finishes[-1].result == {"output": None}


def test_rerun__unknown_or_unfinished__refused() -> None:
    bench = Bench("version: 1.0\ntasks:\n  a: {action: core.noop, next: [{when: <% succeeded() %>, do: b}]}\n  b: {action: core.noop}\n")
    with pytest.raises(RerunRefused, match="not in a completed state"):
        bench.conductor.handle([RerunRequested(("a",))])
    bench.end("a", "failed", 1)
    with pytest.raises(RerunRefused, match="one or more tasks is not found: b"):
        bench.conductor.handle([RerunRequested(("b",))])


def test_crash_between_saving_and_doing__outstanding_gives_the_same_requests() -> None:
    for text, steps in ((TWO_BRANCHES, ("b",)), (ITEMS, ())):
        bench = Bench(text)
        first = bench.of(StartTask)
        assert bench.conductor.outstanding() == first
        for task in steps:
            bench.end(task)
            first = [command for command in first if command.task_id != task] + bench.of(StartTask)
        assert bench.conductor.outstanding() == sorted(first, key=lambda command: command.run)
    bench.do(Failed("lost"))
    assert bench.conductor.outstanding()[-1] == bench.finishes[-1]


def test_stuck__only_when_nothing_is_under_way() -> None:
    bench = Bench(TWO_BRANCHES)
    assert not bench.conductor.is_stuck
    bench.conductor.state.active.clear()
    assert bench.conductor.is_stuck


def test_cycle_without_actions__fails_instead_of_running_for_ever() -> None:
    bench = Bench("version: 1.0\ntasks:\n  a: {next: [{do: b}]}\n  b: {next: [{do: b}]}\n")
    assert bench.finishes[0].status == "failed" and "never end" in bench.finishes[0].errors[0]["message"]


def test_join_on_a_cycle_with_branches_of_different_length__waits_for_both_each_round() -> None:
    bench = Bench(
        """
version: 1.0
vars: [{i: 0}]
tasks:
  init: {action: core.noop, next: [{do: fork}]}
  fork: {action: core.noop, next: [{do: "a, b1"}]}
  a: {action: core.noop, next: [{do: j}]}
  b1: {action: core.noop, next: [{do: b2}]}
  b2: {action: core.noop, next: [{do: j}]}
  j: {join: all, action: core.noop, next: [{when: <% ctx().i < 1 %>, publish: [{i: <% ctx().i + 1 %>}], do: fork}]}
"""
    )
    for task in ("init", "fork", "a", "b1", "b2", "j", "fork", "a"):
        bench.end(task)
    assert bench.started() == []
    bench.end("b1")
    bench.end("b2")
    assert bench.started() == ["j"]


def test_large_variable__published_again_and_again__stored_once() -> None:
    tasks = "".join(f"  t{i}: {{action: core.noop, next: [{{publish: [{{blob: <% ctx().blob %>}}], do: t{i + 1}}}]}}\n" for i in range(20))
    conductor = Conductor.start(parse(f"version: 1.0\ninput: [blob]\ntasks:\n{tasks}  t20: {{action: core.noop}}\n"), {"blob": "x" * 10**6}, {})
    written = 0
    conductor.handle([Started()])
    for _ in range(21):
        parts = conductor.dirty_parts()
        written += len(json.dumps(parts))
        conductor.mark_saved()
        conductor.handle([ActionChanged(max(conductor.state.runs), "succeeded")])
    assert conductor.status == "succeeded" and written < 1_100_000


def test_value_that_is_not_json__fails_the_workflow() -> None:
    bench = Bench("version: 1.0\ntasks:\n  a: {action: core.noop}\noutput: [{r: '{{ range(3) }}'}, {s: 1}]\n")
    bench.end("a")
    (finish,) = bench.finishes
    assert finish.status == "failed" and finish.output == {"s": 1} and finish.errors[0]["message"].startswith("TypeError: Object of type range")


def _names(commands: Iterable[Command]) -> list[str]:
    return [type(command).__name__ for command in commands]


def test_fail_beside_a_task__task_starts_with_the_finish() -> None:
    bench = Bench(
        "version: 1.0\ntasks:\n  a: {action: core.noop, next: [{do: [log, fail]}]}\n  log: {action: core.noop, next: [{do: z}]}\n  z: {action: x.y}\n"
    )
    assert _names(bench.end("a")) == ["TaskChanged", "StartTask", "Finish"]
    assert _names(bench.end("log")) == ["TaskChanged"]
