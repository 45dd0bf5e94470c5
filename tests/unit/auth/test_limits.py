"""The limit on wrong passwords, and whose address counts."""

from __future__ import annotations

import pytest

from st2auth.credentials import client_address
from st2auth.limits import WINDOW_S, FailureLimit
from st2common.clock import Clock
from st2common.exceptions import TooManyRequests


class _Hands(Clock):
    moment = 100.0

    def monotonic(self) -> float:
        return self.moment


def test_limit__slides_with_the_window() -> None:
    clock = _Hands()
    limit = FailureLimit(2, clock)
    limit.failed("ann", "a")
    clock.moment += 30
    limit.check("ann", "a")
    limit.failed("ann", "a")
    with pytest.raises(TooManyRequests, match="31 seconds"):
        limit.check("ann", "a")
    limit.check("ann", "b")
    limit.check("bob", "a")
    clock.moment += WINDOW_S - 30
    limit.check("ann", "a")


def test_limit__success_forgets__zero_is_no_limit() -> None:
    limit, none = FailureLimit(1, Clock()), FailureLimit(0, Clock())
    limit.failed("ann", "a")
    limit.succeeded("ann", "a")
    limit.check("ann", "a")
    for _ in range(5):
        none.failed("ann", "a")
    none.check("ann", "a")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", ["198.51.100.1", " 198.51.100.2"], "198.51.100.2"),
        ("10.0.0.7", ["198.51.100.1"], "198.51.100.1"),
        ("8.8.8.8", ["198.51.100.1"], "8.8.8.8"),  # nobody outside may say who they are
        ("127.0.0.1", [""], "127.0.0.1"),
        ("", ["198.51.100.1"], "198.51.100.1"),
    ],
)
def test_address(peer: str, forwarded: list[str], address: str) -> None:
    assert client_address(peer, forwarded) == address
