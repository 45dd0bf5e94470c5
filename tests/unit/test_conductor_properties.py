"""Properties of the conductor over random graphs and random orders of completion."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from st2common.workflows import events
from st2common.workflows.commands import Command, Finish, StartItems, StartTask
from st2common.workflows.conductor import Conductor
from st2common.workflows.spec import COMMANDS, parse

FINAL = {"succeeded", "failed", "canceled"}


@dataclass
class Played:
    """What a run did."""

    conductor: Conductor
    started: list[StartTask] = field(default_factory=list)
    finishes: list[Finish] = field(default_factory=list)

    @property
    def tasks(self) -> Counter[str]:
        return Counter(command.task_id for command in self.started)


def play(text: str, choose: Any, outcome: Any = lambda task: "succeeded", disturb: Any = None, twice: bool = False, most: int = 3000) -> Played:
    """Run a definition; ``choose(n)`` picks which of n running actions ends next, ``disturb(conductor)`` may give further events."""
    conductor = Conductor.start(parse(text), {}, {"st2": {}, "parent": {}})
    played = Played(conductor)
    running: list[tuple[int, str, int | None]] = []
    store: dict[str, Any] = {}

    def take(commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, StartTask):
                played.started.append(command)
                running.extend((command.run, command.task_id, request.item) for request in command.requests)
            elif isinstance(command, StartItems):
                task = next(one.task_id for one in played.started if one.run == command.run)
                running.extend((command.run, task, request.item) for request in command.requests)
            elif isinstance(command, Finish):
                played.finishes.append(command)

    def feed(*happened: events.Event) -> None:
        nonlocal conductor
        take(conductor.handle(happened))
        if twice:
            assert conductor.handle([event for event in happened if isinstance(event, (events.ActionChanged, events.Started))]) == []
        store.update(conductor.dirty_parts())
        conductor.mark_saved()
        if len(conductor.state.runs) < 40:  # saved part by part is saved whole
            whole = conductor.dump()
            assert json.loads(json.dumps({name: store.get(name) for name in whole})) == json.loads(json.dumps(whole))
            conductor = played.conductor = Conductor.load(conductor.spec, json.loads(json.dumps(store)))

    feed(events.Started())
    for _ in range(most):
        if disturb is not None:
            more = disturb(conductor)
            if more:
                feed(*more)
        if not running:
            break
        run, task, item = running.pop(choose(len(running)))
        feed(events.ActionChanged(run, outcome(task), {"t": task}, item))
    assert not running or most < 3000, "did not end"
    assume(not running)  # counters of nested loops multiply; such a graph ends, but not soon
    return played


@st.composite
def definitions(draw: st.DrawFn, joins_everywhere: bool = False, loops: bool = False, counted: bool = True) -> str:
    """A random workflow: forward transitions, some joins, conditions, publishes, items, commands and (bounded) ways back."""
    count = draw(st.integers(1, 7))
    names = [f"t{i}" for i in range(count)]
    pointed: Counter[str] = Counter()
    tasks: dict[str, Any] = {}
    for i, name in enumerate(names):
        entries = []
        for target in names[i + 1 :]:
            if draw(st.integers(0, 2)) == 0:
                when = None if joins_everywhere else draw(st.sampled_from([None, "<% succeeded() %>", "<% failed() %>", "<% completed() %>"]))
                pointed[target] += 1
                entries.append(({"when": when} if when else {}) | {"publish": [{f"v_{name}": 1}, {"m": {name: {target: 1}}}], "do": target})
        if not joins_everywhere and draw(st.integers(0, 3)) == 0:
            entries.append({"when": "<% failed() %>", "do": draw(st.sampled_from(["noop", "fail", "continue"]))})
        if loops and i and draw(st.integers(0, 4)) == 0:
            back = draw(st.sampled_from(names[1 : i + 1]))
            entries.append({"when": f"<% ctx().get(r_{name}, 0) < 2 %>", "publish": [{f"r_{name}": f"<% ctx().get(r_{name}, 0) + 1 %>"}], "do": back})
            pointed[back] += 1
        tasks[name] = {"action": "core.noop"} | ({"next": entries} if entries else {})
        if not joins_everywhere and draw(st.integers(0, 5)) == 0:
            tasks[name]["with"] = {"items": "<% range(3) %>", "concurrency": draw(st.integers(1, 3))}
    for name, times in pointed.items():
        if times > 1 and (joins_everywhere or draw(st.booleans())):
            tasks[name]["join"] = "all" if joins_everywhere else draw(st.sampled_from(["all", 1, 2] if counted else ["all"]))
    return yaml.safe_dump({"version": 1.0, "tasks": tasks, "output": [{"all": "<% ctx() %>"}]})


@settings(max_examples=150, deadline=None)
@given(definitions(), st.randoms(use_true_random=False))
def test_random_graph__random_order__ends_and_takes_each_arrival_once(text: str, random: Any) -> None:
    played = play(text, random.randrange, lambda task: random.choice(["succeeded", "succeeded", "failed"]))
    state = played.conductor.state
    assert played.conductor.status in FINAL and len(played.finishes) == 1
    assert not state.active and not state.held
    arrivals = Counter(tuple(arrival) + (run.task,) for run in state.runs.values() for arrival in run.prev)
    assert all(times == 1 for times in arrivals.values())
    for run in state.runs.values():
        assert run.prev or run.task in played.conductor.spec.graph.starts
        assert all(state.runs[number].next[f"{run.task}__{inbound.rpartition('__')[2]}"] for number, inbound in run.prev)
    assert sum(run.task not in COMMANDS for run in state.runs.values()) == len(played.started)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(definitions(loops=True), st.randoms(use_true_random=False))
def test_random_cycles__bounded_by_counters__end(text: str, random: Any) -> None:
    spec = parse(text)
    if not spec.graph.starts or any(task in spec.graph.cyclic for task in spec.graph.splits):
        return
    played = play(text, random.randrange, most=400)
    assert played.conductor.status in FINAL and len(played.finishes) == 1


@settings(max_examples=100, deadline=None)
@given(definitions(joins_everywhere=True), st.randoms(use_true_random=False))
def test_joins_of_branches_that_publish_different_things__any_order__same_output(text: str, random: Any) -> None:
    first = play(text, lambda n: 0)
    other = play(text, random.randrange)
    assert first.conductor.status == other.conductor.status == "succeeded"
    assert first.tasks == other.tasks and set(first.tasks.values()) == {1}
    assert first.finishes[0].output == other.finishes[0].output


@settings(max_examples=60, deadline=None)
@given(definitions(), st.randoms(use_true_random=False))
def test_every_event_delivered_twice__nothing_more_happens(text: str, random: Any) -> None:
    order, outcomes = random.randrange(1 << 30), random.randrange(1 << 30)

    def once(twice: bool) -> Played:
        picks = __import__("random").Random(order)
        ends = __import__("random").Random(outcomes)
        return play(text, picks.randrange, lambda task: ends.choice(["succeeded", "failed"]), twice=twice)

    single, double = once(False), once(True)
    assert single.started == double.started and single.finishes == double.finishes


@settings(max_examples=80, deadline=None)
@given(definitions(counted=False), st.randoms(use_true_random=False))  # what "join: 2" sees depends on time
def test_pauses_and_resumes_at_random__same_tasks_as_without(text: str, random: Any) -> None:
    def disturb(conductor: Conductor) -> list[events.Event]:
        if conductor.status == "paused":
            return [events.ResumeRequested()]
        if conductor.status == "running" and random.random() < 0.3:
            return [events.PauseRequested()]
        return []

    calm = play(text, lambda n: 0)
    paused = play(text, lambda n: 0, disturb=disturb)
    assert calm.conductor.status == paused.conductor.status
    assert calm.tasks == paused.tasks


@settings(max_examples=60, deadline=None)
@given(definitions(), st.randoms(use_true_random=False))
def test_cancel_at_random__ends_canceled_or_was_over(text: str, random: Any) -> None:
    asked: list[int] = []

    def disturb(conductor: Conductor) -> list[events.Event]:
        if not asked and conductor.status == "running" and random.random() < 0.4:
            asked.append(len(conductor.state.runs))
            return [events.CancelRequested()]
        return []

    played = play(text, random.randrange, disturb=disturb)
    assert len(played.finishes) == 1
    if asked:
        assert played.conductor.status == "canceled"
        assert len([run for run in played.conductor.state.runs.values() if run.task not in COMMANDS]) <= asked[0]
