"""What came of every unit, read from the database and from the file that the actions wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from st2common import states
from st2common.models.fields import unpack_json
from st2common.platform import Platform
from tests.faults.load import Unit

_OPEN = sorted({states.REQUESTED, states.SCHEDULED, states.DELAYED, states.RUNNING, states.CANCELING})


@dataclass
class Row:
    """Counts of one phase; ``problems`` are broken promises, ``remarks`` tell why actions failed."""

    phase: str
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    unknown_done: int = 0
    retries: int = 0
    final: int = 0
    abandoned: int = 0
    failed: int = 0
    twice: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def header(cls) -> str:
        """Names of the columns."""
        return (
            f"{'fault':44}{'sent':>6}{'accepted':>10}{'refused':>9}{'unknown':>9}{'(of them done)':>16}{'retries':>9}"
            f"{'final':>7}{'abandoned':>11}{'failed':>8}{'twice':>7}{'lost':>6}"
        )

    def __str__(self) -> str:
        return (
            f"{self.phase:44}{self.sent:6}{self.accepted:10}{self.refused:9}{self.unknown:9}{self.unknown_done:16}{self.retries:9}"
            f"{self.final:7}{self.abandoned:11}{self.failed:8}{self.twice:7}{self.lost:6}"
        )


def open_work(platform: Platform) -> dict[str, int]:
    """What is not done yet: executions by status, and events."""
    executions, instances = platform.store.executions.collection, platform.store.instances.collection
    found = Counter(row["status"] for row in executions.find({"status": {"$in": _OPEN}}, ["status"]))
    found["events"] = instances.count_documents({"open": {"$gt": 0}})
    return {key: count for key, count in found.items() if count}


def judge(platform: Platform, units: Sequence[Unit], ledger: Path) -> list[Row]:
    """One row per phase, in the order of the phases."""
    by_unit = _executions(platform)
    written = Counter(ledger.read_text().split()) if ledger.exists() else Counter()
    rows: dict[str, Row] = {}
    for unit in units:
        row = rows.setdefault(unit.phase, Row(unit.phase))
        _count(row, unit, by_unit.get(unit.id, []), written[unit.id])
    enforced = Counter(
        (row["trigger_instance_id"], row["rule_id"]) for row in platform.store.enforcements.collection.find({"rule_ref": "default.faults"})
    )
    doubled = [pair for pair, count in enforced.items() if count > 1]
    if doubled and rows:
        next(iter(rows.values())).problems.append(f"enforced more than once: {doubled[:3]}")
    return list(rows.values())


def _count(row: Row, unit: Unit, executions: list[dict[str, Any]], lines: int) -> None:
    row.sent += 1
    row.retries += unit.retries
    setattr(row, unit.outcome, getattr(row, unit.outcome) + 1)
    statuses = [execution["status"] for execution in executions]
    row.final += sum(status in states.FINAL for status in statuses)
    row.abandoned += statuses.count(states.ABANDONED)
    row.failed += sum(status in (states.FAILED, states.TIMEOUT, states.CANCELED) for status in statuses)
    say = row.problems.append
    if len(executions) > 1 or lines > 1:
        row.twice += 1
        say(f"{unit.kind} {unit.id} ({unit.outcome}): {len(executions)} executions, ran {lines} times")
    if unit.outcome == "accepted" and not executions:
        row.lost += 1
        say(f"{unit.kind} {unit.id} was accepted and never became an execution")
    if unit.outcome == "refused" and executions:
        say(f"{unit.kind} {unit.id} was refused ({unit.error}) and became an execution all the same")
    if unit.outcome == "unknown":
        row.unknown_done += bool(executions)
    for execution in executions:
        _check(row, unit, execution, lines)


def _check(row: Row, unit: Unit, execution: dict[str, Any], lines: int) -> None:
    status = execution["status"]
    if status not in states.FINAL:
        row.problems.append(f"{unit.kind} {unit.id} is still {status}")
    if status == states.SUCCEEDED and unit.kind != "python" and lines != 1:
        row.lost += lines == 0
        row.problems.append(f"{unit.kind} {unit.id} succeeded, but ran {lines} times")
    if status == states.FAILED:
        row.remarks.append(f"{unit.kind} {unit.id} failed: {str(unpack_json(execution.get('result')))[:300]}")
    runs = sum(entry[1] == states.RUNNING for entry in execution["log"])
    if runs > 1:
        row.twice += 1
        row.problems.append(f"{unit.kind} {unit.id} was claimed {runs} times")


def _executions(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    """Executions by unit: the id stands in the context, or in the body of the event."""
    found: dict[str, list[dict[str, Any]]] = {}
    fields = ["status", "context", "trigger_instance", "log", "result"]
    for row in platform.store.executions.collection.find({}, fields):
        instance = unpack_json(row.get("trigger_instance"))
        unit = instance["payload"]["body"].get("id") if instance else (unpack_json(row.get("context"), {})).get("unit")
        if unit:
            found.setdefault(unit, []).append(row)
    return found
