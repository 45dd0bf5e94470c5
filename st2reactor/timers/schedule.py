"""When a timer fires: from trigger type and parameters to fire times (reactor.md 4). Pure: moments come in as arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from dateutil import parser as date_parser

from st2common.cron import cron_trigger
from st2common.exceptions import Invalid
from st2common.triggers import CRON_TIMER, DATE_TIMER, INTERVAL_TIMER, TIMER_TRIGGER_TYPES, validate_trigger_parameters

MISFIRE_GRACE = timedelta(seconds=1)
"""A fire that comes later than this is missed; missed fires are merged into one."""


class ScheduleError(Invalid):
    """The parameters give no schedule: unknown zone, unreadable date, interval out of range. The timer never starts."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The fire times of one timer.

    Attributes:
        trigger: APScheduler's.
        zone: in which the parameters are read and fire times are given.
        start: moment of scheduling.
    """

    trigger: BaseTrigger
    zone: tzinfo
    start: datetime

    @property
    def is_expired(self) -> bool:
        """A date timer whose date lay in the past when it was scheduled: to be skipped with a warning."""
        return isinstance(self.trigger, DateTrigger) and self.trigger.run_date < self.start

    def next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The fire time after ``previous`` (null: the first one, not before ``now``), null if there is none.

        Always later than ``previous``. A fire time may lie before ``now``: that fire is late or missed, see ``MISFIRE_GRACE``.
        """
        if previous is None and self.is_expired:
            return None
        return self.trigger.get_next_fire_time(previous, now)


def build_schedule(timer_type: str, parameters: Mapping[str, Any], *, start: datetime, local_zone: tzinfo | str = UTC) -> Schedule:
    """Make the schedule of a timer.

    Args:
        timer_type: ref of one of ``TIMER_TRIGGER_TYPES``.
        parameters: of the trigger; null is absent.
        start: aware moment of scheduling; the first fire of an interval is one interval later.
        local_zone: used when ``timezone`` is absent: the zone of the machine.

    Raises:
        Invalid: the parameters break the schema of the type or hold a wrong cron expression.
        ScheduleError: they pass but describe no schedule.
    """
    if timer_type not in TIMER_TRIGGER_TYPES:
        raise ScheduleError(f'"{timer_type}" is not a timer trigger type ({", ".join(TIMER_TRIGGER_TYPES)})')
    validate_trigger_parameters(timer_type, parameters)
    given = {name: value for name, value in parameters.items() if value is not None}
    zone = find_zone(given.get("timezone") or local_zone)
    make = {INTERVAL_TIMER.ref: _interval, DATE_TIMER.ref: _date, CRON_TIMER.ref: _cron}[timer_type]
    return Schedule(make(given, start, zone), zone, start)


def find_zone(name: tzinfo | str) -> tzinfo:
    """The zone of an IANA name (a zone itself is returned). Raises ``ScheduleError``."""
    if isinstance(name, tzinfo):
        return name
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleError(f'No time zone is called "{name}"', "timezone") from error


def _interval(parameters: Mapping[str, Any], start: datetime, zone: tzinfo) -> IntervalTrigger:
    unit, delta = parameters["unit"], parameters["delta"]
    if delta < 0:
        raise ScheduleError(f"An interval of {delta} {unit} never comes", "delta")
    try:
        interval = timedelta(**{unit: delta}) or timedelta(seconds=1)
        return IntervalTrigger(**{unit: delta}, start_date=(start + interval).astimezone(zone), timezone=zone)
    except OverflowError as error:
        raise ScheduleError(f"An interval of {delta} {unit} is too long", "delta") from error


def _date(parameters: Mapping[str, Any], start: datetime, zone: tzinfo) -> DateTrigger:
    """What the text leaves out is taken from the day of ``start``; a text without offset is read in ``zone``."""
    today = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    try:
        return DateTrigger(date_parser.parse(parameters["date"], default=today), timezone=zone)
    except (ValueError, OverflowError) as error:
        raise ScheduleError(str(error), "date") from error


def _cron(parameters: Mapping[str, Any], start: datetime, zone: tzinfo) -> BaseTrigger:
    return cron_trigger(parameters, zone)


def fire_payload(executed_at: datetime) -> dict[str, Any]:
    """The payload of one fire: ``executed_at`` as text with a blank and ``+00:00``; ``schedule`` is always null upstream."""
    return {"executed_at": str(executed_at.astimezone(UTC)), "schedule": None}


def trace_tag(timer_type: str, trigger_name: str) -> str:
    """``st2.IntervalTimer-<trigger name>``: all fires of a timer share the tag, each starts a trace of its own."""
    return f"{timer_type.partition('.')[2]}-{trigger_name}"
