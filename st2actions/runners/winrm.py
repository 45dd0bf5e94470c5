"""Commands, PowerShell commands and PowerShell scripts on Windows hosts over WinRM (runners.md section 7).

pywinrm is imported on use: who has no Windows hosts does not need it.
"""

from __future__ import annotations

import base64
import importlib
import os
import secrets
import threading
import time
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from st2actions.runners.environment import user_variables
from st2actions.runners.powershell import encoded_command, literal, readable_error, script_parameters
from st2actions.runners.shell_output import json_or_text
from st2common import states
from st2common.exceptions import RunnerFailed
from st2common.log import getLogger
from st2common.runners.contract import Job, Outcome, Runner
from st2common.runners.runner_types import runner_parameter_names

LOG = getLogger(__name__)

DEFAULT_TIMEOUT_S = 60
_DEFAULT_PORT = 5986
_PLAIN_PORT = 5985
_UTF8_CODEPAGE = 65001
_LONGEST_COMMAND = 8191
_CHUNK_BYTES = 2048
_LONGEST_WAIT_S = 5
"""The server is asked for output in waits of at most so long, so that a time limit or a cancel is noticed."""
_TIMED_OUT = -1
_SCRIPT_OWN = runner_parameter_names("winrm-ps-script")


@dataclass
class Answer:
    """What a remote command gave.

    Attributes:
        code: exit code; -1 with ``timed_out``.
        stdout, stderr: output, UTF-8 with replacement.
        timed_out: the time limit was reached or the job was cancelled.
    """

    code: int
    stdout: str
    stderr: str
    timed_out: bool = False


