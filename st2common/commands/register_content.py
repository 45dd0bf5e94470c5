"""``st2-register-content``: register what packs on disk hold (operations.md section 4)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from st2common.bus import CONTROL
from st2common.commands.options import configuration, fail, load
from st2common.config import Config
from st2common.ctl.registration import registrar
from st2common.exceptions import Invalid
from st2common.log import getLogger
from st2common.packs.installer import Installer
from st2common.packs.reader import MANIFEST, PackDirectory, find_packs
from st2common.packs.registrar import Report
from st2common.platform import Platform

LOG = getLogger("st2common.commands.register_content")
_CONTENT = ("triggers", "sensors", "runners", "actions", "rules", "aliases", "policies", "configs")


def _switches(command: Callable[..., Any]) -> Callable[..., Any]:
    for name in reversed(("all", *_CONTENT)):
        command = click.option(f"--register-{name}", is_flag=True, help=f"Register {'everything' if name == 'all' else name}.")(command)
    return command


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@_switches
@click.option("--register-setup-virtualenvs", is_flag=True, help="Make the virtualenvs of packs that have none yet, and install their requirements.")
@click.option("--register-recreate-virtualenvs", is_flag=True, help="Make the virtualenvs of packs anew.")
@click.option("--register-pack", type=click.Path(path_type=Path), help="Directory of the one pack to register.")
@click.option("--register-runner-dir", type=click.Path(path_type=Path), help="Accepted for old scripts; runners come from installed packages.")
@click.option(
    "--register-fail-on-failure/--register-no-fail-on-failure", "fail_on_failure", default=True, help="End at the first bad file (default), or go on."
)
@click.option("--experimental", is_flag=True, help="Accepted for old scripts.")
@configuration
def main(
    register_setup_virtualenvs: bool,
    register_recreate_virtualenvs: bool,
    register_pack: Path | None,
    register_runner_dir: Path | None,
    fail_on_failure: bool,
    experimental: bool,
    config_file: tuple[str, ...],
    config_dir: tuple[str, ...],
    verbose: bool,
    **switches: bool,
) -> None:
    """Register content of packs: into the database, replacing what is there. Ends with 1 when a file is bad."""
    config = load(config_file, config_dir, verbose)
    types = _types(switches)
    try:
        packs = _packs(register_pack)
        report = _register(config, types, packs, fail_on_failure)
        if register_setup_virtualenvs or register_recreate_virtualenvs:
            _virtualenvs(config, packs, recreate=register_recreate_virtualenvs, fail_on_failure=fail_on_failure)
    except Invalid as error:
        fail(error.message)
    for name, count in report.counts.items():
        LOG.info("Registered %d %s.", count, name)
    for problem in report.problems:
        click.echo(f"ERROR: {problem}", err=True)
    sys.exit(0)


def _types(switches: dict[str, bool]) -> list[str]:
    """Types asked for; none: nothing but what registration always brings."""
    if switches["register_all"]:
        return ["all"]
    return [name for name in _CONTENT if switches[f"register_{name}"]]


def _packs(directory: Path | None) -> list[PackDirectory] | None:
    if directory is None:
        return None
    path = directory.resolve()
    if not path.is_dir():
        raise Invalid(f'Directory "{directory}" doesn\'t exist')
    if not (path / MANIFEST).is_file():
        raise Invalid(f'Pack "{path.name}" is missing {MANIFEST} file')
    return [PackDirectory(path)]


def _register(config: Config, types: list[str], packs: list[PackDirectory] | None, fail_on_failure: bool) -> Report:
    platform = Platform(config)
    try:
        platform.store.ensure_indexes()
        made = registrar(platform)
        made.register_internal_trigger_types(action_trigger=config.action_sensor.enable)
        report = made.register(types, packs, fail_on_failure=fail_on_failure) if types else Report()
        platform.bus.announce(CONTROL, {"do": "content", "kinds": ["trigger", "sensor", "rule"]})
        return report
    finally:
        platform.store.close()
        platform.bus.close()


def _virtualenvs(config: Config, packs: list[PackDirectory] | None, *, recreate: bool, fail_on_failure: bool) -> None:
    """Virtualenvs of all packs, one after the other; without ``recreate`` those that are there are only brought up to date."""
    installer = Installer(config)
    names = [pack.name for pack in packs] if packs is not None else sorted(find_packs(config.packs_paths)[0])
    for name in names:
        try:
            installer.setup_virtualenvs([name], update=not recreate)
        except Invalid as error:
            if fail_on_failure:
                raise
            LOG.error(error.message)
    LOG.info("Set up virtualenvs for %d packs.", len(names))


if __name__ == "__main__":
    main()
