"""Action aliases and what they run (api.md 4.5, 4.6; chatops.md 2, 3)."""

from __future__ import annotations

from typing import Any

from st2api import alias_requests
from st2api.content import ContentList, schema_of
from st2api.endpoint import Call, Param, Reply, Routes
from st2api.execution_forms import EXECUTION_SCHEMA
from st2api.lookup import found, must_be_id, tell
from st2api.query import LIST_HEADERS, Filter, page_offset
from st2common.aliases import match_command
from st2common.bus import EVENTS
from st2common.exceptions import Invalid, NotFound
from st2common.packs import metadata
from st2common.packs.schemas import SCHEMAS

routes = Routes("action aliases")

ALIASES = ContentList.of("alias", Filter("name", "name"), Filter("pack", "pack"), limit=100, order=(("pack", 1), ("name", 1)), sortable=True)
_ALIAS = schema_of("alias")


def _announce(call: Call, change: str, alias: Any) -> dict[str, Any]:
    """Tell listeners; returns the API form."""
    form: dict[str, Any] = alias.to_api()
    call.platform.bus.announce(EVENTS, {"event": f"st2.actionalias__{change}", "form": form})
    tell(call.platform, "alias")
    return form


@routes("GET", "/actionalias", permission="action_alias_list", query=ALIASES.listing.params(), headers=LIST_HEADERS, answer=ALIASES.schema)
def list_all(call: Call) -> Reply:
    """List action aliases."""
    return ALIASES.reply(call)


@routes("POST", "/actionalias", object_permission="action_alias_create", body=SCHEMAS["alias"], status=201, answer=_ALIAS)
def create(call: Call) -> dict[str, Any]:
    """Create an action alias."""
    call.authorize(f"action_alias:{call.body['pack']}:{call.body['name']}")
    return _announce(call, "create", call.platform.store.catalog.insert("alias", metadata.validate("alias", call.body)))


@routes("GET", "/actionalias/{ref_or_id}", object_permission="action_alias_view", answer=_ALIAS, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one action alias."""
    alias = found(call, "alias")
    call.authorize(alias)
    return alias.to_api()


@routes("PUT", "/actionalias/{ref_or_id}", object_permission="action_alias_modify", body=SCHEMAS["alias"], answer=_ALIAS)
def update(call: Call) -> dict[str, Any]:
    """Replace an action alias (by id)."""
    alias = found(call, "alias")
    must_be_id(call, "ActionAliasDB")
    call.authorize(alias)
    replaced = call.platform.store.catalog.replace("alias", alias.id, metadata.validate("alias", call.body))
    if replaced is None:
        raise NotFound(f'Resource with a reference or id "{call.path["ref_or_id"]}" not found')
    return _announce(call, "update", replaced)


@routes("DELETE", "/actionalias/{ref_or_id}", object_permission="action_alias_delete", status=204)
def delete(call: Call) -> None:
    """Delete an action alias."""
    alias = found(call, "alias")
    call.authorize(alias)
    call.platform.store.catalog.delete("alias", alias.id)
    _announce(call, "delete", alias)


# -- match and help ------------------------------------------------------------------------------------------------------------------

_COMMAND = {"type": "string", "required": True, "maxLength": 10_000}
_MATCHED = {
    "type": "object",
    "properties": {"actionalias": _ALIAS, "display": {"type": ["string", "null"]}, "representation": {"type": "string"}},
    "required": ["actionalias", "display", "representation"],
}


@routes("POST", "/actionalias/match", permission="action_alias_match", answer=_MATCHED,
        body={"type": "object", "properties": {"command": _COMMAND}, "additionalProperties": True})  # fmt: skip
def match(call: Call) -> dict[str, Any]:
    """Find the alias that a command belongs to."""
    matched = match_command(call.body["command"], call.platform.store.catalog.find_all("alias"))
    return {"actionalias": matched.alias.to_api(), "display": matched.entry.display, "representation": matched.entry.representation}


@routes("GET", "/actionalias/help", permission="action_alias_help",
        query=(Param("filter", description="regular expression over the display"), Param("pack"), Param("limit", "integer", 100, "0 = all"),
               Param("offset", "integer", 0)),
        answer={"type": "object", "properties": {"available": {"type": "integer"}, "helpstrings": {"type": "array"}}})  # fmt: skip
def help(call: Call) -> dict[str, Any]:
    """List the help texts of aliases."""
    asked = call.query
    if asked["limit"] < 0:
        raise Invalid(f'Limit, "{asked["limit"]}" specified, must be a positive number.')
    page = alias_requests.help_texts(
        call.platform.store.catalog.find_all("alias"), asked["filter"] or "", asked["pack"] or "", asked["limit"], page_offset(call)
    )
    return {"available": page.available, "helpstrings": page.helpstrings}


# -- run -----------------------------------------------------------------------------------------------------------------------------

_TEXT = {"type": "string", "required": True}
_OPTIONAL = {"type": ["string", "null"]}
_RUN = {
    "type": "object",
    "properties": {
        "name": _TEXT, "format": _TEXT, "command": _COMMAND, "user": _OPTIONAL, "source_channel": _TEXT,
        "source_context": {"type": ["object", "null"]}, "notification_channel": _OPTIONAL, "notification_route": _OPTIONAL,
    },
    "additionalProperties": False,
}  # fmt: skip
_MATCH_AND_RUN = {
    "type": "object",
    "properties": {"command": _COMMAND, "user": _TEXT, "source_channel": _TEXT, "notification_channel": _OPTIONAL, "notification_route": _OPTIONAL},
    "additionalProperties": False,
}
_RAN = {
    "type": "object",
    "properties": {"execution": EXECUTION_SCHEMA, "actionalias": _ALIAS, "message": {"type": "string"}, "extra": {}},
    "required": ["execution", "actionalias"],
}


@routes("POST", "/aliasexecution", object_permission="action_execute", body=_RUN, status=201, answer=_RAN)
def execute(call: Call) -> dict[str, Any]:
    """Run what an alias stands for."""
    alias = call.platform.store.catalog.find("alias", {"name": call.body["name"]})
    if alias is None:
        raise NotFound(f"Unable to find the ActionAliasDB instance. {{'name': '{call.body['name']}'}}")
    return alias_requests.execute(call, alias, call.body["format"], call.body)[0]


@routes("POST", "/aliasexecution/match_and_execute", object_permission="action_execute", body=_MATCH_AND_RUN, status=201,
        answer={"type": "object", "properties": {"results": {"type": "array", "items": _RAN}}, "required": ["results"]})  # fmt: skip
def match_and_execute(call: Call) -> dict[str, Any]:
    """Find the alias of a command and run what it stands for."""
    matched = match_command(call.body["command"], call.platform.store.catalog.find_all("alias"))
    return {"results": alias_requests.execute(call, matched.alias, matched.entry.representation, call.body)}
