"""Packs (api.md 4.7)."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

from st2api.content import ContentList, schema_of
from st2api.endpoint import Call, Reply, Routes
from st2api.lookup import found, tell
from st2api.pack_files import inside
from st2api.query import LIST_HEADERS, Filter
from st2common.exceptions import Invalid, NotFound
from st2common.execution.request import Request
from st2common.packs.index import PackIndex, fetch_index, health
from st2common.packs.registrar import TYPES, Registrar
from st2common.security.access import authorize

routes = Routes("packs")

PACKS = ContentList.of(
    "pack", Filter("id", "_id", "ids"), Filter("name", "name"), Filter("ref", "ref"),
    any_field=True, limit=100, order=(("ref", 1),), sortable=True,
)  # fmt: skip
_PACK = schema_of("pack")
_TEXT = 'Resource with a ref or id "{}" not found'
LARGEST_FILE = 500_000


def _pack(call: Call) -> Any:
    wanted = call.path["ref_or_id"]
    catalog = call.platform.store.catalog
    pack = catalog.by_ref("pack", wanted) or catalog.by_id("pack", wanted)
    if pack is None:
        raise NotFound(_TEXT.format(wanted))
    call.authorize(pack)
    return pack


@routes("GET", "/packs", permission="pack_list", query=PACKS.listing.params(), headers=LIST_HEADERS, answer=PACKS.schema)
def list_all(call: Call) -> Reply:
    """List installed packs."""
    return PACKS.reply(call)


@routes("GET", "/packs/{ref_or_id}", object_permission="pack_view", answer=_PACK, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one pack."""
    return _pack(call).to_api()


# -- install, remove, register -------------------------------------------------------------------------------------------------------

_NAMES = {"type": "array", "items": {"type": "string"}}
_STARTED = {"type": "object", "properties": {"execution_id": {"type": "string"}}, "required": ["execution_id"]}
_INSTALL = {
    "type": "object",
    "properties": {
        "packs": {**_NAMES, "required": True},
        "force": {"type": "boolean", "default": False},
        "skip_dependencies": {"type": "boolean", "default": False},
    },
    "additionalProperties": True,
}
_UNINSTALL = {"type": "object", "properties": {"packs": {**_NAMES, "required": True}}, "additionalProperties": True}


def _run(call: Call, action: str, parameters: dict[str, Any]) -> dict[str, str]:
    document = call.platform.requests.submit(Request(action=action, parameters=parameters, user=call.requester.user))
    return {"execution_id": str(document["_id"])}


@routes("POST", "/packs/install", permission="pack_install", body=_INSTALL, status=202, answer=_STARTED)
def install(call: Call) -> dict[str, str]:
    """Install packs; runs packs.install."""
    parameters: dict[str, Any] = {"packs": call.body["packs"]}
    for name in ("force", "skip_dependencies"):
        if call.body[name]:
            parameters[name] = True
    return _run(call, "packs.install", parameters)


@routes("POST", "/packs/uninstall", permission="pack_uninstall", body=_UNINSTALL, status=202, answer=_STARTED)
def uninstall(call: Call) -> dict[str, str]:
    """Remove packs; runs packs.uninstall."""
    return _run(call, "packs.uninstall", {"packs": call.body["packs"]})


_KINDS = ["all", *(text for pair in TYPES.items() for text in pair)]
_REGISTER = {
    "type": "object",
    "properties": {
        "packs": {"type": ["array", "null"], "items": {"type": "string"}},
        "types": {"type": ["array", "null"], "items": {"type": "string", "enum": _KINDS}},
        "fail_on_failure": {"type": "boolean", "default": True},
    },
    "additionalProperties": True,
}


@routes("POST", "/packs/register", permission="pack_register", body=_REGISTER, answer={"type": "object"})
def register(call: Call) -> dict[str, int]:
    """Register the content of packs on disk."""
    platform, body = call.platform, call.body
    config = platform.config
    registrar = Registrar(
        platform.store, pack_paths=config.packs_paths, base_path=config.base_path,
        validate_trigger_parameters=config.system.validate_trigger_parameters,
    )  # fmt: skip
    try:
        report = registrar.register(body.get("types"), body.get("packs"), fail_on_failure=body["fail_on_failure"])
    finally:
        tell(platform, "pack", "action", "rule", "trigger", "trigger_type", "sensor", "alias", "policy", "config")
    return report.counts


