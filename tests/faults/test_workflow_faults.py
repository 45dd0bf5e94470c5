"""A workflow outlives every process it depends on, and starts no task twice.

In ``make test``: runs in which each process is killed at some step. In ``make faults``: a run for each process and each step,
and one in which every step kills the next process in turn; over RabbitMQ, too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.workflows import BROKER, OPTIONS, STEPS, VICTIMS, Outcome, WorkflowFaults, report
from tests.running import RabbitMq, RunningPlatform, rabbitmq_binary

_LONG = os.environ.get("ST2_FAULTS") == "long"


def _plans(victims: Sequence[str]) -> list[dict[int, str]]:
    if not _LONG:
        engine, worker, database, broker = victims
        return [{}, {2: engine, 5: database, 8: broker, 11: engine}, {7: worker}]
    single = [{step: victim} for victim in victims for step in range(1, STEPS + 1)]
    return [{}, *single, {step: victims[step % len(victims)] for step in range(1, STEPS + 1)}]


def _check(faults: WorkflowFaults, victims: Sequence[str]) -> None:
    outcomes: list[Outcome] = []
    try:
        for plan in _plans(victims):
            outcomes.append(faults.run(plan))
    finally:
        problems = report(outcomes)
        faults.close()
    assert not problems, problems[:10]
    assert outcomes[0].lines == STEPS


@pytest.mark.timeout(3600 if _LONG else 300)
def test_a_workflow_outlives_every_process(tmp_path: Path) -> None:
    """Over the embedded servers."""
    with RunningPlatform(tmp_path / "data", options=OPTIONS) as running:
        _check(WorkflowFaults(tmp_path, running), VICTIMS)


@pytest.mark.rabbitmq
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not _LONG, reason="the long form only: make faults")
@pytest.mark.skipif(rabbitmq_binary() is None, reason="RabbitMQ is not installed")
def test_a_workflow_outlives_every_process_rabbitmq(tmp_path: Path) -> None:
    """Over RabbitMQ."""
    (tmp_path / "rabbitmq").mkdir()
    with RabbitMq(tmp_path / "rabbitmq") as broker, RunningPlatform(tmp_path / "data", options=OPTIONS, messaging_url=broker.url) as running:
        _check(WorkflowFaults(tmp_path, running, broker), ("st2engines", "st2actionrunner", "db", BROKER))
