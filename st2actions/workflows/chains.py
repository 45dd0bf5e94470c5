"""One ActionChain run: strictly one task at a time (workflows.md section 9)."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from st2actions.workflows.children import Children, reason
from st2actions.workflows.orquesta import finish
from st2common import states
from st2common.clock import from_us
from st2common.exceptions import CastError
from st2common.log import getLogger
from st2common.models.execution import liveaction_id
from st2common.models.fields import unpack_json
from st2common.outages import Outages
from st2common.platform import Platform
from st2common.store.executions import packed
from st2common.store.workflows import StoredWorkflow
from st2common.workflows import chain

LOG = getLogger("st2actions.workflows.chains")
_STEP = "chain"
"""Name of the part that holds the chain's state."""


class ChainDriver:
    """A chain in memory, in step with ``workflow``."""

    def __init__(self, platform: Platform, children: Children, workflow: StoredWorkflow, definition: chain.ChainSpec) -> None:
        self._platform = platform
        self._children = children
        self.workflow = workflow
        self.definition = definition
        self._run: chain.ChainRun
        self._outages = Outages()

    # -- life --------------------------------------------------------------------------------------------------------

    def begin(self) -> chain.Step:
        """Start; returns the first step."""
        display = self.workflow.settings.get("display_published", True)
        self._run = chain.ChainRun.start(self.definition, self._surroundings(), display_published=display)
        return self._checked(self._run.advance())

    def resume_from_store(self) -> None:
        """The chain as it was saved last."""
        self._run = chain.ChainRun.load(self.definition, self.workflow.parts[_STEP], self._surroundings())

    def state(self) -> dict[str, Any]:
        """What has to be stored."""
        return {_STEP: self._run.dump()}

    def _surroundings(self) -> chain.Surroundings:
        settings = self.workflow.settings
        namespace = self._platform.datastore.namespace(settings.get("api_user") or settings.get("user"), self._outages.reading)
        parent = {"execution_id": self.workflow.execution_id, "user": settings.get("user"), "pack": settings.get("pack")}
        return chain.Surroundings(
            parameters=settings.get("parameters") or {}, datastore={"st2kv": namespace, "system": namespace.system},
            action_context={"parent": parent}, config=self._platform.datastore.pack_config(settings.get("pack") or "", settings.get("user")),
        )  # fmt: skip

    # -- stepping ----------------------------------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """Number of the task run in hand: 0 for the first."""
        return int(self.workflow.settings.get("step", 0))

    def child_changed(self, document: Mapping[str, Any]) -> chain.Step | None:
        """A child has a new status; None when that is old news or changes nothing."""
        if (document.get("task_run") or [None])[0] != self.number or self._run.current is None:
            return None
        status = document["status"]
        waiting = status in (states.PAUSED, states.PENDING)
        if status not in states.FINAL and not waiting:
            return None
        again = status == states.PAUSED and self._run.resumed  # a sub-workflow may wait more than once
        if self._run.awaiting is not None or (waiting and self._run.paused_after is not None and not again):
            return None
        moment, end = _iso(document["start_us"]), _iso(document.get("end_us") or self._platform.clock.now_us())
        row = {
            "id": self._run.current, "name": self._run.current, "execution_id": str(document["_id"]),
            "liveaction_id": str(liveaction_id(document["_id"])), "workflow": None, "created_at": moment, "updated_at": end,
        }  # fmt: skip
        return self._checked(self._run.task_ended(status, unpack_json(document.get("result")), row))

    def _checked(self, step: chain.Step) -> chain.Step:
        """A step during which no server went away.

        Raises:
            PyMongoError, Unavailable: one did; what this driver holds is not to be used any more.
        """
        self._outages.check()
        return step

    def request(self, what: str) -> chain.Step:
        """``pause``, ``resume`` or ``cancel``."""
        return self._checked(getattr(self._run, what)())

    def next_number(self) -> None:
        """A new task is about to be requested."""
        self.workflow.settings["step"] = self.number + 1

    def _refused(self, step: chain.RunTask, problem: Exception) -> chain.Step:
        """The task's action could not be requested."""
        if self._platform.requests.is_unknown(step.ref):
            return self._run.request_failed(chain.no_such_action(step.name, step.ref))
        if isinstance(problem, CastError):
            return self._run.cast_failed(problem.details or str(problem))
        frames = "".join(traceback.format_exception(problem))
        return self._run.request_refused(reason(problem), frames, _iso(self._platform.clock.now_us()))

    # -- carrying out ------------------------------------------------------------------------------------------------

    def carry_out(self, step: chain.Step) -> chain.Step | None:
        """Do what the chain decided (idempotent). Returns a further step when a request was refused."""
        if isinstance(step, chain.RunTask):
            return self._request(step)
        if isinstance(step, chain.ChainPaused):
            return self._pause()
        elif isinstance(step, chain.ChainFinished):
            result = dict(step.result)
            if "error" in result:
                result["traceback"] = "".join(traceback.format_stack(limit=3))
            finish(self._platform, self.workflow.execution_id, step.status, result)
        return None

    def is_done(self, step: chain.Step) -> bool:
        """Whether a step that was saved has been carried out already, as far as that can be seen."""
        return isinstance(step, chain.RunTask) and self._children.status(self.workflow, self.number, None) is not None

    def _request(self, step: chain.RunTask) -> chain.Step | None:
        settings = self.workflow.settings
        skipped = step.name in (settings.get("skip_notify") or [])
        notify = None if skipped else (getattr(step.node, "notify", None) or settings.get("notify"))
        wanted = self._children.form(
            self.workflow, run=self.number, item=None, action=step.ref, parameters=step.parameters, delay_ms=0,
            extra_context={"chain": step.node.to_dict()}, notify=notify, task_execution=None,
        )  # fmt: skip
        _, problem = self._children.request([wanted])
        return None if problem is None else self._refused(step, problem)

    def _pause(self) -> chain.Step | None:
        """Show that the chain is paused, with its tasks so far; a request to resume that was made meanwhile stays.

        Who answers an inquiry resumes the workflows that are paused by then. This chain was not as long as its sub-workflow's pause was on
        its way here: if that goes on already, so does the chain.
        """
        executions, id = self._platform.store.executions, self.workflow.execution_id
        fields = packed(result=self._run.result())
        if not executions.transition(id, states.PAUSED, sources=[states.PAUSING], fields=fields) and not executions.transition(
            id, states.PAUSED, sources=[states.RUNNING], via=[states.PAUSING], fields=fields
        ):
            return None
        self._tell()
        if not self._run.waits or self._children.status(self.workflow, self.number, None) in (states.PAUSED, states.PENDING):
            return None
        step = self.request("resume")
        if executions.transition(id, states.RUNNING, sources=[states.PAUSED], via=[states.RESUMING]):
            self._tell()
        return step

    def _tell(self) -> None:
        document = self._platform.store.executions.get(self.workflow.execution_id)
        if document is not None:
            self._platform.aftermath.child_changed(document)
            self._platform.aftermath.changed(document)


def _iso(us: int) -> str:
    return str(from_us(us)).replace(" ", "T")
