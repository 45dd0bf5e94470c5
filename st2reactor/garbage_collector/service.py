"""One table: what is removed, by which moment, after how long (reactor.md section 8)."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading

from bson import ObjectId
from pymongo.errors import PyMongoError

from st2common import retention, states
from st2common.exceptions import ConfigError, Unavailable
from st2common.execution.control import NotCancelable
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.retention import Kind, remove_older
from st2common.service import Service
from st2common.webhooks import DELIVERY

LOG = getLogger("st2reactor.garbage_collector")
_DAY_US = 86_400 * 1_000_000
_LEASE = "garbagecollector"
_LEASE_S = 60.0
"""Long enough that two collectors do not start together, short enough that a killed one is soon replaced."""
_BATCH = 1000
_EXPIRED_LEASES = ("service", "worker", "sensor", "sensor_node", DELIVERY)

KINDS: dict[str, Kind] = {
    "action_executions_ttl": retention.EXECUTIONS,
    "action_executions_output_ttl": retention.OUTPUT,
    "trigger_instances_ttl": retention.TRIGGER_INSTANCES,
    "tokens_ttl": retention.TOKENS,
    "rule_enforcements_ttl": retention.RULE_ENFORCEMENTS,
    "workflow_executions_ttl": retention.WORKFLOWS,
}
"""Option in ``[garbagecollector]`` (days to live, 0 = for ever) -> what it removes. Traces and tasks are parts of these, not records."""


class GarbageCollector(Service):
    """Collects every ``collection_interval`` seconds, in one process at a time by lease; SIGUSR2 collects now."""

    name = "st2garbagecollector"
    group = "garbagecollector"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._options = platform.config.garbagecollector
        for option in KINDS:
            if getattr(self._options, option) < 0:
                raise ConfigError(f"Minimum possible TTL for {option} in days is 1")
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._stop = threading.Event()
        self._now = threading.Event()
        self._thread = threading.Thread(target=self._run, name="garbage", daemon=True)

    def start(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR2, lambda number, frame: self._now.set())
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._now.set()
        try:
            self.platform.store.leases.release(_LEASE, self._owner)
        except PyMongoError as error:
            LOG.debug("lease left to expire: %s", error)

    def _run(self) -> None:
        self._now.wait(random.uniform(0, 3))
        while not self._stop.is_set():
            self._now.clear()
            try:
                if self.platform.store.leases.take(_LEASE, self._owner, _LEASE_S):
                    self.collect()
            except PyMongoError as error:
                LOG.warning("collection put off: %s", str(error)[:200])
            self._now.wait(self._options.collection_interval)

    def collect(self) -> dict[str, int]:
        """One run; a failure in one kind does not stop the others. Returns how many went, by option."""
        gone: dict[str, int] = {}
        for option, kind in KINDS.items():
            days = getattr(self._options, option)
            if not days:
                continue
            limit = self.platform.clock.now_us() - days * _DAY_US
            try:
                gone[option] = remove_older(self.platform.store, kind, limit, go_on=lambda: not self._stop.is_set())
            except PyMongoError as error:
                LOG.error("%s: %s", option, str(error)[:200])
            if self._stop.wait(self._options.sleep_delay):
                break
        for step in (self._inquiries, self._orphaned_workflows, self._leases):
            if self._stop.is_set():
                break
            try:
                step()
            except (PyMongoError, Unavailable) as error:
                LOG.error("%s: %s", step.__name__.strip("_"), str(error)[:200])
        LOG.info("collected %s", gone)
        return gone

    def _inquiries(self) -> None:
        """Pending inquiries past their own ttl (minutes) time out; their workflow is told (execution.md section 13)."""
        if not self._options.purge_inquiries:
            return
        now = self.platform.clock.now_us()
        for row in self.platform.store.executions.in_status(states.PENDING, ["start_us", "result", "runner_name"]):
            document = self.platform.store.executions.get(row["_id"]) or row
            ttl = (self.platform.view.result(document, masking=False) or {}).get("ttl") or 0
            if not ttl or (now - row["start_us"]) // 60_000_000 <= ttl:
                continue
            debt, owed = self.platform.aftermath.debt(document, states.TIMEOUT)
            if self.platform.store.executions.transition(row["_id"], states.TIMEOUT, sources=[states.PENDING], fields=debt, new_link=owed):
                self.platform.aftermath.ended(self.platform.store.executions.get(row["_id"]) or document, owed=bool(debt))

    def _orphaned_workflows(self) -> None:
        """Running workflows that did nothing for ``[workflow_engine] gc_max_idle_sec`` and wait for no child are cancelled."""
        idle_s = self.platform.config.workflow_engine.gc_max_idle_sec
        if not idle_s:
            return
        idle = self.platform.store.workflows.idle(idle_s, None, _BATCH)
        while idle:
            for id in idle:
                self._cancel_if_orphaned(id, idle_s)
            idle = self.platform.store.workflows.idle(idle_s, idle[-1], _BATCH)

    def _cancel_if_orphaned(self, id: ObjectId, idle_s: int) -> None:
        store = self.platform.store
        workflow = store.workflows.get(id)
        if workflow is None or workflow.status != states.RUNNING:
            return
        if any(child["status"] not in states.FINAL for child in store.executions.of_workflow(id)):
            return
        execution = store.executions.get(workflow.execution_id)
        if execution is None or execution["status"] != states.RUNNING:
            return
        LOG.warning("workflow %s did nothing for %d s and is cancelled", workflow.execution_id, idle_s)
        try:
            self.platform.control.cancel(execution, self.platform.config.system_user.user)
        except NotCancelable as error:
            LOG.info("workflow %s ended meanwhile: %s", workflow.execution_id, error)

    def _leases(self) -> None:
        self.platform.store.leases.drop_expired(_EXPIRED_LEASES, 3600)
