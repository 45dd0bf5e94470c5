"""Run one claimed execution: final parameters, the runner, the truth about how it ended (execution.md sections 4.3 and 7)."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from pymongo.errors import PyMongoError

from st2actions.worker.output import OutputLog, OutputWriter
from st2common import states
from st2common.bus import EVENTS
from st2common.config import Config
from st2common.exceptions import NotFound, RunnerFailed, St2Error, Unavailable
from st2common.execution.results import dump_result
from st2common.expressions import Lazy
from st2common.log import getLogger
from st2common.models.execution import liveaction_id
from st2common.models.fields import pack_json, unpack_json
from st2common.parameters import final_parameters, validate_output
from st2common.platform import Platform
from st2common.runners.contract import Job, Outcome, RunnerSettings, SshSettings
from st2common.runners.registry import get_runner
from st2common.store.executions import OWED, packed

LOG = getLogger("st2actions.worker")
INQUIRY_TRIGGER = "core.st2.generic.inquiry"
_ACTION_FIELDS = ("ref", "name", "pack", "entry_point", "runner_type", "parameters", "output_schema")


def runner_settings(config: Config) -> RunnerSettings:
    """What runners may know of the configuration."""
    ssh = config.ssh_runner
    return RunnerSettings(
        system_user=config.system_user.user, api_url=f"{config.api_url}/v1", base_path=str(config.base_path),
        virtualenvs_path=str(config.virtualenvs_path), python_log_level=config.actionrunner.python_runner_log_level,
        enable_common_libs=config.packs.enable_common_libs, stream_output=config.actionrunner.stream_output,
        parent_args=tuple(f"--config-file={path}" for path in config.files), python_parent_idle_s=config.actionrunner.python_parent_idle,
        ssh=SshSettings(
            connect_timeout_s=ssh.ssh_connect_timeout, max_parallel_actions=ssh.max_parallel_actions,
            allow_partial_failure=ssh.allow_partial_failure, use_ssh_config=ssh.use_ssh_config,
            config_file_path=ssh.ssh_config_file_path, key_file=config.system_user.ssh_key_file, remote_dir=ssh.remote_dir,
        ),
    )  # fmt: skip


class Run:
    """One execution in the hands of this worker. ``job`` is set while its runner works."""

    def __init__(self, platform: Platform, settings: RunnerSettings, output: OutputWriter, owner: str, document: dict[str, Any], token: str) -> None:
        self._platform = platform
        self._settings = settings
        self._output = output
        self._owner = owner
        self._token = token
        self.document = document
        self.id = str(document["_id"])
        self.job: Job | None = None
        self.abandoned = False

    def execute(self) -> None:
        """Run to the end and store it. Never raises for what the action did."""
        action, runner_type = until_done(self._copies, f"what execution {self.id} runs")
        log = self._output.open(self.id, self.document["action_ref"], self.document["runner_name"])
        started = time.monotonic()
        try:
            outcome = self._outcome(action, runner_type, log)
        except Exception as error:  # noqa: BLE001 - whatever a runner raises is the action's failure (runners.md section 1)
            LOG.info("execution %s failed before its runner returned: %s", self.id, error)
            outcome = Outcome(states.FAILED, _failure(error))
        self._platform.metrics.time(f"action.{self.document['action_ref']}.executions", time.monotonic() - started)
        self.finish(outcome, action, runner_type, self._output.close(log), log)

    def _copies(self) -> tuple[dict[str, Any], dict[str, Any]]:
        snapshots = self._platform.store.snapshots
        return snapshots.get(self.document["action_snapshot"]), snapshots.get(self.document["runner_snapshot"])

    def cancel(self) -> None:
        """Have the runner end what it started."""
        if self.job is not None:
            self.job.cancel()

    # -- running -----------------------------------------------------------------------------------------------------

    def _outcome(self, action: Mapping[str, Any], runner_type: Mapping[str, Any], log: OutputLog) -> Outcome:
        if not action or not runner_type:
            raise RunnerFailed(f'The action "{self.document["action_ref"]}" as it was requested is not in the database any more.')
        # Nothing has run yet, so an outage of the database here is waited for; it is not the action's failure.
        self.job = job = until_done(lambda: self._prepare(action, runner_type, log), f"the preparation of execution {self.id}")
        return get_runner(runner_type["name"]).run(job)

    def _prepare(self, action: Mapping[str, Any], runner_type: Mapping[str, Any], log: OutputLog) -> Job:
        current = self._platform.content.action(self.document["action_ref"])
        if current is not None and not current.runner["enabled"]:
            raise RunnerFailed(f'Runner "{runner_type["name"]}" has been disabled by the administrator.')
        return self._make_job(action, runner_type, log)

    def _make_job(self, action: Mapping[str, Any], runner_type: Mapping[str, Any], log: OutputLog) -> Job:
        context = unpack_json(self.document.get("context"), {})
        user = context.get("user") or self._platform.config.system_user.user
        rendered_for = context.get("api_user") or user
        datastore = self._platform.datastore
        config = Lazy(lambda: datastore.pack_config(action["pack"], user))
        runner_parameters, action_parameters = final_parameters(
            runner_parameters=runner_type["runner_parameters"], action_parameters=action["parameters"],
            live=unpack_json(self.document.get("parameters"), {}),
            variables={"st2kv": datastore.namespace(rendered_for), "action_context": context, "config_context": config},
        )  # fmt: skip
        return Job(
            execution_id=self.id, liveaction_id=str(liveaction_id(self.document["_id"])), action={key: action.get(key) for key in _ACTION_FIELDS},
            runner_parameters=runner_parameters, action_parameters=action_parameters, context=context, user=user,
            pack_path=str(self._pack_path(action["pack"])), settings=self._settings, token=lambda: self._token, config=config.get,
            emit_output=lambda kind, text: self._output.add(log, kind, text), announce=self._announce,
        )  # fmt: skip

    def _pack_path(self, pack: str) -> Path:
        paths = self._platform.config.packs_paths
        for base in paths:
            if (base / pack).is_dir():
                return base / pack
        return paths[0] / pack

    def _announce(self, route: str, message: dict[str, Any]) -> None:
        self._platform.bus.announce(EVENTS, {"event": f"st2.announcement__{route}", "payload": message})

    # -- finishing ---------------------------------------------------------------------------------------------------

    def finish(self, outcome: Outcome, action: Mapping[str, Any], runner_type: Mapping[str, Any], chunks: list[list[Any]], log: OutputLog) -> None:
        """Store the end (waiting for the database as long as it takes), then tell."""
        status, result = outcome.status, _decoded(outcome.result)
        if status == states.SUCCEEDED and result and self._platform.config.system.validate_output_schema:
            replaced = validate_output(result, runner_type.get("output_schema"), action.get("output_schema"), runner_type.get("output_key"))
            if replaced is not None:
                status, result = states.FAILED, replaced
        if status in states.FINAL and result in (None, {}, [], "") and status != states.CANCELED:
            if status != states.ABANDONED:
                status, result = states.FAILED, {"error": "Failed to execute action.", "traceback": ""}
        fields = packed(result_text=dump_result(result))
        if chunks:
            fields["output"] = chunks
        context = {**unpack_json(self.document.get("context"), {}), **outcome.context}
        if outcome.context:
            fields["context"] = pack_json(context)
        if self.abandoned:
            return
        stored = until_done(lambda: self._store_end(status, fields, chunks), f"the end of execution {self.id}")
        if stored is None:
            LOG.warning("execution %s had ended already; its outcome %s is dropped", self.id, status)
            return
        if chunks:
            self._platform.bus.announce(EVENTS, log.event(chunks))
        if stored["status"] == states.PENDING:
            self._platform.aftermath.child_changed(stored)
            self._platform.aftermath.changed(stored)
            until_done(lambda: self._ask(result), f"the inquiry of execution {self.id}")
            return
        until_done(lambda: self._platform.aftermath.ended(stored, owed="after_us" in stored), f"what follows execution {self.id}")

    def _store_end(self, status: str, fields: dict[str, Any], chunks: list[list[Any]]) -> dict[str, Any] | None:
        executions = self._platform.store.executions
        if status == states.PENDING:
            if executions.transition(self.id, status, sources=[states.RUNNING], owner=self._owner, fields=fields, unset=["owner"]):
                return executions.get(self.id)
            return self._store_cancelled(chunks)
        debt, owed = self._platform.aftermath.debt(self.document, status)
        now = self._platform.clock.now_us()
        fields = {**fields, **debt, "end_us": now}
        if executions.transition(self.id, status, sources=[states.RUNNING], owner=self._owner, fields=fields, new_link=owed):
            LOG.audit(
                "The status of action execution is changed from %s to %s. <LiveAction.id=%s, ActionExecution.id=%s>",
                states.RUNNING, status, liveaction_id(self.document["_id"]), self.id,
            )  # fmt: skip
            return {**self.document, **fields, "status": status, "log": [*self.document["log"], [now, status]]}
        return self._store_cancelled(chunks)

    def _store_cancelled(self, chunks: list[list[Any]]) -> dict[str, Any] | None:
        """Somebody cancelled it meanwhile: the result of the cancel stays."""
        executions = self._platform.store.executions
        debt, owed = self._platform.aftermath.debt(self.document, states.CANCELED)
        fields = {**debt, "output": chunks} if chunks else debt
        if executions.transition(self.id, states.CANCELED, sources=[states.CANCELING], owner=self._owner, fields=fields, new_link=owed):
            return executions.get(self.id)
        current = executions.get(self.id)
        if current is not None and current["status"] in states.FINAL and OWED in current.get("links", ()):
            return current
        return None

    def _ask(self, result: Any) -> None:
        """An inquiry waits for an answer: its trigger tells who may give it (execution.md section 13)."""
        route = result.get("route", "") if isinstance(result, dict) else ""
        trace = {"id_": self.document.get("trace_id")}
        try:
            self._platform.dispatcher.dispatch(INQUIRY_TRIGGER, {"id": self.id, "route": route}, trace_context=trace, id=self.document["_id"])
        except NotFound:
            LOG.warning("inquiry %s is not announced: trigger type %s is not registered", self.id, INQUIRY_TRIGGER)


def until_done(act: Callable[[], Any], what: str) -> Any:
    """Do ``act`` again and again while database or broker are away; the pause grows to five seconds."""
    pause = 0.2
    while True:
        try:
            return act()
        except (PyMongoError, Unavailable) as error:
            LOG.warning("waiting for the servers with %s: %s", what, str(error)[:200])
            time.sleep(pause)
            pause = min(pause * 2, 5.0)


def _decoded(result: Any) -> Any:
    if isinstance(result, str):
        try:
            return orjson.loads(result)
        except orjson.JSONDecodeError:
            return result
    return result


def _failure(error: Exception) -> Any:
    if isinstance(error, RunnerFailed) and error.result is not None:
        return error.result
    text = error.message if isinstance(error, St2Error) else str(error)
    return {"error": text, "traceback": "".join(traceback.format_tb(error.__traceback__))}
