"""Begin a workflow run: read the definition, inspect it, build the first state; or go on with an old run (workflows.md 7.4)."""

from __future__ import annotations

import os
import socket
import traceback
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from st2actions.workflows.chains import ChainDriver
from st2actions.workflows.orquesta import OrquestaRun, finish
from st2actions.workflows.steps import CHAIN, ORQUESTA, Steps, read_definition
from st2common import states
from st2common.exceptions import Unavailable
from st2common.expressions import Lazy
from st2common.log import getLogger
from st2common.models.fields import pack_json, unpack_json
from st2common.outages import Outages
from st2common.parameters import effective_schema, final_parameters
from st2common.platform import Platform
from st2common.refs import derived_id
from st2common.store.executions import packed
from st2common.store.workflows import StoredWorkflow
from st2common.workflows import chain, events
from st2common.workflows.errors import ChainError, DefinitionError, RerunRefused
from st2common.workflows.inspection import inspect
from st2common.workflows.spec import parse_cached
from st2common.workflows.variables import KNOWN_AT_RUN_TIME

LOG = getLogger("st2actions.workflows.starting")
_STARTABLE = (states.SCHEDULED, states.RUNNING, states.PAUSING)
"""Statuses of an execution whose run may still have to be made: a pause may come before it is."""


class Refused(Exception):
    """The run cannot begin; ``result`` becomes the execution's."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(str(result))
        self.result = result


def refused(*errors: Any) -> Refused:
    """The result of an orquesta run that never began."""
    return Refused({"errors": [error if isinstance(error, dict) else {"message": str(error)} for error in errors], "output": None})


class Starter:
    """Begins runs; every part of it may be done twice."""

    def __init__(self, platform: Platform, steps: Steps) -> None:
        self._platform = platform
        self._steps = steps
        self._info = {"hostname": socket.gethostname(), "pid": os.getpid()}

    def workflow_id(self, document: dict[str, Any]) -> ObjectId:
        """Id of the run that an execution shows: its own, or for a rerun of tasks that of the original."""
        context = unpack_json(document.get("context"), {})
        named = context.get("workflow_execution")
        if named:
            return ObjectId(named)
        rerun = context.get("re-run") or {}
        if rerun.get("tasks"):
            origin = self._platform.store.executions.get(rerun["ref"]) if ObjectId.is_valid(rerun["ref"]) else None
            if origin is not None:
                return self.workflow_id(origin)
        return derived_id(document["_id"], "workflow")

    def start(self, execution_id: str) -> str | None:
        """Begin the run of a scheduled execution (or one that was left between two of these steps).

        Returns:
            The execution's status as it was found; a request in it was not taken. None without an execution.
        """
        document = self._platform.store.executions.get(execution_id)
        if document is None or document["status"] not in _STARTABLE:
            return document["status"] if document is not None else None
        workflow_id = self.workflow_id(document)
        with self._steps.lock(workflow_id):
            rerun = unpack_json(document.get("context"), {}).get("re-run") or {}
            if rerun.get("tasks") or document["status"] == states.SCHEDULED or self._steps.load(workflow_id) is None:
                self._begin(document, workflow_id, rerun)
        return str(document["status"])

    def _begin(self, document: dict[str, Any], workflow_id: ObjectId, rerun: dict[str, Any]) -> None:
        try:
            if rerun.get("tasks"):
                self._rerun(document, workflow_id, rerun)
            elif document["runner_name"] == CHAIN:
                self._start_chain(document, workflow_id)
            else:
                self._start_orquesta(document, workflow_id)
        except Refused as error:
            self._refuse(document, error.result)
        except ChainError as error:
            self._refuse(document, {"error": error.message, "traceback": _frames(error)})
        except (PyMongoError, Unavailable):
            raise
        except Exception as error:
            LOG.exception("workflow execution %s could not be started", document["_id"])
            self._steps.fail(workflow_id, str(error))
            self._refuse(document, {"error": f"{error}", "traceback": _frames(error)})

    def _refuse(self, document: dict[str, Any], result: Any) -> None:
        """The run cannot begin: its execution fails."""
        if self._mark_running(document, {}):
            finish(self._platform, str(document["_id"]), states.FAILED, result)

    def _mark_running(self, document: dict[str, Any], fields: dict[str, Any]) -> bool:
        """Take the execution; tells whether it still wants a run. One that was taken before (a crash came) only gets the fields."""
        executions, id = self._platform.store.executions, document["_id"]
        info = {"runner_info": pack_json(self._info), **fields}
        if executions.transition(id, states.RUNNING, sources=[states.SCHEDULED], fields=info):
            now = {**document, **info, "status": states.RUNNING, "log": [*document["log"], [self._platform.clock.now_us(), states.RUNNING]]}
            self._platform.aftermath.changed(now)
            return True
        current = executions.get(id, ["status"])
        return current is not None and current["status"] in _STARTABLE and (not fields or executions.set_fields(id, fields))

    def cancel_unstarted(self, document: dict[str, Any]) -> None:
        """Cancelled before it began."""
        result = unpack_json(document.get("result"), {"message": "Action canceled by user."})
        finish(self._platform, str(document["_id"]), states.CANCELED, result)

    # -- orquesta ----------------------------------------------------------------------------------------------------

    def _start_orquesta(self, document: dict[str, Any], workflow_id: ObjectId) -> None:
        action = self._platform.store.snapshots.get(document["action_snapshot"])
        runner_parameters, inputs = self._parameters(document, action)
        try:
            text = read_definition(self._pack_path(action["pack"]), action["entry_point"])
            spec = parse_cached(text)
            self._platform.content.refresh()
            findings = inspect(spec, self._action_parameters, KNOWN_AT_RUN_TIME)
        except DefinitionError as error:
            raise refused(error) from error
        if findings:
            raise refused(*(finding.to_dict() for finding in findings))
        notify_tasks = runner_parameters.get("notify") or []
        unknown = [name for name in notify_tasks if name not in spec.tasks]
        if unknown:
            names = ", ".join(unknown)
            raise refused(f"The following tasks in the notify parameter do not exist in the workflow definition: {names}.")
        context = unpack_json(document.get("context"), {})
        workflow = self._new(document, workflow_id, ORQUESTA, text, context)
        workflow.settings["notify_tasks"] = notify_tasks
        if not self._remember(document, workflow_id, context):
            return
        run = OrquestaRun(self._platform, self._steps.children, workflow, spec)
        run.begin(inputs, {"st2": self._st2(document, action, context), "parent": context})
        decided = run.advance([events.Started()])
        self._steps.create(run, decided)

    def _st2(self, document: dict[str, Any], action: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        """``ctx().st2`` (workflows.md 3.5)."""
        st2 = {
            "action_execution_id": str(document["_id"]), "api_url": f"{self._platform.config.api_url}/v1", "user": context.get("user"),
            "pack": action["pack"], "action": document["action_ref"], "runner": document["runner_name"],
        }  # fmt: skip
        return st2 | {key: context[key] for key in ("api_user", "source_channel") if context.get(key)}

    def _action_parameters(self, ref: str) -> dict[str, Any] | None:
        """Effective parameters of an action, for the inspection; None when there is no such action."""
        loaded = self._platform.content.action(ref)
        return None if loaded is None else effective_schema(loaded.runner["runner_parameters"], loaded.action["parameters"])

    def _rerun(self, document: dict[str, Any], workflow_id: ObjectId, rerun: dict[str, Any]) -> None:
        origin = self._platform.store.executions.get(rerun["ref"]) if ObjectId.is_valid(rerun["ref"]) else None
        if origin is not None and not unpack_json(origin.get("context"), {}).get("workflow_execution"):
            raise refused("Unable to rerun workflow execution because workflow_execution_id is not provided.")  # it never began
        run = self._steps.load(workflow_id, anew=True)
        if not isinstance(run, OrquestaRun):
            raise refused(f'Unable to rerun workflow execution "{workflow_id}" because it does not exist.')
        if run.workflow.execution_id == str(document["_id"]):
            return
        if run.workflow.status not in states.FINAL:
            raise refused(f'Unable to rerun workflow execution "{workflow_id}" because it is not in a completed state.')
        context = unpack_json(document.get("context"), {})
        if not self._remember(document, workflow_id, context):
            return

        def again(run: OrquestaRun) -> list[events.Event]:
            if run.workflow.execution_id == str(document["_id"]):
                return []
            run.workflow.execution_id = str(document["_id"])
            return [events.RerunRequested(tuple(rerun["tasks"]), tuple(rerun.get("reset") or ()))]

        try:
            self._steps.orquesta(workflow_id, again)
        except RerunRefused as error:
            raise refused(error.message) from error

    # -- action chains -----------------------------------------------------------------------------------------------

    def _start_chain(self, document: dict[str, Any], workflow_id: ObjectId) -> None:
        action = self._platform.store.snapshots.get(document["action_snapshot"])
        runner_parameters, inputs = self._parameters(document, action)
        base = self._pack_path(action["pack"])
        try:
            text = read_definition(base, action["entry_point"])
        except DefinitionError as error:
            raise ChainError(error.message) from error
        definition = chain.parse(text, str(base / "actions" / action["entry_point"]))
        context = unpack_json(document.get("context"), {})
        workflow = self._new(document, workflow_id, CHAIN, text, context)
        workflow.settings.update(
            parameters=inputs, display_published=runner_parameters.get("display_published") is not False,
            skip_notify=runner_parameters.get("skip_notify") or [], step=0,
        )  # fmt: skip
        if not self._mark_running(document, {}):
            return
        driver = ChainDriver(self._platform, self._steps.children, workflow, definition)
        step = driver.begin()
        if isinstance(step, chain.RunTask):
            driver.next_number()
        if isinstance(step, chain.ChainFinished):
            workflow.status = step.status
        self._steps.create(driver, [step])

    # -- what both need ----------------------------------------------------------------------------------------------

    def _new(self, document: dict[str, Any], workflow_id: ObjectId, kind: str, text: str, context: dict[str, Any]) -> StoredWorkflow:
        settings = {
            "user": context.get("user"), "pack": document["action_ref"].partition(".")[0], "trace_id": document.get("trace_id"),
            "notify": unpack_json(document.get("notify")), "action_ref": document["action_ref"],
            **{key: context[key] for key in ("api_user", "source_channel") if context.get(key)},
        }  # fmt: skip
        digest = self._platform.store.snapshots.put("workflow_definition", {"text": text})
        return StoredWorkflow(workflow_id, str(document["_id"]), kind, states.RUNNING, digest, settings)

    def _remember(self, document: dict[str, Any], workflow_id: ObjectId, context: dict[str, Any]) -> bool:
        """The execution runs from now on, with ``context.workflow_execution``. False when it ended meanwhile."""
        changed = {**context, "workflow_execution": str(workflow_id)}
        return self._mark_running(document, {"context": pack_json(changed), **packed(result={"output": None})})

    def _parameters(self, document: dict[str, Any], action: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Final runner parameters and action parameters."""
        runner = self._platform.store.snapshots.get(document["runner_snapshot"])
        context = unpack_json(document.get("context"), {})
        datastore, outages = self._platform.datastore, Outages()
        config = Lazy(lambda: outages.reading(lambda: datastore.pack_config(action["pack"], context.get("user"))))
        try:
            return final_parameters(
                runner_parameters=runner["runner_parameters"], action_parameters=action["parameters"],
                live=unpack_json(document.get("parameters"), {}),
                variables={
                    "st2kv": datastore.namespace(context.get("api_user") or context.get("user"), outages.reading), "action_context": context,
                    "config_context": config,
                },
            )  # fmt: skip
        finally:
            outages.check()

    def _pack_path(self, pack: str) -> Path:
        paths = self._platform.config.packs_paths
        return next((base / pack for base in paths if (base / pack).is_dir()), paths[0] / pack)


def _frames(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__))
