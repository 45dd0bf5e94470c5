"""Speed of the conductor alone: ``python tests/benchmarks/bench_conductor.py``.

A transition is one task that ends and what it starts: event in, expressions evaluated, state changed, commands out, changed parts collected.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import orjson

from st2common.workflows import events
from st2common.workflows.commands import Command, StartItems, StartTask
from st2common.workflows.conductor import Conductor
from st2common.workflows.spec import parse

RESULT = {"failed": False, "succeeded": True, "return_code": 0, "stdout": "ok", "stderr": ""}


def drive(conductor: Conductor, reload: bool = False) -> tuple[int, int]:
    """Run to the end; gives the number of ended tasks and items, and the bytes that saving took."""
    store: dict[str, object] = {}
    todo: list[tuple[int, int | None]] = []
    ended = written = 0
    happened: list[events.Event] = [events.Started()]
    while happened:
        commands: list[Command] = conductor.handle(happened)
        parts = conductor.dirty_parts()
        written += len(orjson.dumps(parts))
        conductor.mark_saved()
        if reload:
            store |= json.loads(json.dumps(parts))
            conductor = Conductor.load(conductor.spec, store, conductor.means)
        for command in commands:
            if isinstance(command, (StartTask, StartItems)):
                todo += [(command.run, request.item) for request in command.requests]
        happened = []
        if todo:
            run, item = todo.pop(0)
            happened.append(events.ActionChanged(run, "succeeded", RESULT, item))
            ended += 1
    assert conductor.status == "succeeded", conductor.status
    return ended, written


def chain(length: int, expressions: bool) -> str:
    """Tasks in a row."""
    lines = ["version: 1.0", "vars: [{n: 0}]", "tasks:"]
    for i in range(length):
        lines.append(f"  t{i:04}:")
        lines.append("    action: core.echo" + (' message="<% ctx().n %>"' if expressions else ""))
        if i + 1 < length:
            publish = "publish: [{n: <% ctx().n + 1 %>}, {r: <% result().stdout %>}], " if expressions else ""
            when = "when: <% succeeded() %>, " if expressions else ""
            lines.append(f"    next: [{{{when}{publish}do: t{i + 1:04}}}]")
    return "\n".join(lines)


def fan(width: int) -> str:
    """One task, many branches, a join."""
    lines = ["version: 1.0", "tasks:", "  a: {action: core.noop, next: [{do: [" + ", ".join(f"b{i:04}" for i in range(width)) + "]}]}"]
    lines += [f"  b{i:04}: {{action: core.noop, next: [{{when: <% succeeded() %>, publish: [{{v{i}: 1}}], do: j}}]}}" for i in range(width)]
    return "\n".join([*lines, "  j: {join: all, action: core.noop}"])


def loop(rounds: int) -> str:
    """A counter that goes round."""
    return f"""
version: 1.0
vars: [{{i: 0}}]
tasks:
  init: {{action: core.noop, next: [{{do: work}}]}}
  work:
    action: core.noop
    next:
      - {{when: "<% succeeded() and ctx().i < {rounds} %>", publish: [{{i: <% ctx().i + 1 %>}}], do: work}}
"""


def items(count: int, concurrency: int | None) -> str:
    """One task with items."""
    limit = f", concurrency: {concurrency}" if concurrency else ""
    return f"""
version: 1.0
vars: [{{xs: <% range({count}) %>}}]
tasks:
  t1:
    with: {{items: x in <% ctx().xs %>{limit}}}
    action: core.echo message="<% item(x) %>"
    next: [{{when: <% succeeded() %>, publish: [{{n: <% result().len() %>}}], do: t2}}]
  t2: {{action: core.noop}}
"""


def big(tasks: int) -> str:
    """A context of one megabyte passed along."""
    lines = ["version: 1.0", "input: [blob]", "tasks:"]
    for i in range(tasks):
        following = f", next: [{{publish: [{{blob: <% ctx().blob %>}}, {{n{i}: 1}}], do: t{i + 1:02}}}]" if i + 1 < tasks else ""
        lines.append(f"  t{i:02}: {{action: core.noop{following}}}")
    return "\n".join(lines)


def measure(name: str, make: Callable[[], Conductor], repeat: int, reload: bool = False) -> None:
    """Print one row: the best of some runs."""
    best, ended, written = 1e9, 0, 0
    for _ in range(repeat):
        conductor = make()
        begin = time.perf_counter()
        ended, written = drive(conductor, reload)
        best = min(best, time.perf_counter() - begin)
    print(f"{name:44} {ended:6} ended  {ended / best:9.0f}/s  {best / ended * 1e6:8.1f} us each  {written / ended:9.0f} bytes saved each")


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeat", type=int, default=3)
    repeat = options.parse_args().repeat
    blob = {"blob": "x" * 1_000_000}
    rows: list[tuple[str, str, dict[str, object], bool]] = [
        ("100 tasks in a row, no expressions", chain(100, False), {}, False),
        ("100 tasks in a row, when/publish/input", chain(100, True), {}, False),
        ("100 tasks, loaded from its parts each time", chain(100, True), {}, True),
        ("loop of 500 rounds", loop(500), {}, False),
        ("fork of 100, join all", fan(100), {}, False),
        *[(f"{n} items", items(n, None), {}, False) for n in (10, 100, 1000)],
        *[(f"{n} items, concurrency 10", items(n, 10), {}, False) for n in (100, 1000)],
        ("1 MB context through 20 tasks", big(20), dict(blob), False),
    ]
    for name, text, inputs, reload in rows:
        spec = parse(text)
        measure(name, lambda spec=spec, inputs=inputs: Conductor.start(spec, inputs, {"st2": {}, "parent": {}}), repeat, reload)  # type: ignore[misc]


if __name__ == "__main__":
    main()
