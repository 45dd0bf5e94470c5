"""Python actions (runners.md section 5): the process's surroundings, its result, its outcome."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from st2actions.runners.content_version import pack_directory
from st2actions.runners.environment import st2_variables, user_variables
from st2actions.runners.processes import Ending, OutputStream, RawStream, Wakeup, supervise
from st2actions.runners.python_parent import FRESH_INTERPRETER_VARIABLES
from st2actions.runners.python_pool import PythonPool
from st2actions.runners.python_wrapper import FRAME, STATUS_ERROR_EXIT_CODE
from st2common import states
from st2common.exceptions import RunnerFailed
from st2common.interpreters import find_virtualenv, inherited_python_path, interpreter, platform_path, search_path
from st2common.runners.contract import Job, Outcome, Runner

DELIMITER = "%%%%%~=~=~=************=~=~=~%%%%"
DEFAULT_TIMEOUT_S = 600
NO_RESULT = "None"
"""What ``result`` says when the action gave none: this text, not null."""


class PythonScriptRunner(Runner):
    """Runs the action class of the entry point in a process forked from a warm interpreter."""

    name = "python-script"

    def __init__(self) -> None:
        self._pools: dict[float, PythonPool] = {}

    def run(self, job: Job) -> Outcome:
        parameters = job.runner_parameters
        virtualenv = find_virtualenv(job.action["pack"], job.pack_path, job.settings.virtualenvs_path, job.settings.system_packs)
        version, debug = parameters.get("content_version"), bool(parameters.get("debug"))
        with pack_directory(job.action["pack"], job.pack_path, version, keep=debug) as directory:
            timeout = parameters.get("timeout")
            timeout_s = DEFAULT_TIMEOUT_S if timeout is None else timeout
            ran = self._run_process(job, virtualenv, directory, timeout_s)
        return outcome(ran, timeout_s)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, idle_s: float) -> PythonPool:
        # setdefault is atomic; one pool in practice, as all jobs of a worker share its settings
        return self._pools.get(idle_s) or self._pools.setdefault(idle_s, PythonPool(idle_s))

    def _run_process(self, job: Job, virtualenv: str | None, directory: str, timeout_s: float) -> Ran:
        request = orjson.dumps(action_request(job, virtualenv, directory), default=str)
        pipes = [os.pipe() for _ in range(3)]
        stdout, stderr = _output(job, "stdout", pipes[0][0]), _output(job, "stderr", pipes[1][0])
        result = RawStream(pipes[2][0])
        streams = (stdout, stderr, result)
        wakeup = Wakeup()
        try:
            try:
                process = self._pool(job.settings.python_parent_idle_s).start(interpreter(virtualenv), pipes[0][1], pipes[1][1], pipes[2][1], request)
            finally:
                for _, write in pipes:
                    os.close(write)
            try:
                with job.stopping_with(wakeup.set):
                    ending = supervise(process, [*streams], wakeup=wakeup, timeout_s=timeout_s, grace_s=job.settings.kill_grace_s)
            finally:
                process.close()
            result.drain()
            frames = read_frames(bytes(result.data))
            if "J" not in frames and "T" not in frames:
                stdout.flush()  # else the last partial line is glued to the result block, and lost from the stream with it
            stderr.flush()
            code = process.ended.code if process.ended else -9
            return Ran(ending, code, stdout.text(), stderr.text(), frames, process.pid)
        finally:
            wakeup.close()
            for stream in streams:
                stream.close()


def _output(job: Job, kind: str, fd: int) -> OutputStream:
    emit = job.emit_output
    told = (lambda text: emit(kind, text)) if job.settings.stream_output else None
    return OutputStream(fd, told, job.settings.output_limit_bytes, hide=DELIMITER.encode())


def action_request(job: Job, virtualenv: str | None, directory: str) -> dict[str, Any]:
    """What ``python_wrapper`` needs to know, for the pack as found in ``directory``."""
    user = {name: value for name, value in user_variables(job).items() if name.upper() != "PYTHONPATH"}
    pythonpath = python_path(job, virtualenv, directory)
    environment = {**os.environ, "PATH": search_path(virtualenv), **user, **st2_variables(job), "PYTHONPATH": os.pathsep.join(pythonpath)}
    level = job.runner_parameters.get("log_level") or "DEBUG"
    return {
        "pack": job.action["pack"],
        "file_path": os.path.join(directory, "actions", job.action["entry_point"]),
        "user": job.user,
        "parameters": action_parameters(job),
        "config": job.config(),
        "log_level": job.settings.python_log_level if level == "DEBUG" else level,
        "parent_args": list(job.settings.parent_args),
        "pythonpath": pythonpath,
        "environment": environment,
        "fresh_interpreter": any(name.startswith(FRESH_INTERPRETER_VARIABLES) for name in user),
    }


def action_parameters(job: Job) -> dict[str, Any]:
    """Every declared parameter of the action, unset ones as None; parameters named like the runner's are not passed."""
    declared = job.action.get("parameters") or {}
    names = dict.fromkeys([*job.action_parameters, *declared])
    return {name: job.action_parameters.get(name) for name in names if name not in job.runner_parameters}


