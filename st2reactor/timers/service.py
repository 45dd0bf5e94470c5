"""The timers engine: fires timers of rules, in one process at a time by lease (reactor.md section 4).

Several engines may run: one holds the lease and fires, the others stand by and take over within seconds. The id of a fire follows
from timer and time, so that a hand-over fires nothing twice.
"""

from __future__ import annotations

import heapq
import os
import socket
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from dateutil.tz import tzlocal
from pymongo.errors import PyMongoError

from st2common.bus import CONTROL, Consumer, Delivery
from st2common.exceptions import Invalid, NotFound, Unavailable
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.refs import derived_id
from st2common.service import Service
from st2common.triggers import TIMER_TRIGGER_TYPES
from st2reactor.timers.schedule import MISFIRE_GRACE, Schedule, build_schedule, fire_payload, trace_tag

LOG = getLogger("st2reactor.timers")
_LEASE = "timersengine"
_LEASE_S = 10.0
_STANDBY_S = 2.0
"""How often an engine without the lease asks for it."""


@dataclass
class Timer:
    """A scheduled trigger."""

    id: ObjectId
    ref: str
    name: str
    type: str
    parameters: dict[str, Any]
    schedule: Schedule


class TimersEngine(Service):
    """Schedules every trigger of a timer type and dispatches its events."""

    name = "st2timersengine"
    group = "timer_engine"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._wake = threading.Condition()
        self._timers: dict[ObjectId, Timer] = {}
        self._heap: list[tuple[datetime, ObjectId]] = []
        self._revision: int | None = -1
        self._changed = True
        self._active = False
        self._lease_until = 0.0
        self._ask_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
        self._control = Consumer(platform.bus, CONTROL, self._hear, batch=50, on_connect=self._look)

    def start(self) -> None:
        if not self.platform.config.timersengine.enable:
            LOG.info("timers are switched off")
            return
        self._control.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._look()
        self._control.stop()
        if self._active:
            try:
                self.platform.store.leases.release(_LEASE, self._owner)
            except PyMongoError as error:
                LOG.debug("lease left to expire: %s", error)

    def _hear(self, deliveries: list[Delivery]) -> None:
        if any(delivery.message.get("do") == "content" for delivery in deliveries):
            self._look()

    def _look(self) -> None:
        with self._wake:
            self._changed = True
            self._wake.notify_all()

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                wait = self._turn()
            except (PyMongoError, Unavailable) as error:
                LOG.warning("timers put off: %s", str(error)[:200])
                wait = 2.0
            except Exception:
                LOG.exception("timers failed")
                wait = 2.0
            with self._wake:
                if not self._changed and not self._stop.is_set():
                    self._wake.wait(wait)

    def _turn(self) -> float:
        """Do what is due; returns how long to sleep, seconds."""
        monotonic = self.platform.clock.monotonic
        moment = monotonic()
        if moment >= self._ask_at:
            self._active = self.platform.store.leases.take(_LEASE, self._owner, _LEASE_S)
            self._lease_until = moment + _LEASE_S
            self._ask_at = moment + (_LEASE_S / 2 if self._active else _STANDBY_S)
            self._changed = True
        if not self._active:
            self._timers.clear()
            self._heap.clear()
            self._revision, self._changed = -1, False
            return _STANDBY_S
        if self._changed:
            self._changed = False
            self._reload()
        now = self.platform.clock.now()
        while self._heap and self._heap[0][0] <= now and monotonic() < self._lease_until:
            fire_at, id = heapq.heappop(self._heap)
            timer = self._timers.get(id)
            if timer is not None:
                self._fire(timer, fire_at, now)
        until_asking = self._ask_at - monotonic()
        if self._heap:
            return max(0.0, min((self._heap[0][0] - self.platform.clock.now()).total_seconds(), until_asking))
        return max(0.0, until_asking)

    def _reload(self) -> None:
        revision = self.platform.store.revisions.read().get("trigger")
        if revision == self._revision:
            return
        self._revision = revision
        triggers = self.platform.store.catalog.find_all("trigger", {"type": {"$in": list(TIMER_TRIGGER_TYPES)}})
        present = {trigger.id: trigger for trigger in triggers if trigger.parameters}
        for id in [id for id in self._timers if id not in present]:
            LOG.info("timer %s removed", self._timers.pop(id).ref)
        for id, trigger in present.items():
            if id not in self._timers:
                self._add(trigger)

    def _add(self, trigger: Any) -> None:
        now = self.platform.clock.now()
        try:
            schedule = build_schedule(trigger.type, trigger.parameters, start=now, local_zone=tzlocal())
        except Invalid as error:
            LOG.warning("timer %s (%s) never starts: %s", trigger.ref, trigger.type, error)
            return
        first = schedule.next_fire_time(None, now)
        if first is None:
            LOG.warning("timer %s has no fire time in the future", trigger.ref)
        timer = Timer(trigger.id, trigger.ref, trigger.name, trigger.type, trigger.parameters, schedule)
        self._timers[trigger.id] = timer
        if first is not None:
            heapq.heappush(self._heap, (first, trigger.id))

    def _fire(self, timer: Timer, fire_at: datetime, now: datetime) -> None:
        """Dispatch one fire; fires missed meanwhile are merged into it, one that comes too late is left out."""
        following = timer.schedule.next_fire_time(fire_at, now)
        while following is not None and following <= now:
            fire_at, following = following, timer.schedule.next_fire_time(following, now)
        if following is not None:
            heapq.heappush(self._heap, (following, timer.id))
        if now - fire_at > MISFIRE_GRACE:
            LOG.warning("timer %s missed its fire of %s", timer.ref, fire_at)
            return
        id = derived_id(ObjectId.from_datetime(fire_at), str(timer.id), fire_at.isoformat())
        try:
            self.platform.dispatcher.dispatch(timer.ref, fire_payload(now), trace_context={"trace_tag": trace_tag(timer.type, timer.name)}, id=id)
        except NotFound:
            LOG.info("timer %s is gone", timer.ref)
