"""Schedules of timers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from st2common.exceptions import Invalid
from st2common.triggers import INTERNAL_TRIGGER_TYPES, validate_trigger_parameters
from st2reactor.timers.schedule import ScheduleError, build_schedule, fire_payload, trace_tag

START = datetime(2024, 2, 27, 22, 58, 30, tzinfo=UTC)


def _fires(timer: str, parameters: dict[str, Any], count: int = 3, start: datetime = START) -> list[str]:
    schedule = build_schedule(f"core.st2.{timer}", parameters, start=start)
    moment, found = None, []
    for _ in range(count):
        moment = schedule.next_fire_time(moment, moment or start)
        if moment is None:
            break
        found.append(moment.isoformat())
    return found


def test_interval__zero__acts_as_one_second() -> None:
    assert _fires("IntervalTimer", {"unit": "hours", "delta": 0}, 2) == ["2024-02-27T22:58:31+00:00", "2024-02-27T22:58:32+00:00"]


@pytest.mark.parametrize("delta", [-1, 10**12])
def test_interval__out_of_range__refused(delta: int) -> None:
    with pytest.raises(ScheduleError):
        build_schedule("core.st2.IntervalTimer", {"unit": "weeks", "delta": delta}, start=START)


def test_date__past__skipped() -> None:
    schedule = build_schedule("core.st2.DateTimer", {"date": "2024-02-27 22:58:29"}, start=START)
    assert schedule.is_expired
    assert schedule.next_fire_time(None, START) is None


def test_date__time_only__today_in_the_zone() -> None:
    assert _fires("DateTimer", {"date": "23:30", "timezone": "Asia/Tokyo"}) == ["2024-02-28T23:30:00+09:00"]


def test_date__no_zone__local_zone() -> None:
    schedule = build_schedule("core.st2.DateTimer", {"date": "2025-07-01 10:00", "timezone": None}, start=START, local_zone="Europe/Berlin")
    assert schedule.next_fire_time(None, START) == datetime(2025, 7, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd", "America", "/abs"])
def test_zone__unknown__refused_when_scheduled_only(zone: str) -> None:
    for timer, parameters in (("CronTimer", {"hour": 1}), ("IntervalTimer", {"unit": "days", "delta": 1}), ("DateTimer", {"date": "2025-01-01"})):
        parameters = {**parameters, "timezone": zone}
        assert validate_trigger_parameters(f"core.st2.{timer}", parameters)
        with pytest.raises(ScheduleError, match="No time zone"):
            build_schedule(f"core.st2.{timer}", parameters, start=START)


@pytest.mark.parametrize(
    ("field", "expression"),
    [("day_of_week", "fri-mon"), ("day", "6th mon"), ("month", "foo"), ("minute", ""), ("second", "60"), ("hour", "*/0"), ("week", "54")],
)
def test_cron__wrong_expression__names_the_field(field: str, expression: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate_trigger_parameters("core.st2.CronTimer", {field: expression, "timezone": "Nowhere"})
    assert caught.value.path == field


@pytest.mark.parametrize(
    ("parameters", "first"),
    [
        ({}, "2024-02-27T22:58:30+00:00"),
        ({"hour": None}, "2024-02-27T22:58:30+00:00"),
        ({"minute": 5}, "2024-02-27T23:05:00+00:00"),
        ({"day": 1}, "2024-03-01T00:00:00+00:00"),
        ({"day_of_week": "mon#1"}, "2024-03-04T00:00:00+00:00"),
        ({"day": "last", "hour": "6/6"}, "2024-02-29T06:00:00+00:00"),
    ],
)
def test_cron__defaults(parameters: dict[str, Any], first: str) -> None:
    assert _fires("CronTimer", parameters, 1) == [first]


def test_cron__end_of_summer_time__each_pass_of_the_hour_once() -> None:
    found = _fires("CronTimer", {"timezone": "Europe/London", "minute": "*/30"}, 5, datetime(2024, 10, 27, 0, 10, tzinfo=UTC))
    assert found == [
        "2024-10-27T01:30:00+01:00",
        "2024-10-27T01:00:00+00:00",
        "2024-10-27T01:30:00+00:00",
        "2024-10-27T02:00:00+00:00",
        "2024-10-27T02:30:00+00:00",
    ]


ZONES = st.sampled_from(["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata"])
STARTS = st.one_of(
    st.datetimes(datetime(2024, 10, 26), datetime(2024, 11, 4)),
    st.datetimes(datetime(2024, 3, 9), datetime(2024, 4, 8)),
)


@settings(max_examples=150, deadline=None)
@given(
    zone=ZONES,
    start=STARTS,
    fields=st.fixed_dictionaries(
        {},
        optional={
            "hour": st.sampled_from(["*", "1", "1-2", "2", 0]),
            "minute": st.sampled_from(["*/30", "*/7", 30, "59"]),
            "second": st.sampled_from([0, "*/20"]),
        },
    ),
)
def test_cron__any_zone_and_time_of_change__fire_times_rise(zone: str, start: datetime, fields: dict[str, Any]) -> None:
    start = start.replace(tzinfo=UTC)
    schedule = build_schedule("core.st2.CronTimer", {**fields, "timezone": zone}, start=start)
    moment = schedule.next_fire_time(None, start)
    assert moment is not None
    assert moment.astimezone(UTC) >= start
    for _ in range(20):
        following = schedule.next_fire_time(moment, moment)
        assert following is not None
        assert following.astimezone(UTC) > moment.astimezone(UTC)
        moment = following


def test_other_type__refused() -> None:
    with pytest.raises(ScheduleError, match="is not a timer"):
        build_schedule("core.st2.webhook", {"url": "x"}, start=START)


def test_payload_and_tag() -> None:
    moment = datetime(2026, 11, 22, 13, 14, 9, 667210, tzinfo=UTC) + timedelta(0)
    assert fire_payload(moment) == {"executed_at": "2026-11-22 13:14:09.667210+00:00", "schedule": None}
    assert trace_tag("core.st2.IntervalTimer", "e45291af") == "st2.IntervalTimer-e45291af"


def test_webhook_parameters() -> None:
    assert validate_trigger_parameters("core.st2.webhook", {"url": "a/b"})
    for parameters in ({}, None, {"url": 5}, {"url": "x", "more": 1}):
        with pytest.raises(Invalid):
            validate_trigger_parameters("core.st2.webhook", parameters)
    assert not validate_trigger_parameters("core.st2.generic.inquiry", {"x": 1})
    assert not validate_trigger_parameters("mine.type", {"x": 1})


def test_unit__wrong__named() -> None:
    with pytest.raises(Invalid) as caught:
        validate_trigger_parameters("core.st2.IntervalTimer", {"unit": "fortnights", "delta": 7})
    assert caught.value.path == "unit"
    assert "'fortnights' is not one of" in str(caught.value)
    assert "'unit'" in str(caught.value)


def test_table__fourteen_types_of_core() -> None:
    assert len(INTERNAL_TRIGGER_TYPES) == 14
    assert all(ref == row.ref and row.pack == "core" and row.description for ref, row in INTERNAL_TRIGGER_TYPES.items())
