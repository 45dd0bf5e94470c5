"""Configurations of packs and their schemas (api.md 4.8)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from st2api.content import ContentList, schema_of
from st2api.endpoint import SHOW_SECRETS, Call, Reply, Routes
from st2api.lookup import tell
from st2api.query import LIST_HEADERS, Filter
from st2common.exceptions import Invalid, NotFound
from st2common.packs.config import mask_config, validate_config
from st2common.security.access import Subject

routes = Routes("configs")

CONFIGS = ContentList.of("config", Filter("pack", "pack"), limit=100, order=(("pack", 1),), sortable=True)
SCHEMAS = ContentList.of("config_schema", Filter("pack", "pack"), limit=100, order=(("pack", 1),), sortable=True)
_CONFIG = schema_of("config")
_MISSING = 'Unable to identify resource with pack_ref "{}".'


def _form(call: Call, config: Any) -> dict[str, Any]:
    values = config.values or {}
    if values and call.platform.config.api.mask_secrets and not call.shows_secrets():
        schema = call.platform.store.catalog.by_ref("config_schema", config.pack)
        values = mask_config(values, schema.attributes if schema is not None else None)
    return {"id": str(config.id), "pack": config.pack, "values": values}


@routes("GET", "/configs", permission="pack_list", query=CONFIGS.listing.params(SHOW_SECRETS), headers=LIST_HEADERS, answer=CONFIGS.schema)
def list_all(call: Call) -> Reply:
    """List the configurations of packs."""
    shape = CONFIGS.listing.shape(call)
    documents, total = CONFIGS.page(call)
    return CONFIGS.listing.reply(call, [shape.apply(_form(call, document)) for document in documents], total)


def _pack(call: Call) -> str:
    pack = call.path["pack"]
    call.authorize(Subject(f"pack:{pack}"))
    return pack


@routes("GET", "/configs/{pack}", object_permission="pack_view", query=(SHOW_SECRETS,), answer=_CONFIG, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get the configuration of a pack."""
    pack = _pack(call)
    config = call.platform.store.catalog.by_ref("config", pack)
    if config is None:
        raise NotFound(_MISSING.format(pack))
    return _form(call, config)


@routes("PUT", "/configs/{pack}", object_permission="pack_config", query=(SHOW_SECRETS,), answer=_CONFIG,
        body={"type": "object", "additionalProperties": True})  # fmt: skip
def put(call: Call) -> dict[str, Any]:
    """Replace the configuration of a pack; the body is the values."""
    pack = _pack(call)
    catalog = call.platform.store.catalog
    if catalog.by_ref("pack", pack) is None:
        raise NotFound(_MISSING.format(pack))
    schema = catalog.by_ref("config_schema", pack)
    file = call.platform.config.configs_path / f"{pack}.yaml"
    validate_config(pack, call.body, schema.attributes if schema is not None else None, str(file))
    _write(file, call.body)
    config, _ = catalog.upsert("config", {"pack": pack, "values": call.body})
    tell(call.platform, "config")
    return _form(call, config)


def _write(file: Path, values: dict[str, Any]) -> None:
    """Replace the file in one step; nobody but the platform's user and group may read it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as target:
            yaml.safe_dump(values, target, default_flow_style=False, allow_unicode=True)
        os.chmod(name, 0o640)
        os.replace(name, file)
    except (OSError, UnicodeEncodeError, yaml.YAMLError) as error:
        raise Invalid(f'Unable to write the configuration file "{file}": {error}') from error


@routes("GET", "/config_schemas", permission="pack_list", query=SCHEMAS.listing.params(), headers=LIST_HEADERS, answer=SCHEMAS.schema)
def list_schemas(call: Call) -> Reply:
    """List the configuration schemas of packs."""
    return SCHEMAS.reply(call)


@routes("GET", "/config_schemas/{pack}", object_permission="pack_view", answer=schema_of("config_schema"), metrics=False)
def get_schema(call: Call) -> dict[str, Any]:
    """Get the configuration schema of a pack."""
    pack = _pack(call)
    schema = call.platform.store.catalog.by_ref("config_schema", pack)
    if schema is None:
        raise NotFound(_MISSING.format(pack))
    return schema.to_api()
