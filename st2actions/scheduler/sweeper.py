"""What a crash left between database and bus, found by status and age, and said again (architecture.md promises 2 and 4)."""

from __future__ import annotations

import time
from typing import Any

from st2common import states
from st2common.bus import EXECUTIONS_REQUESTED, WORK, WORKFLOW_WORK
from st2common.log import getLogger
from st2common.models.fields import pack_json
from st2common.platform import Platform
from st2common.sweeping import LeasedLoop, Patience

LOG = getLogger("st2actions.scheduler.sweeper")
_OWED_S = 20.0


class Sweeper:
    """Runs in every scheduler; one at a time does the work, by lease."""

    def __init__(self, platform: Platform, owner: str) -> None:
        self._platform = platform
        self._stale_s = platform.config.scheduler.execution_scheduling_timeout_threshold_min * 60
        self._lease_s = float(platform.config.actionrunner.lease)
        self._scheduled = Patience(platform.bus, WORK, WORKFLOW_WORK)
        self._requested = Patience(platform.bus, EXECUTIONS_REQUESTED)
        self._judge_from = 0.0
        """Workers are not judged before: after an outage of the database everybody first gets time to renew."""
        self._judge_later()
        interval_s = float(platform.config.scheduler.gc_interval)
        self._loop = LeasedLoop(platform, "sweeper:executions", owner, interval_s, self.sweep, on_outage=self._judge_later)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def stop(self) -> None:
        """End."""
        self._loop.stop()

    def _judge_later(self) -> None:
        self._judge_from = time.monotonic() + self._lease_s

    def sweep(self) -> None:
        """One look."""
        self._repeat_scheduled()
        self._repeat_requested()
        self._settle_orphan_cancels()
        self._pay_debts()
        if time.monotonic() >= self._judge_from:
            self._abandon_lost()

    def _repeat_scheduled(self) -> None:
        rows = self._platform.store.executions.unannounced(states.SCHEDULED, self._stale_s)
        if not rows or self._scheduled.wait():
            return
        LOG.warning("announcing %d scheduled executions again", len(rows))
        for row in rows:
            document = self._platform.store.executions.get(row["_id"], ["is_workflow"])
            if document is not None:
                self._platform.requests.publish_work(document)
        self._platform.store.executions.mark_announced([row["_id"] for row in rows])

    def _repeat_requested(self) -> None:
        rows = self._platform.store.executions.unannounced(states.REQUESTED, self._stale_s)
        rows += [row for row in self._platform.store.executions.due(self._platform.clock.now_us() - int(self._stale_s * 1e6))]
        if not rows or self._requested.wait():
            return
        wake = {row["action_ref"] for row in rows}
        self._platform.bus.publish(EXECUTIONS_REQUESTED, *({"id": str(row["_id"])} for row in rows), *({"wake": ref} for ref in sorted(wake)))
        self._platform.store.executions.mark_announced([row["_id"] for row in rows])

    def _settle_orphan_cancels(self) -> None:
        for row in self._platform.store.executions.in_status(states.CANCELING, ["owner", "is_workflow", "parent"]):
            if not row.get("owner") and not row.get("is_workflow"):
                self._end(row, states.CANCELED, [states.CANCELING], {})

    def _pay_debts(self) -> None:
        for row in self._platform.store.executions.owed(_OWED_S):
            self._platform.aftermath.pay(row)

    def _abandon_lost(self) -> None:
        owned = self._platform.store.executions.owned()
        if not owned:
            return
        alive = {holder["owner"] for holder in self._platform.store.leases.holders("worker")}
        for row in owned:
            if row["owner"] not in alive:
                LOG.warning("execution %s is abandoned: its worker %s is gone", row["_id"], row["owner"])
                cancelled = row["status"] == states.CANCELING
                self._end(row, states.CANCELED if cancelled else states.ABANDONED, [row["status"]], {} if cancelled else {"result": pack_json({})})

    def _end(self, row: dict[str, Any], status: str, sources: list[str], fields: dict[str, Any]) -> None:
        executions = self._platform.store.executions
        document = executions.get(row["_id"])
        if document is None:
            return
        debt, owed = self._platform.aftermath.debt(document, status)
        if executions.transition(row["_id"], status, sources=sources, fields={**fields, **debt}, new_link=owed):
            self._platform.aftermath.ended(executions.get(row["_id"]) or document, owed=bool(debt))
