"""Work that is done again and again, by one process at a time: the loop that every sweeper runs in."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pymongo.errors import PyMongoError

from st2common.bus import Bus
from st2common.bus.topology import Channel
from st2common.exceptions import Unavailable
from st2common.log import getLogger
from st2common.platform import Platform

LOG = getLogger("st2common.sweeping")
_MOST_PATIENT = 6


class Patience:
    """While messages wait, what seems lost most likely waits with them, and to say it again would only lengthen the queue. But not
    for ever: a queue that is never empty must not keep what was really lost from being found.

    Args:
        channels: where the messages would wait.
    """

    def __init__(self, bus: Bus, *channels: Channel) -> None:
        self._bus = bus
        self._channels = channels
        self._waited = 0

    def wait(self) -> bool:
        """Whether to look again a round later; at most six times in a row."""
        if self._waited < _MOST_PATIENT and any(self._bus.depth(channel) for channel in self._channels):
            self._waited += 1
            return True
        self._waited = 0
        return False


class LeasedLoop:
    """Calls ``act`` every ``interval_s`` seconds in whichever process holds the lease; the others stand by.

    Args:
        lease: name of the lease; it is held for three intervals, so a lost holder is replaced by then.
        owner: who asks.
        act: one round. Database or broker away: the round is put off; any other error is logged and the loop goes on.
        on_outage: called when a round was put off.
    """

    def __init__(
        self, platform: Platform, lease: str, owner: str, interval_s: float, act: Callable[[], object],
        on_outage: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self._platform = platform
        self._lease = lease
        self._owner = owner
        self._interval_s = interval_s
        self._act = act
        self._on_outage = on_outage
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=lease, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round in hand; another process takes over when the lease expires."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                if self._platform.store.leases.take(self._lease, self._owner, self._interval_s * 3):
                    self._act()
            except (PyMongoError, Unavailable) as error:
                LOG.warning("%s put off: %s", self._lease, str(error)[:200])
                if self._on_outage is not None:
                    self._on_outage()
            except Exception:
                LOG.exception("%s failed", self._lease)