def python_path(job: Job, virtualenv: str | None, directory: str) -> list[str]:
    """Entries of ``PYTHONPATH``, in order (runners.md section 5.2)."""
    paths = [os.path.join(directory, "lib")] if job.settings.enable_common_libs else []
    if virtualenv:
        for library in sorted(Path(virtualenv).glob("lib/python3*")):
            paths += [str(library), str(library / "site-packages")]
    paths.append(os.path.join(directory, "actions", "lib"))
    return list(dict.fromkeys([*paths, *inherited_python_path(), *platform_path()]))


@dataclass(frozen=True)
class Ran:
    """What is left of a process.

    Attributes:
        ending: how supervision ended.
        code: exit code, negative for signals; None if nobody could see it.
        stdout, stderr: the output.
        frames: what came through the result pipe, by kind.
        pid: its process id.
    """

    ending: Ending
    code: int | None
    stdout: str
    stderr: str
    frames: dict[str, bytes]
    pid: int


def read_frames(data: bytes) -> dict[str, bytes]:
    """Complete frames of the result pipe by kind; one cut short by the end of the process is left out."""
    frames: dict[str, bytes] = {}
    position = 0
    while position + FRAME.size <= len(data):
        kind, size = FRAME.unpack_from(data, position)
        position += FRAME.size
        if position + size > len(data):
            break
        frames[kind.decode()] = data[position : position + size]
        position += size
    return frames


def outcome(ran: Ran, timeout_s: float) -> Outcome:
    """The outcome of a process (runners.md section 5.4).

    Raises:
        RunnerFailed: the action returned a bad status; the text is its stderr.
        ValueError: the action itself wrote the delimiter of the result.
    """
    if ran.code == STATUS_ERROR_EXIT_CODE:
        raise RunnerFailed(ran.stderr)
    stdout, block = split_result(ran)
    returned, result = parse_block(block)
    whole: dict[str, Any] = {"stdout": stdout, "stderr": ran.stderr, "exit_code": ran.code, "result": result}
    code = ran.code
    if code is None and "X" in ran.frames:
        code = whole["exit_code"] = int(ran.frames["X"]) & 0xFF
    if ran.ending.timed_out or code == -9:
        whole["exit_code"] = -9
        whole["error"] = f"Action failed to complete in {timeout_s} seconds"
        return Outcome(states.TIMEOUT, whole)
    if code is None:
        whole["error"] = f"The process that started this action ended unexpectedly; how the action (process {ran.pid}) ended is unknown"
        return Outcome(states.ABANDONED, whole)
    failed = code != 0 or returned is False
    return Outcome(states.FAILED if failed else states.SUCCEEDED, whole)


def split_result(ran: Ran) -> tuple[str, str | bytes | None]:
    """Standard output without, and the text of, the result block.

    Wrapper and runner of upstream share stdout, with the block between two delimiters. Here it has a pipe of its own, but an action
    which writes the delimiter itself gets what it would get there.
    """
    block: str | bytes | None = ran.frames.get("J")
    if "T" in ran.frames:
        block = ran.frames["T"].decode("utf-8", "replace")
    if DELIMITER not in ran.stdout:
        return ran.stdout, block
    wire = ran.stdout
    if block is not None:
        wire += DELIMITER + (block.decode() if isinstance(block, bytes) else block) + "\n" + DELIMITER
    parts = wire.split(DELIMITER)
    if len(parts) != 3:
        raise ValueError(f"The result length should be 3, was {len(parts)}.")
    return parts[0] + parts[2], parts[1].strip()


def parse_block(block: str | bytes | None) -> tuple[Any, Any]:
    """(status, result) of a result block; an unreadable one is shown from its ``'result': `` on."""
    if not block:
        return None, NO_RESULT
    try:
        parsed = orjson.loads(block)
    except orjson.JSONDecodeError:
        text = block if isinstance(block, str) else block.decode("utf-8", "replace")
        _, found, rest = text.partition("'result': ")
        return None, rest if found else text
    if isinstance(parsed, dict):
        return parsed.get("status"), parsed.get("result")
    return None, parsed
