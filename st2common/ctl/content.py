"""What ``st2ctl reload`` and ``st2ctl clean`` do: register content of packs, make virtualenvs, begin anew with an empty database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from st2common.bus import CONTROL
from st2common.config import Config
from st2common.ctl.registration import register_content, registrar, setup_virtualenv
from st2common.platform import Platform

KINDS = ("all", "actions", "aliases", "runners", "policies", "rules", "sensors", "triggers", "configs")
DEFAULT_KINDS = ("runners", "actions", "aliases", "sensors", "triggers", "configs", "rules")
"""What ``reload`` registers when no kind is named: everything but policies."""

Say = Callable[[str], None]


def reload(
    config: Config, kinds: Iterable[str], *, fail_on_failure: bool, virtualenvs: bool = False, recreate: bool = False, say: Say, complain: Say
) -> None:
    """Register content again and tell the services.

    Args:
        kinds: of ``KINDS``.
        fail_on_failure: end at the first bad file; else the bad ones are named and left out.
        virtualenvs: make missing virtualenvs of packs, too, and install their requirements; ``recreate``: all of them anew.
        say: told what was registered.
        complain: told what was not.

    Raises:
        St2Error: a bad file with ``fail_on_failure``, or a virtualenv that could not be made.
    """
    platform = Platform(config)
    try:
        platform.store.ensure_indexes()
        report = register_content(platform, types=kinds, fail_on_failure=fail_on_failure)
        platform.bus.announce(CONTROL, {"do": "content", "kinds": ["trigger", "sensor", "rule"]})
        for kind, count in report.counts.items():
            say(f"Registered {count} {kind}.")
        for problem in report.problems:
            complain(f"not registered: {problem}")
        for problem in report.warnings:
            complain(f"registered, but it will not run: {problem}")
        if virtualenvs or recreate:
            for pack in registrar(platform).packs():
                if not (pack.path / "requirements.txt").is_file() and not (config.virtualenvs_path / pack.name).is_dir():
                    continue  # it runs on the platform's own interpreter
                say(f"Setting up virtualenv of pack {pack.name}")
                setup_virtualenv(platform, pack.name, recreate=recreate)
    finally:
        platform.close()


def drop_database(config: Config) -> None:
    """Drop the database with everything in it."""
    platform = Platform(config)
    try:
        platform.store.database.client.drop_database(config.database.db_name)
    finally:
        platform.close()


def empty_logs(directory: Path) -> int:
    """Empty the log files of a directory (their writers keep them open); rotated ones are deleted. Returns how many."""
    count = 0
    for path in sorted(directory.glob("*.log*")) if directory.is_dir() else ():
        if path.suffix == ".log":
            with path.open("w"):
                pass
        else:
            path.unlink()
        count += 1
    return count
