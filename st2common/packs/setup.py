"""A registrar for a configured platform."""

from __future__ import annotations

from st2common.config import Config
from st2common.packs.registrar import Registrar
from st2common.store import Store


def registrar_for(config: Config, store: Store) -> Registrar:
    """The registrar with the packs directories and rules of the configuration."""
    return Registrar(
        store,
        pack_paths=config.packs_paths,
        base_path=config.base_path,
        validate_trigger_parameters=config.system.validate_trigger_parameters,
    )


def register_platform_content(config: Config, store: Store) -> None:
    """What the platform brings without any pack: runner types, rule types, policy types, internal trigger types."""
    registrar = registrar_for(config, store)
    registrar.register_internal_trigger_types(action_trigger=config.action_sensor.enable)
    registrar.register(["runner", "rule_type", "policy_type"], [])
