"""Shell commands and scripts on other hosts over SSH (runners.md section 3)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

import asyncssh

from st2actions.runners import ssh_session
from st2actions.runners.environment import st2_variables, user_variables
from st2actions.runners.local_shell import DEFAULT_TIMEOUT_S, shell_result
from st2actions.runners.script_arguments import script_arguments
from st2actions.runners.ssh_command import MASK, Host, RemoteCommand, parse_hosts, remote_command
from st2actions.runners.ssh_session import ConnectError, Credentials
from st2common import states
from st2common.exceptions import RunnerFailed
from st2common.log import getLogger
from st2common.runners.contract import Job, Outcome, Runner
from st2common.runners.runner_types import runner_parameter_names

LOG = getLogger(__name__)

_SCRIPT_OWN = runner_parameter_names("remote-shell-script")
_CONNECT_FAILED = 255
_TIMED_OUT = -9


class RemoteShellCommandRunner(Runner):
    """Runs the runner parameter ``cmd`` on every host."""

    name = "remote-shell-cmd"

    def run(self, job: Job) -> Outcome:
        if job.action.get("entry_point"):
            raise RunnerFailed("entry_point is only valid for remote-shell-script runner")
        return _run(job, None)


class RemoteShellScriptRunner(Runner):
    """Copies the action's entry point to every host, runs it there and removes the copy."""

    name = "remote-shell-script"

    def run(self, job: Job) -> Outcome:
        if not job.action.get("entry_point"):
            raise RunnerFailed("Missing entry_point action metadata attribute")
        path = os.path.join(job.pack_path, "actions", job.action["entry_point"])
        os.stat(path)
        return _run(job, path)


def _run(job: Job, script: str | None) -> Outcome:
    parameters = job.runner_parameters
    hosts = parse_hosts(parameters.get("hosts") or "")
    if not hosts:
        raise RunnerFailed(f"No hosts specified to run action for action {job.liveaction_id}.")
    timeout = parameters.get("timeout")
    credentials = Credentials(
        username=parameters.get("username") or "",
        password=parameters.get("password"),
        private_key=parameters.get("private_key"),
        passphrase=parameters.get("passphrase"),
        system_user=job.settings.system_user,
    )
    run = _RemoteRun(
        job=job,
        hosts=hosts,
        credentials=credentials,
        command=_script_command(job, script) if script else _plain_command(job),
        script=script,
        directory=upload_directory(job) if script else "",
        timeout_s=DEFAULT_TIMEOUT_S if timeout is None else timeout,
    )
    return asyncio.run(_cancellable(job, run.outcome()))


async def _cancellable(job: Job, work: Awaitable[Outcome]) -> Outcome:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(task.cancel)

    with job.stopping_with(stop):
        try:
            return await task
        except asyncio.CancelledError:
            return Outcome(states.CANCELED, {"error": "The remote run was cancelled."})


def upload_directory(job: Job) -> str:
    """Where the script of this execution is copied to."""
    base = job.runner_parameters.get("dir") or job.settings.ssh.remote_dir
    return f"{base.rstrip('/')}/{job.liveaction_id}"


def _command(job: Job, command: str, cwd: str) -> RemoteCommand:
    parameters = job.runner_parameters
    own = st2_variables(job)
    return remote_command(
        command,
        env={**user_variables(job), **own},
        cwd=cwd,
        sudo=bool(parameters.get("sudo")),
        sudo_password=parameters.get("sudo_password"),
        secrets=(own["ST2_ACTION_AUTH_TOKEN"],),
    )


def _plain_command(job: Job) -> RemoteCommand:
    return _command(job, job.runner_parameters.get("cmd") or "true", job.runner_parameters.get("cwd") or "/tmp")


def _script_command(job: Job, script: str) -> RemoteCommand:
    schemas = {name: schema for name, schema in (job.action.get("parameters") or {}).items() if name not in _SCRIPT_OWN}
    kwarg_op = job.runner_parameters.get("kwarg_op")
    arguments = script_arguments(schemas, job.action_parameters, "--" if kwarg_op is None else kwarg_op)
    path = quote(f"{upload_directory(job)}/{os.path.basename(script)}")
    return _command(job, f"{path} {arguments}".rstrip(), quote(job.runner_parameters.get("cwd") or "/tmp"))


