"""Times as people read them (cli.md 3.5)."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from st2client import config


def parse(value: str) -> datetime:
    """Timestamp of the API (ISO 8601) as an aware time. Raises `ValueError`."""
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _zone() -> tzinfo:
    name = config.get_config().get("cli", {}).get("timezone") or "UTC"
    if name == "UTC":
        return UTC
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f'Unknown time zone "{name}" in section [cli] of the configuration file.') from error


def format_isodate_for_user_timezone(value: str | None) -> str:
    """`Sun, 22 Nov 2026 13:02:55 UTC` in the configured zone; blank for no time, other text unchanged."""
    if not value:
        return ""
    try:
        moment = parse(value)
    except ValueError:
        return value  # not a time: show what the server said
    return moment.astimezone(_zone()).strftime("%a, %d %b %Y %H:%M:%S %Z")


def elapsed_s(start: str, end: str | None) -> int:
    """Whole seconds between two timestamps; up to now where `end` is missing."""
    until = parse(end) if end else datetime.now(UTC)
    return max(int((until - parse(start)).total_seconds()), 0)
