"""Runners by name, found through the entry points of installed packages: a runner is added without touching the platform."""

from __future__ import annotations

import threading
from importlib.metadata import entry_points

from st2common.exceptions import RunnerFailed
from st2common.runners.contract import Runner

GROUP = "st2common.runners.runner"

_runners: dict[str, Runner] = {}
_lock = threading.Lock()


def runner_names() -> list[str]:
    """Names of all installed runners, sorted."""
    return sorted(entry_points(group=GROUP).names)


def get_runner(name: str) -> Runner:
    """The one object of the runner ``name`` in this process, made on first use.

    Raises:
        RunnerFailed: no installed package offers a runner of that name.
    """
    with _lock:
        runner = _runners.get(name)
        if runner is None:
            found = list(entry_points(group=GROUP, name=name))
            if not found:
                raise RunnerFailed(f'Failed to find runner "{name}". Installed runners: {", ".join(runner_names()) or "none"}')
            runner = _runners[name] = found[0].load()()
        return runner


def register_runner(name: str, runner: Runner) -> None:
    """Put ``runner`` in place of whatever is installed under ``name`` in this process (embedding, tests)."""
    with _lock:
        _runners[name] = runner


def close_runners() -> None:
    """Close every runner made so far; called when a worker stops."""
    with _lock:
        runners = list(_runners.values())
        _runners.clear()
    for runner in runners:
        runner.close()
