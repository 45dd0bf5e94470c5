"""Shell commands and scripts on this machine (runners.md sections 1 and 2)."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import stat
import subprocess
from dataclasses import dataclass
from shlex import quote
from typing import Any

from st2actions.runners.content_version import pack_directory
from st2actions.runners.environment import process_environment
from st2actions.runners.processes import Ending, LocalProcess, OutputStream, Wakeup, supervise
from st2actions.runners.script_arguments import script_arguments
from st2actions.runners.shell_output import json_or_text, strip_last_newline
from st2common import states
from st2common.exceptions import RunnerFailed
from st2common.runners.contract import Job, Outcome, Runner
from st2common.runners.runner_types import runner_parameter_names

DEFAULT_TIMEOUT_S = 60
_SCRIPT_OWN = runner_parameter_names("local-shell-script")
_WRONG_PASSWORD = re.compile(r"^sudo: (\d+ incorrect password attempts?|no password was provided|a password is required)", re.MULTILINE)


class LocalShellCommandRunner(Runner):
    """Runs the runner parameter ``cmd`` through ``/bin/sh -c``."""

    name = "local-shell-cmd"

    def run(self, job: Job) -> Outcome:
        if job.action.get("entry_point"):
            raise RunnerFailed("entry_point is only valid for local-shell-script runner")
        return run_shell(job, job.runner_parameters.get("cmd") or "", job.runner_parameters.get("cwd"))


class LocalShellScriptRunner(Runner):
    """Runs the action's entry point, a script of the pack, with the action parameters as arguments."""

    name = "local-shell-script"

    def run(self, job: Job) -> Outcome:
        entry_point = job.action.get("entry_point")
        if not entry_point:
            raise RunnerFailed("Missing entry_point action metadata attribute")
        parameters = job.runner_parameters
        version, debug = parameters.get("content_version"), bool(parameters.get("debug"))
        with pack_directory(job.action["pack"], job.pack_path, version, keep=debug) as directory:
            path = os.path.join(directory, "actions", entry_point)
            return run_shell(job, script_command(path, job), parameters.get("cwd"))


def script_command(path: str, job: Job) -> str:
    """The command line that runs the script at ``path`` with the job's parameters.

    Raises:
        FileNotFoundError: there is no such file.
    """
    mode = os.stat(path).st_mode
    schemas = {name: schema for name, schema in (job.action.get("parameters") or {}).items() if name not in _SCRIPT_OWN}
    kwarg_op = job.runner_parameters.get("kwarg_op")
    arguments = script_arguments(schemas, job.action_parameters, "--" if kwarg_op is None else kwarg_op)
    command = f"{quote(path)} {arguments}".rstrip()
    everybody = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
    if mode & everybody == everybody or os.statvfs(path).f_flag & os.ST_RDONLY:
        return command
    return f"chmod +x {quote(path)} ; {command}"


@dataclass(frozen=True)
class ShellCommand:
    """A command line ready to be started.

    Attributes:
        argv: program and arguments.
        stdin: bytes for its standard input; None: /dev/null.
        user: whom it runs as, for messages.
    """

    argv: list[str]
    stdin: bytes | None
    user: str


def shell_command(command: str, *, sudo: bool, sudo_password: str | None, system_user: str) -> ShellCommand:
    """``command`` as a process of the system user, or of root with ``sudo`` (runners.md section 1, "Users")."""
    if sudo:
        options = ["-S", "-p", "", "-E"] if sudo_password else ["-E"]
        password = f"{sudo_password}\n".encode() if sudo_password else None
        return ShellCommand(["sudo", *options, "--", "bash", "-c", command], password, "root")
    if system_user and system_user != getpass.getuser():
        return ShellCommand(["sudo", "-E", "-H", "-u", system_user, "--", "bash", "-c", command], None, system_user)
    return ShellCommand(["/bin/sh", "-c", command], None, system_user)


def run_shell(job: Job, command: str, cwd: str | None) -> Outcome:
    """Run ``command`` to its end and make the outcome of it."""
    parameters = job.runner_parameters
    shell = shell_command(
        command,
        sudo=bool(parameters.get("sudo")),
        sudo_password=parameters.get("sudo_password"),
        system_user=job.settings.system_user,
    )
    timeout = parameters.get("timeout")
    timeout_s = DEFAULT_TIMEOUT_S if timeout is None else timeout
    ending, code, stdout, stderr = _run_process(job, shell, cwd, timeout_s)
    error = None
    if ending.timed_out or code == -9:
        status, code = states.TIMEOUT, -9
        error = f"Action failed to complete in {timeout_s} seconds"
    elif shell.stdin is not None and _WRONG_PASSWORD.search(stderr):
        status, code = states.FAILED, -1
        error = f"Invalid sudo password provided or sudo is not configured for this user ({job.settings.system_user})"
    elif code == -15:
        status = states.ABANDONED
    else:
        status = states.SUCCEEDED if code == 0 else states.FAILED
    return Outcome(status, shell_result(status == states.SUCCEEDED, code, stdout, stderr, error))


def shell_result(succeeded: bool, code: int, stdout: str, stderr: str, error: str | None = None) -> dict[str, Any]:
    """The result object of shell commands; output is stripped and JSON-decoded."""
    result = {
        "failed": not succeeded,
        "succeeded": succeeded,
        "return_code": code,
        "stdout": json_or_text(strip_last_newline(stdout)),
        "stderr": json_or_text(strip_last_newline(stderr)),
    }
    if error:
        result["error"] = error
    return result


def _run_process(job: Job, shell: ShellCommand, cwd: str | None, timeout_s: float) -> tuple[Ending, int, str, str]:
    process = subprocess.Popen(
        shell.argv,
        stdin=subprocess.DEVNULL if shell.stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd or None,
        env=process_environment(job),
        start_new_session=True,
    )
    wakeup = Wakeup()
    child = LocalProcess(process)
    streams = [_stream(job, "stdout", process.stdout), _stream(job, "stderr", process.stderr)]
    try:
        with job.stopping_with(wakeup.set):
            _feed(process, shell.stdin)
            ending = supervise(child, [*streams], wakeup=wakeup, timeout_s=timeout_s, grace_s=job.settings.kill_grace_s)
    finally:
        child.close()
        wakeup.close()
        for stream in streams:
            stream.flush()
            stream.close()
    code = process.poll()
    return ending, -9 if code is None else code, streams[0].text(), streams[1].text()


def _stream(job: Job, kind: str, pipe: Any) -> OutputStream:
    fd = os.dup(pipe.fileno())
    pipe.close()
    emit = job.emit_output
    return OutputStream(fd, (lambda text: emit(kind, text)) if job.settings.stream_output else None, job.settings.output_limit_bytes)


def _feed(process: subprocess.Popen[bytes], data: bytes | None) -> None:
    """Hand over the sudo password: one short line, which a fresh pipe always takes."""
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError):  # sudo asked for none and has ended
        process.stdin.write(data or b"")
        process.stdin.close()
