"""ISO 8601 times as packs write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_ISO = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:?\d\d)?)?$")


def add_utc_tz(dt: datetime) -> datetime:
    """``dt`` as an aware datetime; one without a zone is taken for UTC."""
    return dt.replace(tzinfo=UTC) if dt.tzinfo is None else dt


def format(dt: datetime | str | float, usec: bool = True, offset: bool = True) -> str:
    """Text of a moment in UTC, e.g. ``2026-01-02T03:04:05.000006+00:00``.

    Args:
        dt: a moment; a text is parsed first, a number is seconds since the epoch.
        usec: with microseconds.
        offset: end in ``+00:00`` rather than ``Z``.
    """
    if isinstance(dt, str):
        dt = parse(dt)
    elif isinstance(dt, int | float):
        dt = datetime.fromtimestamp(dt, UTC)
    moment = add_utc_tz(dt).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S" + (".%f" if usec else "")) + ("+00:00" if offset else "Z")


def validate(value: object, raise_exception: bool = True) -> bool:
    """Whether ``value`` is a datetime or an ISO 8601 text.

    Raises:
        ValueError: it is neither, and ``raise_exception`` is set.
    """
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO.match(value)):
        return True
    if raise_exception:
        raise ValueError(f"Invalid ISO8601 time: {value}")
    return False


def parse(value: str | datetime, preserve_original_tz: bool = False) -> datetime:
    """An aware datetime of ``value``, in UTC unless ``preserve_original_tz``.

    Raises:
        ValueError: not ISO 8601.
    """
    validate(value)
    moment = add_utc_tz(datetime.fromisoformat(value) if isinstance(value, str) else value)
    return moment if preserve_original_tz else moment.astimezone(UTC)