class _Host:
    """A Windows host and one action's dealings with it."""

    def __init__(self, job: Job) -> None:
        parameters = job.runner_parameters
        timeout = parameters.get("timeout")
        self._timeout_s = DEFAULT_TIMEOUT_S if timeout is None else timeout
        self._deadline = time.monotonic() + self._timeout_s
        self._cancelled: threading.Event = job.cancelled
        self._cwd = parameters.get("cwd")
        self._env = user_variables(job) or None
        try:
            self._exceptions = importlib.import_module("winrm.exceptions")
            protocol = importlib.import_module("winrm.protocol")
        except ModuleNotFoundError as error:
            raise RunnerFailed("The WinRM runners need the Python package pywinrm, which is not installed.") from error
        port = parameters.get("port") or _DEFAULT_PORT
        scheme = "http" if port == _PLAIN_PORT else parameters.get("scheme") or "https"
        wait_s = max(1, min(_LONGEST_WAIT_S, int(self._timeout_s)))
        self._protocol: Any = protocol.Protocol(
            endpoint=f"{scheme}://{parameters['host']}:{port}/wsman",
            transport=parameters.get("transport") or "ntlm",
            username=parameters["username"],
            password=parameters["password"],
            server_cert_validation="ignore" if parameters.get("verify_ssl_cert") is False else "validate",
            operation_timeout_sec=wait_s,
            read_timeout_sec=max(int(self._timeout_s), wait_s) + 1,
        )

    def command(self, command: str) -> Answer:
        """Run a command line of cmd.exe in a shell of its own."""
        shell = self._protocol.open_shell(codepage=_UTF8_CODEPAGE, working_directory=self._cwd, env_vars=self._env)
        try:
            command_id = self._protocol.run_command(shell, command)
            try:
                return self._answer(shell, command_id)
            finally:
                self._protocol.cleanup_command(shell, command_id)
        finally:
            self._protocol.close_shell(shell)

    def _answer(self, shell: str, command_id: str) -> Answer:
        stdout, stderr, code, is_done = bytearray(), bytearray(), 0, False
        while not is_done and time.monotonic() < self._deadline and not self._cancelled.is_set():
            try:
                more_out, more_err, code, is_done = self._protocol.get_command_output_raw(shell, command_id)
            except self._exceptions.WinRMOperationTimeoutError:
                continue  # nothing new within one wait
            stdout += more_out
            stderr += more_err
        return Answer(code if is_done else _TIMED_OUT, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"), not is_done)

    def powershell(self, script: str) -> Answer:
        """Run PowerShell text."""
        answer = self.command(encoded_command(script))
        answer.stderr = readable_error(answer.stderr)
        return answer

    def script(self, text: str, parameters: str) -> Answer:
        """Run a PowerShell script: in the command line if it fits, else from a temporary file."""
        inline = "& {" + text + "}" + (f" {parameters}" if parameters else "")
        if len(encoded_command(inline)) <= _LONGEST_COMMAND:
            return self.powershell(inline)
        temporary = self._checked("[System.IO.Path]::GetTempPath()").stdout.strip()
        directory = f"{temporary.rstrip(chr(92))}\\st2-{secrets.token_hex(8)}"
        try:
            self._checked(f"New-Item -ItemType Directory -Path {literal(directory)} | Out-Null")
            path = f"{directory}\\script.ps1"
            self._upload(text.encode("utf-8"), path)
            return self.powershell(f"& {literal(path)}" + (f" {parameters}" if parameters else ""))
        finally:
            self.powershell(f"Remove-Item -Force -Recurse -Path {literal(directory)}")

    def _upload(self, data: bytes, path: str) -> None:
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = base64.b64encode(data[start : start + _CHUNK_BYTES]).decode("ascii")
            self._checked(
                f"$bytes = [System.Convert]::FromBase64String({literal(chunk)}); "
                f"$file = [System.IO.File]::Open({literal(path)}, [System.IO.FileMode]::Append); "
                "$file.Write($bytes, 0, $bytes.Length); $file.Close()"
            )

    def _checked(self, script: str) -> Answer:
        answer = self.powershell(script)
        if answer.code != 0:
            raise RunnerFailed(f"The script could not be copied to the host (exit code {answer.code}): {answer.stderr or answer.stdout}")
        return answer


class _WinRmRunner(Runner):
    def run(self, job: Job) -> Outcome:
        return _outcome(self._ask(_Host(job), job))

    @abstractmethod
    def _ask(self, host: _Host, job: Job) -> Answer:
        """Run the action on the host."""


class WinRmCommandRunner(_WinRmRunner):
    """Runs the runner parameter ``cmd`` with cmd.exe."""

    name = "winrm-cmd"

    def _ask(self, host: _Host, job: Job) -> Answer:
        return host.command(job.runner_parameters.get("cmd") or "")


class WinRmPsCommandRunner(_WinRmRunner):
    """Runs the runner parameter ``cmd`` with PowerShell."""

    name = "winrm-ps-cmd"

    def _ask(self, host: _Host, job: Job) -> Answer:
        return host.powershell(job.runner_parameters.get("cmd") or "")


class WinRmPsScriptRunner(_WinRmRunner):
    """Runs the action's entry point, a PowerShell script, with the action parameters as arguments."""

    name = "winrm-ps-script"

    def _ask(self, host: _Host, job: Job) -> Answer:
        if not job.action.get("entry_point"):
            raise RunnerFailed("Missing entry_point action metadata attribute")
        text = Path(os.path.join(job.pack_path, "actions", job.action["entry_point"])).read_text(encoding="utf-8-sig")
        schemas = {name: schema for name, schema in (job.action.get("parameters") or {}).items() if name not in _SCRIPT_OWN}
        kwarg_op = job.runner_parameters.get("kwarg_op")
        return host.script(text, script_parameters(schemas, job.action_parameters, "-" if kwarg_op is None else kwarg_op))


def _outcome(answer: Answer) -> Outcome:
    succeeded = answer.code == 0 and not answer.timed_out
    result = {
        "failed": not succeeded,
        "succeeded": succeeded,
        "return_code": answer.code,
        "stdout": json_or_text(answer.stdout),
        "stderr": json_or_text(answer.stderr),
    }
    if answer.timed_out:
        return Outcome(states.TIMEOUT, result)
    return Outcome(states.SUCCEEDED if succeeded else states.FAILED, result)
