"""Registration of content from disk, for the commands."""

from __future__ import annotations

from collections.abc import Iterable

from st2common.packs.registrar import Registrar, Report
from st2common.platform import Platform


def registrar(platform: Platform) -> Registrar:
    """The registrar of the configured pack directories."""
    config = platform.config
    return Registrar(
        platform.store, pack_paths=config.packs_paths, base_path=config.base_path,
        validate_trigger_parameters=config.system.validate_trigger_parameters,
    )  # fmt: skip


def register_content(platform: Platform, *, types: Iterable[str] | None = None, packs: Iterable[str] | None = None, fail_on_failure: bool) -> Report:
    """Register the platform's own trigger types and the content of all (or some) packs."""
    made = registrar(platform)
    made.register_internal_trigger_types(action_trigger=platform.config.action_sensor.enable)
    return made.register(packs=packs, types=types, fail_on_failure=fail_on_failure)


def setup_virtualenv(platform: Platform, pack: str, *, recreate: bool = False) -> None:
    """Make a pack's virtualenv, or bring it up to date."""
    from st2common.packs import virtualenvs

    virtualenvs.setup(platform.config, pack, update=not recreate)
