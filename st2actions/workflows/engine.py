"""The workflow engine: starts runs, brings their children's news and users' requests to them, heals what lost a message."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, TypeVar

from bson import ObjectId
from pymongo.errors import PyMongoError

from st2actions.workflows.chains import ChainDriver
from st2actions.workflows.orquesta import OrquestaRun
from st2actions.workflows.starting import Starter
from st2actions.workflows.steps import Steps
from st2actions.workflows.sweeper import Sweeper
from st2common import states
from st2common.bus import WORKFLOW_INBOX, WORKFLOW_WORK, Consumer, Delivery
from st2common.exceptions import Unavailable
from st2common.execution.control import NotCancelable
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.refs import is_object_id
from st2common.service import Service
from st2common.workflows import chain, events

LOG = getLogger("st2actions.workflows")
_THREADS = 4
_STARTS = 16
"""Runs taken from the queue at a time; the threads share them out."""

_Item = TypeVar("_Item")

REQUESTS = {states.PAUSING: "pause", states.RESUMING: "resume", states.CANCELING: "cancel", states.CANCELED: "cancel"}
"""What the status of a workflow's execution asks of its run."""

_EVENTS: dict[str, type[events.PauseRequested | events.ResumeRequested | events.CancelRequested]] = {
    "pause": events.PauseRequested, "resume": events.ResumeRequested, "cancel": events.CancelRequested,
}  # fmt: skip
_WAITING = (states.PENDING, states.PAUSED)


