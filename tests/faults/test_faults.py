"""Promises 2, 3 and 4 of the architecture, shown by killing: nothing accepted is lost, nothing runs twice, everything becomes final."""

from __future__ import annotations

import os

import pytest

from tests.faults.scenario import LONG, SHORT, report, scenario
from tests.running import rabbitmq_binary

_TIMING = LONG if os.environ.get("ST2_FAULTS") == "long" else SHORT
_LIMIT_S = 3600 if _TIMING is LONG else 300


def _run(broker: str) -> None:
    with scenario(broker, _TIMING) as run:
        rows = run.run()
        problems = report(rows, run.still_open)
        accepted = sum(row.accepted for row in rows)
        abandoned = sum(row.abandoned for row in rows if "st2actionrunner" in row.phase)
    assert not problems, problems[:10]
    assert accepted > 20
    assert abandoned > 0, "what ran in a killed worker is abandoned"


@pytest.mark.timeout(_LIMIT_S)
def test_every_process_killed_in_turn() -> None:
    """Over the embedded servers."""
    _run("embedded")


@pytest.mark.rabbitmq
@pytest.mark.timeout(_LIMIT_S)
@pytest.mark.skipif(_TIMING is SHORT, reason="the long form only: make faults")
@pytest.mark.skipif(rabbitmq_binary() is None, reason="RabbitMQ is not installed")
def test_every_process_killed_in_turn_rabbitmq() -> None:
    """Over RabbitMQ."""
    _run("rabbitmq")
