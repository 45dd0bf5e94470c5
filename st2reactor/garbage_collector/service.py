"""One table: what is removed, by which moment, after how long (reactor.md section 8)."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import PyMongoError

from st2common import states
from st2common.exceptions import ConfigError
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.service import Service

LOG = getLogger("st2reactor.garbage_collector")
_DAY_US = 86_400 * 1_000_000
_BATCH = 1000
_LEASE = "garbagecollector"
_COLLECTED = [states.SUCCEEDED, states.FAILED, states.TIMEOUT, states.CANCELED]


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    Attributes:
        option: in ``[garbagecollector]``: the time to live in days, 0 = never.
        collection: where the documents are.
        criteria: given the limit (microseconds since the epoch), which documents go.
    """

    option: str
    collection: str
    criteria: Callable[[int], Mapping[str, Any]]


KINDS = (
    Kind("action_executions_ttl", "executions", lambda us: {"status": {"$in": _COLLECTED}, "start_us": {"$lt": us}, "end_us": {"$lt": us}}),
    Kind("action_executions_output_ttl", "execution_output", lambda us: {"moment": {"$lt": us}}),
    Kind("trigger_instances_ttl", "trigger_instances", lambda us: {"occurrence_time": {"$lt": us}}),
    Kind("tokens_ttl", "tokens", lambda us: {"expiry": {"$lt": us}}),
    Kind("rule_enforcements_ttl", "rule_enforcements", lambda us: {"enforced_at": {"$lt": us}}),
)


class GarbageCollector(Service):
    """Collects every ``collection_interval`` seconds, in one process at a time by lease; SIGUSR2 collects now."""

    name = "st2garbagecollector"
    group = "garbagecollector"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._options = platform.config.garbagecollector
        for kind in KINDS:
            days = getattr(self._options, kind.option)
            if days < 0:
                raise ConfigError(f"Minimum possible TTL for {kind.option} in days is 1")
        self._owner = f"{id(self)}:{random.random()}"
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

    def _run(self) -> None:
        self._now.wait(random.uniform(0, 3))
        while not self._stop.is_set():
            self._now.clear()
            try:
                if self.platform.store.leases.take(_LEASE, self._owner, self._options.collection_interval + 60):
                    self.collect()
            except PyMongoError as error:
                LOG.warning("collection put off: %s", str(error)[:200])
            self._now.wait(self._options.collection_interval)

    def collect(self) -> dict[str, int]:
        """One run; a failure in one kind does not stop the others. Returns how many went, by option."""
        gone: dict[str, int] = {}
        for kind in KINDS:
            days = getattr(self._options, kind.option)
            if not days:
                continue
            try:
                gone[kind.option] = self._remove(kind, self.platform.clock.now_us() - days * _DAY_US)
            except PyMongoError as error:
                LOG.error("%s: %s", kind.option, str(error)[:200])
            if self._stop.wait(self._options.sleep_delay):
                break
        for step in (self._inquiries, self._leases):
            if not self._stop.is_set():
                step()
        LOG.info("collected %s", gone)
        return gone

    def _remove(self, kind: Kind, limit_us: int) -> int:
        """Delete in batches by id, so that no single operation holds the database for long."""
        collection = self.platform.store.database[kind.collection]
        total = 0
        while not self._stop.is_set():
            ids = [row["_id"] for row in collection.find(dict(kind.criteria(limit_us)), {"_id": 1}).limit(_BATCH)]
            if not ids:
                break
            total += collection.delete_many({"_id": {"$in": ids}}).deleted_count
            if kind.collection == "executions":
                self.platform.store.outputs.collection.delete_many({"execution_id": {"$in": [str(id) for id in ids]}})
        return total

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

    def _leases(self) -> None:
        self.platform.store.leases.drop_expired(("service", "worker", "sensor"), 3600)
