"""Time, handed in: services get a ``Clock`` so that tests can move it. Inside, moments are aware UTC datetimes or integer
microseconds since the epoch (``*_us``); on the wire they are ISO 8601 with ``Z`` (api.md section 2.5)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The moment as an aware UTC datetime."""
        return datetime.now(UTC)

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def to_us(moment: datetime) -> int:
    """Aware (or UTC-naive) datetime to microseconds since the epoch."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(moment_us: int) -> datetime:
    """Microseconds since the epoch to an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=moment_us)


def iso_us(moment_us: int) -> str:
    """``2026-11-22T13:04:53.055281Z``."""
    return from_us(moment_us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def iso_ms(moment_us: int) -> str:
    """The same, cut to the millisecond: ``...53.055000Z`` (occurrence times, execution logs)."""
    return iso_us(moment_us - moment_us % 1000)