# -- index ---------------------------------------------------------------------------------------------------------------------------


def _index(call: Call) -> PackIndex:
    """Fetch the indexes, through the proxy that pack ``packs`` is configured with."""
    settings = call.platform.datastore.pack_config("packs", call.requester.user)
    proxies = {scheme: settings[f"{scheme}_proxy"] for scheme in ("http", "https") if settings.get(f"{scheme}_proxy")}
    return fetch_index(call.platform.config.content.index_url, proxies=proxies, ca_bundle=settings.get("proxy_ca_bundle_path"))


@routes("GET", "/packs/index", permission="pack_search", answer={"type": "object"})
def index(call: Call) -> dict[str, Any]:
    """List the packs of all indexes."""
    fetched = _index(call)
    return {"status": [status.to_api() for status in fetched.statuses], "index": fetched.packs}


@routes("GET", "/packs/index/health", permission="pack_views_index_health", answer={"type": "object"})
def index_health(call: Call) -> dict[str, Any]:
    """Tell how the indexes are."""
    fetched = _index(call)
    return health(fetched.statuses, len(fetched.packs))


_SEARCH = {"type": "object", "properties": {"query": {"type": "string"}, "pack": {"type": "string"}}, "additionalProperties": True}


@routes("POST", "/packs/index/search", permission="pack_search", body=_SEARCH, answer={})
def search(call: Call) -> Any:
    """Search the indexes by text, or get one entry by its name."""
    if call.body.get("query") is None and call.body.get("pack") is None:
        raise Invalid("Either query or pack is required")
    fetched = _index(call)
    if call.body.get("query") is not None:
        return fetched.search(call.body["query"])
    return fetched.entry(call.body["pack"]) or []


# -- files ---------------------------------------------------------------------------------------------------------------------------


@routes("GET", "/packs/views/files/{ref_or_id}", object_permission="pack_view", answer={"type": "array", "items": {"type": "object"}})
def files(call: Call) -> list[dict[str, str]]:
    """Get the text files of a pack."""
    pack = _pack(call)
    shown = []
    for name in pack.files or ():
        content = _text(Path(pack.path), name)
        if content is not None:
            shown.append({"file_path": name, "content": content})
    return shown


def _text(directory: Path, name: str) -> str | None:
    """A file's text; None for what is binary, too large, gone or outside."""
    try:
        file = inside(directory, name)
        if not file.is_file() or file.stat().st_size > LARGEST_FILE:
            return None
        data = file.read_bytes()
    except (Invalid, OSError):
        return None
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


@routes("GET", "/packs/views/file/{ref_or_id}/{file_path:path}", media="application/octet-stream", headers=("ETag", "Last-Modified"))
def file(call: Call) -> Reply:
    """Get one file of a pack."""
    name = call.path["file_path"]
    wanted = call.path["ref_or_id"]
    pack = found(call, "pack", wanted, text=_TEXT)
    if name != "icon.png":
        authorize(call.requester, "pack_view", pack)
    target = inside(Path(pack.path), name)
    if not target.is_file():
        raise NotFound(f'File "{name}" not found')
    status = target.stat()
    if status.st_size > LARGEST_FILE:
        raise Invalid(f"File {name} exceeds maximum allowed file size ({LARGEST_FILE} bytes)")
    modified = datetime.fromtimestamp(int(status.st_mtime), UTC)
    headers = {"ETag": str(status.st_mtime), "Last-Modified": format_datetime(modified, usegmt=True)}
    if _is_known(call, headers["ETag"], modified):
        return Reply(status=304, headers=headers)
    return Reply(data=target.read_bytes(), media=mimetypes.guess_type(target.name)[0] or "application/octet-stream", headers=headers)


def _is_known(call: Call, etag: str, modified: datetime) -> bool:
    """Whether the client has this version already."""
    if call.headers.get("if-none-match") == etag:
        return True
    since = call.headers.get("if-modified-since")
    if not since:
        return False
    try:
        return parsedate_to_datetime(since) >= modified
    except (TypeError, ValueError):
        return False
