"""Decide when a requested execution may go to the workers (execution.md section 5).

Only executions with a delay or a concurrency policy come here; all others went straight to the worker queue when they were
accepted. Executions held by a policy start in the order in which they were asked for, as soon as one before them ends.
"""

from __future__ import annotations

import heapq
import os
import socket
import threading
import time
from typing import Any

from pymongo.errors import PyMongoError

from st2actions.scheduler.sweeper import Sweeper
from st2common import states
from st2common.bus import EXECUTIONS_REQUESTED, Consumer, Delivery
from st2common.exceptions import Unavailable
from st2common.log import getLogger
from st2common.models.fields import unpack_json
from st2common.platform import Platform
from st2common.policies import may_start
from st2common.refs import is_object_id
from st2common.service import Service

LOG = getLogger("st2actions.scheduler")
_LOCK_S = 10.0
_LOCK_BUSY_S = 0.05
_START_AT_ONCE = 50


class Scheduler(Service):
    """Holds back and lets go."""

    name = "st2scheduler"
    group = "scheduler"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._retry_s = platform.config.scheduler.retry_wait_msec / 1000
        self._alarm = threading.Condition()
        self._heap: list[tuple[float, str, str]] = []
        """(moment on the epoch clock in seconds, what: "id" or "action", which)."""
        self._stopping = threading.Event()
        self._consumer = Consumer(platform.bus, EXECUTIONS_REQUESTED, self._take, batch=20, prefetch=40)
        self._clock_thread = threading.Thread(target=self._tick, name="delays", daemon=True)
        self._sweeper = Sweeper(platform, self._owner)

    def start(self) -> None:
        for row in self.platform.store.executions.due(now_us=2**62, limit=100_000):
            self._set_alarm(row.get("due_us", 0) / 1e6, "id", str(row["_id"]))
        self._clock_thread.start()
        self._consumer.start()
        self._sweeper.start()

    def stop(self) -> None:
        self._stopping.set()
        self._sweeper.stop()
        self._consumer.stop()
        with self._alarm:
            self._alarm.notify_all()

    # -- messages and alarms -----------------------------------------------------------------------------------------

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            if "wake" in delivery.message:
                self._let_go(str(delivery.message["wake"]))
            elif is_object_id(delivery.message.get("id")):
                self._decide(str(delivery.message["id"]))

    def _set_alarm(self, moment: float, what: str, which: str) -> None:
        with self._alarm:
            heapq.heappush(self._heap, (moment, what, which))
            self._alarm.notify_all()

    def _tick(self) -> None:
        while not self._stopping.is_set():
            with self._alarm:
                if not self._heap:
                    self._alarm.wait(60)
                    continue
                wait = self._heap[0][0] - time.time()
                if wait > 0:
                    self._alarm.wait(min(wait, 60))
                    continue
                _, what, which = heapq.heappop(self._heap)
            try:
                self._let_go(which) if what == "action" else self._decide(which)
            except (PyMongoError, Unavailable) as error:
                LOG.warning("scheduling of %s put off: %s", which, str(error)[:200])
                self._set_alarm(time.time() + 2, what, which)
            except Exception:
                LOG.exception("scheduling of %s failed", which)

    # -- deciding ----------------------------------------------------------------------------------------------------

    def _decide(self, id: str) -> None:
        """Look at one execution: still delayed, held by a policy, or free to go."""
        document = self.platform.store.executions.get(id)
        if document is None or document["status"] not in (states.REQUESTED, states.DELAYED, states.SCHEDULED):
            return
        if document["status"] == states.SCHEDULED:
            self.platform.requests.publish_work(document)
            return
        due_s = document.get("due_us", 0) / 1e6
        if due_s > time.time():
            self._set_alarm(due_s, "id", id)
            return
        self.platform.content.refresh()
        if self.platform.content.concurrency_policies(document["action_ref"]):
            if document["status"] == states.REQUESTED or "due_us" in document:
                self._hold_or_start(document)
            return
        self._start(document)

    def _hold_or_start(self, document: dict[str, Any]) -> None:
        """A newcomer under a policy waits behind those who wait already."""
        action_ref = document["action_ref"]
        if not self._locked(action_ref):
            self._set_alarm(time.time() + _LOCK_BUSY_S, "id", str(document["_id"]))
            return
        try:
            waiting = self.platform.store.executions.waiting(action_ref, 1, before_us=document["start_us"])
            decision = "delay" if waiting else self._policies_say(document)
            if decision == "go":
                self._start(document)
            elif decision == "cancel":
                self._cancel(document)
            else:
                self.platform.store.executions.transition(
                    document["_id"], states.DELAYED, sources=[states.REQUESTED, states.DELAYED], unset=["due_us"]
                )
                self._set_alarm(time.time() + self._retry_s, "action", action_ref)
        finally:
            self._unlock(action_ref)

    def _let_go(self, action_ref: str) -> None:
        """One of the action's executions ended (or it is time to look): start those that may, in order."""
        if not self._locked(action_ref):
            self._set_alarm(time.time() + _LOCK_BUSY_S, "action", action_ref)
            return
        try:
            self.platform.content.refresh()
            waiting = self.platform.store.executions.waiting(action_ref, _START_AT_ONCE)
            for document in waiting:
                decision = self._policies_say(document)
                if decision == "go":
                    self._start(document)
                elif decision == "cancel":
                    self._cancel(document)
                else:
                    if self._is_plain(action_ref):
                        break
            if waiting:
                self._set_alarm(time.time() + self._retry_s, "action", action_ref)
        finally:
            self._unlock(action_ref)

    def _is_plain(self, action_ref: str) -> bool:
        """Whether no policy of the action looks at attributes, so that who comes later cannot overtake."""
        return all(policy.policy_type == "action.concurrency" for policy in self.platform.content.concurrency_policies(action_ref))

    def _policies_say(self, document: dict[str, Any]) -> str:
        parameters = unpack_json(document.get("parameters"), {})
        active = [
            unpack_json(row.get("parameters"), {})
            for row in self.platform.store.executions.active(document["action_ref"], ("parameters",))
            if row["_id"] != document["_id"]
        ]
        for policy in self.platform.content.concurrency_policies(document["action_ref"]):
            try:
                decision = may_start(policy.policy_type, policy.parameters, parameters, active)
            except (KeyError, TypeError, ValueError):
                LOG.exception("policy %s could not be applied and is ignored", policy.ref)
                continue
            if decision.do != "go":
                LOG.info("policy %s: %s execution %s (%s)", policy.ref, decision.do, document["_id"], decision.reason)
                return decision.do
        return "go"

    def _start(self, document: dict[str, Any]) -> None:
        via = [states.REQUESTED] if document["status"] == states.DELAYED and "due_us" not in document else []
        if self.platform.store.executions.transition(
            document["_id"], states.SCHEDULED, sources=[states.REQUESTED, states.DELAYED], via=via, unset=["due_us"]
        ):
            self.platform.requests.publish_work(document)

    def _cancel(self, document: dict[str, Any]) -> None:
        executions = self.platform.store.executions
        debt, owed = self.platform.aftermath.debt(document, states.CANCELED)
        sources = [states.REQUESTED, states.DELAYED]
        if executions.transition(document["_id"], states.CANCELED, sources=sources, via=[states.CANCELING], fields=debt, new_link=owed):
            self.platform.aftermath.ended(executions.get(document["_id"]) or document, owed=bool(debt))

    def _locked(self, action_ref: str) -> bool:
        return self.platform.store.leases.take(f"policy:{action_ref}", f"{self._owner}:{threading.get_ident()}", _LOCK_S)

    def _unlock(self, action_ref: str) -> None:
        self.platform.store.leases.release(f"policy:{action_ref}", f"{self._owner}:{threading.get_ident()}")
