"""``st2-pack-download``, ``st2-pack-setup-virtualenv`` and ``st2-pack-install``: packs without a running API (for building images)."""

from __future__ import annotations

from collections.abc import Sequence

import click

from st2common.commands.options import configuration, fail, load
from st2common.config import Config
from st2common.exceptions import Invalid
from st2common.packs.dependencies import examine
from st2common.packs.installer import Installer

_HELP = {"help_option_names": ["-h", "--help"]}
_LEVELS = 10
"""How deep dependencies of dependencies are followed."""

_packs = click.argument("packs", nargs=-1, required=True, metavar="PACK...")
_force = click.option("--force", is_flag=True, help="Take packs that ask for another version of the platform or of Python.")
_verify = click.option("--verify-ssl/--noverify-ssl", default=True, help="Check the certificates of https repositories.")


def _download(installer: Installer, packs: Sequence[str], force: bool, verify_ssl: bool) -> list[str]:
    """Download packs and give back their names; ends the program when one of them fails."""
    try:
        outcomes = installer.download(packs, verify_ssl=verify_ssl, force=force)
    except Invalid as error:
        fail(error.message)
    for outcome in outcomes:
        click.echo(f"{outcome.name}: {outcome.message}", err=not outcome.success)
    if not all(outcome.success for outcome in outcomes):
        fail("Not every pack could be downloaded.")
    return [outcome.name for outcome in outcomes]


def _setup(installer: Installer, packs: Sequence[str], update: bool = False) -> None:
    try:
        done = installer.setup_virtualenvs(packs, update=update)
    except Invalid as error:
        fail(error.message)
    click.echo(f"Successfully set up virtualenv for the following packs: {', '.join(done)}")


@click.command(context_settings=_HELP)
@_packs
@_force
@_verify
@configuration
def download(packs: tuple[str, ...], force: bool, verify_ssl: bool, config_file: tuple[str, ...], config_dir: tuple[str, ...], verbose: bool) -> None:
    """Download packs into the packs directory: names from the index, URLs or directories, each with =version if wanted."""
    _download(Installer(load(config_file, config_dir, verbose)), packs, force, verify_ssl)


@click.command(context_settings=_HELP)
@_packs
@click.option("--update", is_flag=True, help="Keep virtualenvs that are there and only install the requirements again.")
@configuration
def setup_virtualenv(packs: tuple[str, ...], update: bool, config_file: tuple[str, ...], config_dir: tuple[str, ...], verbose: bool) -> None:
    """Make the virtualenvs of packs and install their requirements."""
    _setup(Installer(load(config_file, config_dir, verbose)), packs, update)


@click.command(context_settings=_HELP)
@_packs
@_force
@_verify
@configuration
def install(packs: tuple[str, ...], force: bool, verify_ssl: bool, config_file: tuple[str, ...], config_dir: tuple[str, ...], verbose: bool) -> None:
    """Download packs with what they depend on and make their virtualenvs. Register them with st2-register-content."""
    config: Config = load(config_file, config_dir, verbose)
    installer = Installer(config)
    installed: list[str] = []
    wanted: Sequence[str] = packs
    for _ in range(_LEVELS):
        names = _download(installer, wanted, force, verify_ssl)
        installed += [name for name in names if name not in installed]
        found = examine(names, installer.packs_path)
        if found.conflicts:
            installer.delete(installed, delete_env=False)
            fail(f"The packs depend on other versions of installed packs: {', '.join(found.conflicts)}")
        wanted = found.missing
        if not wanted:
            break
    _setup(installer, installed)
