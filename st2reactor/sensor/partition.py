"""Which sensors a node runs (reactor.md section 2.2). Pure functions: lists and texts in, a decision out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from st2common.exceptions import ConfigError

_LIMIT = 2**32
_TOP_BITS = 0xF8000000

Chosen = Callable[[str], bool]


@dataclass(frozen=True)
class HashRange:
    """Hashes from ``low`` up to, but not including, ``high``."""

    low: int
    high: int

    def __contains__(self, value: int) -> bool:
        return self.low <= value < self.high


def parse_provider(text: str) -> dict[str, str]:
    """``[sensorcontainer] partition_provider`` as an object: ``name:hash,hash_ranges:0..MAX``.

    Raises:
        ConfigError: a piece is not of the form key:value.
    """
    options = {}
    for piece in filter(None, (part.strip() for part in text.split(","))):
        key, found, value = piece.partition(":")
        if not found:
            raise ConfigError(f'"{piece}" of partition_provider is not of the form key:value')
        options[key.strip()] = value.strip()
    return options


def split_list(text: str) -> list[str]:
    """References of the datastore key ``<node>.sensor_partition``."""
    return [ref.strip() for ref in text.split(",") if ref.strip()]


def by_list(refs: Iterable[str]) -> Chosen:
    """The listed sensors; an empty list means all."""
    chosen = frozenset(refs)
    return lambda ref: not chosen or ref in chosen


def by_hash(ranges: str) -> Chosen:
    """The sensors whose hash lies in one of the ranges ``lo..hi|lo..hi``.

    Raises:
        ConfigError: a range is malformed or upside down.
    """
    parsed = [_parse_range(text) for text in ranges.split("|") if text.strip()]
    return lambda ref: any(sensor_hash(ref) in part for part in parsed)


def _parse_range(text: str) -> HashRange:
    low, found, high = text.strip().partition("..")
    if not found:
        raise ConfigError(f'Hash range "{text}" is not of the form low..high')
    first, last = _parse_bound(low), _parse_bound(high)
    if first > last:
        raise ConfigError(f'Hash range "{text}" begins above its end')
    return HashRange(first, last)


def _parse_bound(text: str) -> int:
    name = text.strip().lower()
    if name in ("min", "max"):
        return 0 if name == "min" else _LIMIT
    try:
        return min(max(int(name), 0), _LIMIT)
    except ValueError as error:
        raise ConfigError(f'Bound "{text}" of a hash range is neither a number nor min nor max') from error


def sensor_hash(ref: str) -> int:
    """Hash of a reference, 0 to 2^32 - 1: the digits of its md5, from the last to the first, through a shifting sum."""
    digits = str(int(hashlib.md5(ref.encode(), usedforsecurity=False).hexdigest(), 16))
    value = 0
    for digit in reversed(digits):
        top = value & _TOP_BITS
        value = ((value << 5) & (_LIMIT - 1)) ^ (top >> 27) ^ int(digit)
    return value
