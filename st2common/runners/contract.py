"""What a worker hands to a runner and what it gets back: values and callbacks, no database and no bus.

The worker claims an execution, builds a :class:`Job`, calls :meth:`Runner.run` in one of its threads and stores the
:class:`Outcome`. Runners may be called from many threads at once; one runner object serves all of them.
"""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from st2common.interpreters import SYSTEM_PACKS


@dataclass(frozen=True)
class SshSettings:
    """Options of section ``[ssh_runner]`` and the system user's key (runners.md section 3)."""

    connect_timeout_s: float = 60
    max_parallel_actions: int = 50
    allow_partial_failure: bool = False
    use_ssh_config: bool = False
    config_file_path: str = "~/.ssh/config"
    key_file: str = ""
    remote_dir: str = "/tmp"


@dataclass(frozen=True)
class RunnerSettings:
    """Options that runners read; the worker fills it once from its configuration.

    Attributes:
        system_user: user that shell commands run as (``system_user.user``).
        api_url: public API URL including the version, given to processes as ``ST2_ACTION_API_URL``.
        base_path: ``system.base_path``; ``<base_path>/virtualenvs/<pack>`` is a pack's virtualenv unless
            ``virtualenvs_path`` says otherwise.
        virtualenvs_path: directory of the pack virtualenvs.
        system_packs: packs that use the platform's own interpreter and need no virtualenv.
        python_log_level: level of a Python action's logger (``actionrunner.python_runner_log_level``).
        enable_common_libs: whether ``<pack>/lib`` is importable (``packs.enable_common_libs``).
        stream_output: whether output is emitted while an action runs (``actionrunner.stream_output``).
        parent_args: command line arguments of the worker, handed to Python actions as ``--parent-args``.
        python_parent_idle_s: a warm Python parent without work for this long is ended.
        kill_grace_s: time between SIGTERM and SIGKILL for processes over their time limit or cancelled.
        output_limit_bytes: how much of each of stdout and stderr one action may keep in memory; the rest is drained,
            streamed, and left out of the result.
        ssh: options of the remote runners.
    """

    system_user: str = "stanley"
    api_url: str = "http://127.0.0.1:9101/v1"
    base_path: str = "/opt/stackstorm"
    virtualenvs_path: str = "/opt/stackstorm/virtualenvs"
    system_packs: tuple[str, ...] = SYSTEM_PACKS
    python_log_level: str = "DEBUG"
    enable_common_libs: bool = False
    stream_output: bool = True
    parent_args: tuple[str, ...] = ()
    python_parent_idle_s: float = 600
    kill_grace_s: float = 2
    output_limit_bytes: int = 10 * 1024 * 1024
    ssh: SshSettings = field(default_factory=SshSettings)


def _ignore_output(kind: str, text: str) -> None:
    """Sink for jobs whose output nobody watches."""


def _ignore_announcement(route: str, payload: dict[str, Any]) -> None:
    """Sink for jobs that announce to nobody."""


@dataclass
class Job:
    """One execution, ready to run.

    Attributes:
        execution_id: 24 hex digits.
        liveaction_id: 24 hex digits; names the upload directory of remote scripts.
        action: ``ref, name, pack, entry_point, runner_type, parameters, output_schema`` of the action.
        runner_parameters: final values of the runner's parameters (defaults applied).
        action_parameters: final values of the action's own parameters, in final order: live ones, then defaults.
        context: the execution's context.
        user: ``context.user``.
        pack_path: directory of the action's pack.
        settings: options of the worker.
        token: gives the service token's text; made on first use.
        config: gives the pack's effective configuration for the user; ``{}`` if it has none.
        emit_output: takes ``("stdout" | "stderr" | "output", text)`` while the action runs; thread-safe; the worker batches.
            ``text`` is one or more whole lines (only the last text of a stream, or a piece of an over-long line, may end without
            a newline).
        announce: takes ``(route, message)``; the message is what the stream event carries: ``{"payload", "trace_context"}``.
        cancelled: set when the execution is cancelled or the worker stops; runners of processes end early.
    """

    execution_id: str
    liveaction_id: str
    action: dict[str, Any]
    runner_parameters: dict[str, Any]
    action_parameters: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)
    user: str = "stanley"
    pack_path: str = ""
    settings: RunnerSettings = field(default_factory=RunnerSettings)
    token: Callable[[], str] = str
    config: Callable[[], dict[str, Any]] = dict
    emit_output: Callable[[str, str], None] = _ignore_output
    announce: Callable[[str, dict[str, Any]], None] = _ignore_announcement
    cancelled: threading.Event = field(default_factory=threading.Event)
    _stops: list[Callable[[], None]] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def cancel(self) -> None:
        """Called by the worker, from any thread: stop what this job started. Idempotent; returns without waiting for ends."""
        with self._lock:
            self.cancelled.set()
            stops, self._stops = self._stops, []
        for stop in stops:
            stop()

    def on_cancel(self, stop: Callable[[], None]) -> None:
        """Have ``stop`` called once when the job is cancelled; at once if it already is. ``stop`` must not block or raise."""
        with self._lock:
            if not self.cancelled.is_set():
                self._stops.append(stop)
                return
        stop()

    def off_cancel(self, stop: Callable[[], None]) -> None:
        """Forget ``stop``; harmless if it was called or never registered."""
        with self._lock, contextlib.suppress(ValueError):
            self._stops.remove(stop)

    @contextlib.contextmanager
    def stopping_with(self, stop: Callable[[], None]) -> Iterator[None]:
        """``stop`` is called if the job is cancelled inside the ``with`` block."""
        self.on_cancel(stop)
        try:
            yield
        finally:
            self.off_cancel(stop)


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        status: an execution status; for a cancelled job the worker decides, whatever stands here.
        result: any JSON value.
        context: merged into the execution's context.
    """

    status: str
    result: Any
    context: dict[str, Any] = field(default_factory=dict)


class Runner(ABC):
    """Runs actions of the runner types that name it. One object per worker process, used by many threads."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, job: Job) -> Outcome:
        """Run ``job`` to its end in the calling thread.

        Raises:
            Exception: anything; the worker stores status ``failed`` and ``{"error": text, "traceback": frames}``
                (runners.md section 1).
        """

    def close(self) -> None:  # noqa: B027
        """Give back what outlives single jobs (warm processes, connections). Called once, when the worker stops."""