@dataclass
class _RemoteRun:
    """One action on all its hosts."""

    job: Job
    hosts: Sequence[Host]
    credentials: Credentials
    command: RemoteCommand
    script: str | None
    directory: str
    timeout_s: float

    async def outcome(self) -> Outcome:
        connections: dict[Host, asyncssh.SSHClientConnection] = {}
        results: dict[Host, dict[str, Any]] = {}
        try:
            await self._each(self.hosts, lambda host: self._connect(host, connections, results))
            if not connections:
                raise RunnerFailed(self._nobody(results))
            if self.script:
                await self._each(list(connections), lambda host: self._upload(connections[host]))
            await self._each(list(connections), lambda host: self._execute(host, connections[host], results))
        finally:
            await self._leave(connections)
        ordered = {host.name: results[host] for host in self.hosts}
        return Outcome(self._status(list(results.values())), ordered)

    async def _each(self, hosts: Sequence[Host], act: Callable[[Host], Awaitable[None]]) -> None:
        """``act`` for every host; one at a time unless ``parallel``, then for a third of them, within the maximum."""
        settings = self.job.settings.ssh
        at_once = min(len(self.hosts) // 3 + 1, settings.max_parallel_actions) if self.job.runner_parameters.get("parallel") else 1
        gate = asyncio.Semaphore(max(1, at_once))

        async def guarded(host: Host) -> None:
            async with gate:
                await act(host)

        await asyncio.gather(*(guarded(host) for host in hosts))

    async def _connect(self, host: Host, connections: dict[Host, asyncssh.SSHClientConnection], results: dict[Host, dict[str, Any]]) -> None:
        parameters = self.job.runner_parameters
        try:
            connections[host] = await ssh_session.connect(
                host, parameters.get("port") or 0, self.credentials, self.job.settings.ssh, parameters.get("bastion_host")
            )
        except ConnectError as error:
            results[host] = _failure(str(error), _CONNECT_FAILED, error, timeout=False)

    async def _upload(self, connection: asyncssh.SSHClientConnection) -> None:
        assert self.script is not None
        try:
            await ssh_session.upload(connection, self.script, self.directory)
        except (OSError, asyncssh.Error) as error:
            # the run of what is not there tells the user (exit code 127)
            LOG.warning("Script %s could not be copied to a host: %s", self.script, error)

    async def _execute(self, host: Host, connection: asyncssh.SSHClientConnection, results: dict[Host, dict[str, Any]]) -> None:
        settings = self.job.settings
        emit = self.job.emit_output if len(self.hosts) == 1 and settings.stream_output else None
        try:
            done = await ssh_session.run(connection, self.command, timeout_s=self.timeout_s, limit_bytes=settings.output_limit_bytes, emit=emit)
        except (OSError, asyncssh.Error) as error:
            text = f'Failed executing command "{self.command.shown}" on host "{host.name}" {error}'
            results[host] = _failure(text, _CONNECT_FAILED, error, timeout=False)
            return
        if done.code is not None:
            results[host] = shell_result(done.code == 0, done.code, done.stdout, done.stderr)
            return
        text = (
            f'Failed executing command "{self.command.shown}" on host "{host.name}" Command didn\'t finish in {self.timeout_s} seconds '
            f"or the SSH connection did not succeed in {settings.ssh.connect_timeout_s:g} seconds"
        )
        results[host] = {
            **shell_result(False, _TIMED_OUT, done.stdout, done.stderr),
            "timeout": True,
            "error": text,
            "traceback": "".join(traceback.format_stack()),
        }

    async def _leave(self, connections: dict[Host, asyncssh.SSHClientConnection]) -> None:
        """Remove the copies and close the connections."""
        for connection in connections.values():
            if self.script:
                try:
                    async with asyncio.timeout(self.job.settings.ssh.connect_timeout_s):
                        await connection.run(f"rm -rf {quote(self.directory)}", stdin=asyncssh.DEVNULL)
                except (OSError, asyncssh.Error, TimeoutError) as error:
                    LOG.warning("The remote directory %s could not be removed: %s", self.directory, error)
            connection.close()

    def _status(self, results: list[dict[str, Any]]) -> str:
        succeeded = [result["succeeded"] for result in results]
        if all(succeeded) or (self.job.settings.ssh.allow_partial_failure and any(succeeded)):
            return states.SUCCEEDED
        if all(result.get("timeout") for result in results):
            return states.TIMEOUT
        return states.FAILED

    def _nobody(self, results: dict[Host, dict[str, Any]]) -> str:
        given = [host.given for host in self.hosts]
        errors = json.dumps({host.name: result for host, result in results.items()}, indent=4)
        text = f"Unable to connect to any one of the hosts: {given}.\n\n connect_errors={errors}"
        return text.replace(self.credentials.password, MASK) if self.credentials.password else text


def _failure(text: str, code: int, error: BaseException, *, timeout: bool) -> dict[str, Any]:
    return {
        "failed": True,
        "succeeded": False,
        "timeout": timeout,
        "return_code": code,
        "stdout": "",
        "stderr": "",
        "error": text,
        "traceback": "".join(traceback.format_tb(error.__traceback__)),
    }
