"""The worker service: takes work from the bus while it has room, claims it, runs it, keeps its lease."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pymongo.errors import PyMongoError

from st2actions.worker.output import OutputWriter
from st2actions.worker.run import Run, runner_settings, until_done
from st2common import states
from st2common.bus import CONTROL, WORK, Consumer, Delivery
from st2common.log import getLogger
from st2common.models.fields import pack_json
from st2common.platform import Platform
from st2common.refs import is_object_id
from st2common.runners.registry import close_runners
from st2common.service import Service
from st2common.store.access import token_hash

LOG = getLogger("st2actions.worker")
LEASE_KIND = "worker"
_BATCH = 16


class Worker(Service):
    """Runs actions. One process may run ``actions_pool_size`` at a time; start more processes for more."""

    name = "st2actionrunner"
    group = "actionrunner"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        options = platform.config.actionrunner
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._secret = secrets.token_bytes(32)
        self._info = {"hostname": socket.gethostname(), "pid": os.getpid()}
        self._lease_s = float(options.lease)
        self._grace_s = float(options.exit_still_active_check) if options.graceful_shutdown else 0.0
        self._room = options.actions_pool_size
        self._settings = runner_settings(platform.config)
        self._output = OutputWriter(platform)
        self._changed = threading.Condition()
        self._runs: dict[str, Run] = {}
        self._pool = ThreadPoolExecutor(self._room, thread_name_prefix="action")
        self._stopping = threading.Event()
        self._work = Consumer(platform.bus, WORK, self._take, batch=_BATCH, prefetch=_BATCH, gate=self._free)
        self._control = Consumer(platform.bus, CONTROL, self._hear, batch=32)
        self._keeper = threading.Thread(target=self._keep, name="lease", daemon=True)

    def start(self) -> None:
        self._renew()
        self._output.start()
        self._keeper.start()
        self._control.start()
        self._work.start()

    def stop(self) -> None:
        """Take nothing more; let running actions finish within the grace period; tell the truth about the rest."""
        self._work.stop()
        deadline = time.monotonic() + self._grace_s
        with self._changed:
            while self._runs and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
        self._abandon()
        self._stopping.set()
        self._control.stop()
        self._output.stop()
        close_runners()
        self._pool.shutdown(wait=False, cancel_futures=True)
        try:
            self.platform.store.leases.release(self._lease_name, self.owner)
        except PyMongoError as error:
            LOG.debug("lease left to expire: %s", error)

    # -- taking work -------------------------------------------------------------------------------------------------

    def _free(self) -> int:
        """How many more executions there is room for; waits up to a second for the first."""
        with self._changed:
            if len(self._runs) >= self._room:
                self._changed.wait(1.0)
            return max(0, self._room - len(self._runs))

    def _take(self, deliveries: list[Delivery]) -> None:
        """Claim what was announced; what is claimed is ours even if we are killed before the acknowledgement."""
        ids = [delivery.message.get("id") for delivery in deliveries]
        tokens = {id: self._token(id) for id in ids if is_object_id(id) and id not in self._runs}
        if not tokens:
            return
        self.platform.content.refresh()
        hashes = {id: token_hash(token) for id, token in tokens.items()}
        claimed = {str(document["_id"]): document for document in self.platform.store.executions.claim_many(hashes, self.owner, self._info)}
        for id, token in tokens.items():
            if id in claimed:
                self._begin(Run(self.platform, self._settings, self._output, self.owner, claimed[id], token))
            else:
                self._settle_cancelled(id)

    def _token(self, id: str) -> str:
        """The service token of an execution: the same for every attempt of this worker to claim it."""
        return hmac.new(self._secret, id.encode(), "sha256").hexdigest()[:32]

    def _begin(self, run: Run) -> None:
        with self._changed:
            self._runs[run.id] = run
        self._pool.submit(self._execute, run)

    def _execute(self, run: Run) -> None:
        try:
            until_done(lambda: self.platform.aftermath.changed(run.document), f"the start of execution {run.id}")
            run.execute()
        except Exception:
            LOG.exception("execution %s: the worker itself failed", run.id)
            until_done(lambda: self._store_abandoned(run.document), f"the end of execution {run.id}")
        finally:
            with self._changed:
                self._runs.pop(run.id, None)
                self._changed.notify_all()

    # -- cancelling --------------------------------------------------------------------------------------------------

    def _hear(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.message.get("do") == "cancel":
                self._cancel(str(delivery.message.get("execution")))

    def _cancel(self, id: str) -> None:
        run = self._runs.get(id)
        if run is not None:
            run.cancel()
        elif is_object_id(id):
            self._settle_cancelled(id)

    def _settle_cancelled(self, id: str) -> None:
        """A cancel that came before anybody ran it: whoever sees it first makes it final."""
        executions = self.platform.store.executions
        document = executions.get(id)
        if document is None or document["status"] != states.CANCELING or document.get("owner") or document.get("is_workflow"):
            return
        debt, owed = self.platform.aftermath.debt(document, states.CANCELED)
        if executions.transition(id, states.CANCELED, sources=[states.CANCELING], fields=debt, new_link=owed):
            self.platform.aftermath.ended(executions.get(id) or document, owed=bool(debt))

    # -- living and dying --------------------------------------------------------------------------------------------

    @property
    def _lease_name(self) -> str:
        return f"{LEASE_KIND}:{self.owner}"

    def _renew(self) -> None:
        self.platform.store.leases.take(self._lease_name, self.owner, self._lease_s, kind=LEASE_KIND, info=self._info)

    def _keep(self) -> None:
        """Renew the lease; look for cancels whose message was lost."""
        while not self._stopping.wait(self._lease_s / 3):
            try:
                self._renew()
                if self._runs:
                    for row in self.platform.store.executions.owned(self.owner):
                        if row["status"] == states.CANCELING:
                            self._cancel(str(row["_id"]))
            except PyMongoError as error:
                LOG.warning("lease not renewed: %s", str(error)[:200])

    def _abandon(self) -> None:
        for run in list(self._runs.values()):
            run.abandoned = True
            run.cancel()
            try:
                self._store_abandoned(run.document)
            except PyMongoError as error:
                LOG.warning("execution %s will be abandoned when this worker's lease expires: %s", run.id, str(error)[:200])

    def _store_abandoned(self, document: dict[str, Any]) -> None:
        executions = self.platform.store.executions
        debt, owed = self.platform.aftermath.debt(document, states.ABANDONED)
        fields = {"result": pack_json({}), **debt}
        if executions.transition(document["_id"], states.ABANDONED, owner=self.owner, fields=fields, new_link=owed):
            self.platform.aftermath.ended(executions.get(document["_id"]) or document, owed=bool(debt))
