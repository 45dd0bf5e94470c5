"""The services of a production machine as ``st2ctl`` sees them: units of systemd, processes by name (operations.md section 3)."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

COMPONENTS = ("st2actionrunner", "st2api", "st2stream", "st2auth", "st2garbagecollector", "st2notifier", "st2rulesengine",
              "st2sensorcontainer", "st2timersengine", "st2workflowengine", "st2scheduler")  # fmt: skip
"""Services in the order in which ``status`` names them; ``COMPONENTS`` in the environment or in ``DEFAULTS`` overrides."""

DEFAULTS = Path("/etc/default/st2ctl")
LOGS = Path("/var/log/st2")
_WORKERS = "st2actionrunner"
_DEFAULT_WORKERS = 2


class Refused(Exception):
    """The command cannot be carried out here; the text says why and what to do."""


def components() -> tuple[str, ...]:
    """The services of this machine."""
    named = os.environ.get("COMPONENTS") or _defaults().get("COMPONENTS")
    return tuple(named.split()) if named else COMPONENTS


def _defaults() -> dict[str, str]:
    """The assignments of ``DEFAULTS``, a file in the syntax of the shell."""
    try:
        words = shlex.split(DEFAULTS.read_text(), comments=True)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refused(f"{DEFAULTS} cannot be read: {error}") from error
    pairs = (word.partition("=") for word in words if "=" in word)
    return {name: value for name, _, value in pairs}


def must_be_root() -> None:
    """Raises Refused for everybody but root."""
    if os.geteuid() != 0:
        raise Refused("This command must be run as root.")


def units(name: str, action: str) -> list[str]:
    """Units of systemd behind a component. There are several action runners: those that are loaded, or for a start as many as are wanted."""
    if name != _WORKERS:
        return [name]
    if action != "start":
        return [f"{_WORKERS}@*"]
    wanted = os.environ.get("WORKERS") or _defaults().get("WORKERS") or ""
    count = int(wanted) if wanted.isdigit() else _DEFAULT_WORKERS
    return [f"{_WORKERS}@{number}" for number in range(1, count + 1)]


def systemctl(action: str, names: Sequence[str], *options: str) -> int:
    """Run ``systemctl`` over components. Returns its exit code.

    Raises:
        Refused: there is no systemd.
    """
    wanted = [unit for name in names for unit in units(name, action)]
    try:
        return subprocess.run(["systemctl", action, *options, *wanted], check=False).returncode
    except FileNotFoundError:
        raise Refused("systemd is not here; run the platform in the foreground with: st2ctl up, or name an embedded one with --data") from None


def rows() -> list[dict[str, Any]]:
    """``{"service", "pid", "state", "hosts"}`` of every process of every component; pid None where there is none.

    Raises:
        Refused: under Kubernetes, where other machines run them.
    """
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise Refused("st2ctl status does not work under Kubernetes; ask kubectl")
    wanted = components()
    found: dict[str, list[int]] = {name: [] for name in wanted}
    for process in psutil.process_iter(["pid", "cmdline"]):
        name = _component(process.info["cmdline"] or [])
        if name in found:
            found[name].append(process.info["pid"])
    return [
        {"service": name, "pid": pid, "state": "RUNNING" if pid else "STOPPED", "hosts": [name]}
        for name in wanted
        for pid in (sorted(found[name]) or [None])  # type: ignore[list-item]
    ]


def _component(words: Sequence[str]) -> str:
    """The console script that a command line runs, itself or by an interpreter; "" for anything else."""
    first = os.path.basename(words[0]) if words else ""
    if first.startswith("python") and len(words) > 1:
        return os.path.basename(words[1])
    return first
