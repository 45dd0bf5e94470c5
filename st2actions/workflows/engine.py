"""The workflow engine: starts runs, brings their children's news and users' requests to them, heals what lost a message."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bson import ObjectId

from st2actions.workflows.orquesta import OrquestaRun
from st2actions.workflows.starting import Starter
from st2actions.workflows.steps import CHAIN, Steps
from st2actions.workflows.sweeper import Sweeper
from st2common import states
from st2common.bus import WORKFLOW_INBOX, WORKFLOW_WORK, Consumer, Delivery
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.refs import is_object_id
from st2common.service import Service
from st2common.workflows import chain, events

LOG = getLogger("st2actions.workflows")
_THREADS = 4

REQUESTS = {states.PAUSING: "pause", states.RESUMING: "resume", states.CANCELING: "cancel", states.CANCELED: "cancel"}
"""What the status of a workflow's execution asks of its run."""

_EVENTS = {"pause": events.PauseRequested, "resume": events.ResumeRequested, "cancel": events.CancelRequested}


class WorkflowEngine(Service):
    """Several may run; each step of a run is saved by one of them."""

    name = "st2workflowengine"
    group = "workflow_engine"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.steps = Steps(platform)
        self._starter = Starter(platform, self.steps)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="workflow")
        self._work = Consumer(platform.bus, WORKFLOW_WORK, self._start_runs, batch=_THREADS, prefetch=8)
        self._inbox = Consumer(platform.bus, WORKFLOW_INBOX, self._take, batch=200, prefetch=400)
        self._sweeper = Sweeper(platform, self, f"{socket.gethostname()}:{os.getpid()}:{id(self)}")

    def start(self) -> None:
        self._work.start()
        self._inbox.start()
        self._sweeper.start()

    def stop(self) -> None:
        self._sweeper.stop()
        self._work.stop()
        self._inbox.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- messages ----------------------------------------------------------------------------------------------------

    def _start_runs(self, deliveries: list[Delivery]) -> None:
        ids = dict.fromkeys(delivery.message.get("id") for delivery in deliveries)
        list(self._pool.map(self._starter.start, [id for id in ids if is_object_id(id)]))

    def _take(self, deliveries: list[Delivery]) -> None:
        """News, grouped by run: a run with fifty news takes one step."""
        children: dict[ObjectId, list[ObjectId]] = {}
        asked: dict[str, None] = {}
        for delivery in deliveries:
            body = delivery.message
            if is_object_id(body.get("workflow")) and is_object_id(body.get("child")):
                children.setdefault(ObjectId(body["workflow"]), []).append(ObjectId(body["child"]))
            elif is_object_id(body.get("id")):
                asked[body["id"]] = None
        list(self._pool.map(lambda pair: self.children_changed(*pair), children.items()))
        list(self._pool.map(self.request, asked))

    # -- news --------------------------------------------------------------------------------------------------------

    def children_changed(self, workflow_id: ObjectId, ids: Iterable[ObjectId]) -> None:
        """Children of a run have a new status; their documents say which."""
        fields = ["status", "task_run", "start_us", "end_us", "result", "is_workflow"]
        wanted = list(dict.fromkeys(ids))
        documents = list(self.platform.store.executions.collection.find({"_id": {"$in": wanted}}, fields))
        documents.sort(key=lambda row: (row.get("end_us") or 2**62, row["_id"]))
        run = self.steps.load(workflow_id)
        if run is None:
            return
        if run.workflow.kind == CHAIN:
            for document in documents:
                self.steps.chain(workflow_id, lambda driver, document=document: driver.child_changed(document))  # type: ignore[misc]
            return
        self.steps.orquesta(workflow_id, lambda run: self._news(run, documents))

    @staticmethod
    def _news(run: OrquestaRun, documents: list[dict[str, Any]]) -> list[events.Event]:
        """Events for those whose status the run does not know yet."""
        found: list[events.Event] = []
        for document in documents:
            number, item = document.get("task_run") or (None, None)
            known = run.conductor.state.runs.get(number) if number is not None else None
            if known is None or (known.items is None and known.outcome is not None):
                continue
            found.append(events.ActionChanged(number, document["status"], events.UNREAD, item))
        return found

    def request(self, execution_id: str) -> None:
        """A user (or a parent) asked something of a workflow; the execution's status says what."""
        document = self.platform.store.executions.get(execution_id)
        if document is None or not document.get("is_workflow"):
            return
        workflow_id = self._starter.workflow_id(document)
        what = REQUESTS.get(document["status"])
        run = self.steps.load(workflow_id)
        if run is None:
            if document["status"] == states.CANCELING:
                self._starter.cancel_unstarted(document)
            return
        if what is None:
            return
        if run.workflow.kind == CHAIN:
            self._request_of_chain(workflow_id, what, document)
        else:
            self.steps.orquesta(workflow_id, lambda run: [_EVENTS[what]()] if _is_news(run, what) else [])
        if document["status"] in (states.CANCELING, states.CANCELED):
            self._cancel_parents(document)

    def _request_of_chain(self, workflow_id: ObjectId, what: str, document: dict[str, Any]) -> None:
        if what == "resume":
            self.platform.store.executions.transition(document["_id"], states.RUNNING, sources=[states.RESUMING])
        number: list[int] = []

        def ask(driver: Any) -> chain.Step:
            number.append(driver.number)
            step: chain.Step = driver.request(what)
            return step

        self.steps.chain(workflow_id, ask)
        run = self.steps.load(workflow_id)
        if run is not None and number:
            self.steps.children.cascade(run.workflow, what, {number[0]})

    def _cancel_parents(self, document: dict[str, Any]) -> None:
        """Cancel of a sub-workflow cancels the whole tree (workflows.md 7.2)."""
        parent = self.platform.store.executions.get(document["parent"]) if document.get("parent") else None
        if parent is not None and parent["status"] not in (*states.FINAL, states.CANCELING):
            from st2common.execution.control import NotCancelable

            try:
                self.platform.control.cancel(parent, self.platform.aftermath.context(document).get("cancelled_by") or "")
            except NotCancelable:
                LOG.debug("parent %s ended meanwhile", parent["_id"])


def _is_news(run: OrquestaRun, what: str) -> bool:
    status = run.conductor.status
    if what == "pause":
        return status in (states.RUNNING, states.RESUMING) or (status == states.PAUSING and not run.conductor.state.pause_requested)
    if what == "resume":
        return status in (states.PAUSED, states.PAUSING)
    return status not in (states.CANCELING, *states.FINAL)