class WorkflowEngine(Service):
    """Several may run; each step of a run is saved by one of them."""

    name = "st2workflowengine"
    group = "workflow_engine"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.steps = Steps(platform)
        self._starter = Starter(platform, self.steps)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="workflow")
        self._work = Consumer(platform.bus, WORKFLOW_WORK, self._start_runs, batch=_STARTS, prefetch=_STARTS)
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
        self._each(self._start, [id for id in ids if is_object_id(id)])

    def _take(self, deliveries: list[Delivery]) -> None:
        """News and requests in the order in which they came: a task that ends after its workflow was asked to pause starts nothing more."""
        for is_news, bodies in groupby((delivery.message for delivery in deliveries), _is_news_of_child):
            if is_news:
                self._take_news(bodies)
            else:
                self._each(self.request, list(dict.fromkeys(body["id"] for body in bodies if is_object_id(body.get("id")))))

    def _take_news(self, bodies: Iterable[dict[str, Any]]) -> None:
        """News, grouped by run: a run with fifty news takes one step."""
        news: dict[ObjectId, list[dict[str, Any]]] = {}
        for body in bodies:
            news.setdefault(ObjectId(body["workflow"]), []).append(body)
        self._each(self._tell, list(news.items()))

    def _each(self, act: Callable[[_Item], None], items: Sequence[_Item]) -> None:
        """Do it for all of them, several at a time; one that must be tried again is told when all had their turn."""
        futures = [self._pool.submit(act, item) for item in items[1:]]
        problems: list[BaseException | None] = []
        if items:  # the thread that waits does its share
            try:
                act(items[0])
            except Exception as error:  # noqa: BLE001 - raised below
                problems.append(error)
        problems += [future.exception() for future in futures]
        for problem in problems:
            if problem is not None:
                raise problem

    def _start(self, execution_id: str) -> None:
        if self._starter.start(execution_id) in REQUESTS:
            self.request(execution_id)  # asked for before there was a run

    # -- news --------------------------------------------------------------------------------------------------------

    def _tell(self, news: tuple[ObjectId, list[dict[str, Any]]]) -> None:
        workflow_id, bodies = news
        self.guarded(workflow_id, lambda: self.children_changed(workflow_id, bodies))

    def guarded(self, workflow_id: ObjectId, act: Callable[[], None]) -> None:
        """Do something for a run; if it cannot go on for any reason but servers that are away, it ends with that reason."""
        try:
            act()
        except (PyMongoError, Unavailable):
            raise
        except Exception as error:
            LOG.exception("workflow %s cannot go on", workflow_id)
            self.steps.fail(workflow_id, f"The workflow engine could not go on: {type(error).__name__}: {error}")

    def children_changed(self, workflow_id: ObjectId, news: Iterable[Mapping[str, Any]]) -> None:
        """Children of a run have a new status.

        Args:
            news: ``child`` (id), and for ended ones ``status``, ``run`` (run and item) and ``end_us``; the others' documents say it.
        """
        with self.steps.lock(workflow_id):
            run = self.steps.load(workflow_id)
            if isinstance(run, ChainDriver):
                for document in self._documents(news, ["status", "task_run", "start_us", "end_us", "result"]):
                    self.steps.chain(workflow_id, lambda driver, document=document: driver.child_changed(document))  # type: ignore[misc]
            elif run is not None:
                told = self._told(news)
                self.steps.orquesta(workflow_id, lambda run: [event for event in told if not run.knows(event.run, event.item, event.status)])

    def _told(self, news: Iterable[Mapping[str, Any]]) -> list[events.ActionChanged]:
        """Events for children, in the order in which they ended."""
        known: dict[str, Mapping[str, Any]] = {}
        unread: list[Mapping[str, Any]] = []
        for body in news:
            if body.get("status") in states.FINAL and body.get("run"):
                known[body["child"]] = body
            else:
                unread.append(body)
        rows = [(body.get("end_us"), body["child"], body["status"], body["run"]) for body in known.values()]
        for document in self._documents([body for body in unread if body["child"] not in known], ["status", "task_run", "end_us"]):
            if document.get("task_run"):
                rows.append((document.get("end_us"), str(document["_id"]), document["status"], document["task_run"]))
        rows.sort(key=lambda row: (row[0] or 2**62, row[1]))
        return [events.ActionChanged(run, status, events.UNREAD, item) for _, _, status, (run, item) in rows]

    def _documents(self, news: Iterable[Mapping[str, Any]], fields: list[str]) -> list[dict[str, Any]]:
        ids = list(dict.fromkeys(ObjectId(body["child"]) for body in news))
        rows = list(self.platform.store.executions.collection.find({"_id": {"$in": ids}}, fields)) if ids else []
        return sorted(rows, key=lambda row: (row.get("end_us") or 2**62, row["_id"]))

    # -- requests ----------------------------------------------------------------------------------------------------

    def request(self, execution_id: str) -> None:
        """A user (or a parent) asked something of a workflow; the execution's status says what. May be repeated at any time."""
        document = self.platform.store.executions.get(execution_id)
        if document is None or not document.get("is_workflow"):
            return
        workflow_id = self._starter.workflow_id(document)
        self.guarded(workflow_id, lambda: self._request(document, workflow_id))

    def _request(self, document: dict[str, Any], workflow_id: ObjectId) -> None:
        what = REQUESTS.get(document["status"])
        if what is None:
            return
        with self.steps.lock(workflow_id):
            run = self.steps.load(workflow_id)
            if run is None or run.workflow.execution_id != str(document["_id"]):
                run = self.steps.load(workflow_id, anew=True)
            if run is None or run.workflow.execution_id != str(document["_id"]):
                if document["status"] == states.CANCELING:
                    self._starter.cancel_unstarted(document)
                return
            if isinstance(run, ChainDriver):
                self._request_of_chain(workflow_id, what, document)
            else:
                self._request_of_orquesta(workflow_id, what, document["status"])
        if what == "cancel":
            self._cancel_parents(document)

    def _request_of_orquesta(self, workflow_id: ObjectId, what: str, status: str) -> None:
        stepped = self.steps.orquesta(workflow_id, lambda run: [_EVENTS[what]()] if _is_news(run, what) else [])
        run = self.steps.load(workflow_id)
        if not isinstance(run, OrquestaRun):
            return
        if not stepped:  # taken before; whether it was passed on to the children is not known
            self.steps.children.cascade(run.workflow, what)
        shown = run.conductor.shown_status
        if shown != status and status in (states.PAUSING, states.RESUMING) and shown not in states.FINAL:
            run.show(shown, taken=status)

    def _request_of_chain(self, workflow_id: ObjectId, what: str, document: dict[str, Any]) -> None:
        numbers: list[int] = []

        def ask(driver: ChainDriver) -> chain.Step | None:
            numbers.append(driver.number)
            return driver.request(what) if driver.workflow.status not in states.FINAL else None

        run = self.steps.load(workflow_id)
        if what == "resume" and isinstance(run, ChainDriver):  # first the task: as long as it is paused, its news pause the chain again
            self.steps.children.cascade(run.workflow, what, [run.number])
        self.steps.chain(workflow_id, ask)
        if what == "resume":
            self.platform.store.executions.transition(document["_id"], states.RUNNING, sources=[states.RESUMING])
        elif run is not None:
            self.steps.children.cascade(run.workflow, what, numbers[-1:])

    def _cancel_parents(self, document: dict[str, Any]) -> None:
        """Cancel of a sub-workflow cancels the whole tree (workflows.md 7.2)."""
        if not document.get("workflow_execution") or not document.get("parent"):
            return
        parent = self.platform.store.executions.get(document["parent"])
        if parent is None or parent["status"] in (*states.FINAL, states.CANCELING):
            return
        try:
            self.platform.control.cancel(parent, self.platform.aftermath.context(document).get("cancelled_by") or "")
        except NotCancelable:
            LOG.debug("parent %s ended meanwhile", parent["_id"])


def _is_news_of_child(body: Mapping[str, Any]) -> bool:
    return is_object_id(body.get("workflow")) and is_object_id(body.get("child"))


def _is_news(run: OrquestaRun, what: str) -> bool:
    status = run.conductor.status
    if what == "pause":
        return status in (states.RUNNING, states.RESUMING) or (status == states.PAUSING and not run.conductor.state.pause_requested)
    if what == "resume":
        return status in (states.PAUSED, states.PAUSING)
    return status not in (states.CANCELING, *states.FINAL)
