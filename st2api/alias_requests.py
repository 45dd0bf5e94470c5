"""Running what a chat command asks for: parameters from the command, context and notification of the chat, the acknowledgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from st2api.endpoint import Call
from st2common import states
from st2common.aliases import HelpPage, check_immutable, extract_parameters, help_page
from st2common.clock import iso_us
from st2common.content_cache import LoadedAction
from st2common.exceptions import Invalid, NotFound
from st2common.execution.request import Request
from st2common.expressions import RenderError, render_value
from st2common.parameters import effective_schema, validate_request
from st2common.parameters.casting import cast_parameter
from st2common.schema import SchemaViolation


def execute(call: Call, alias: Any, format_text: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Request the alias's action: once, or once per match of a ``match_multiple`` format (chatops.md 3).

    Raises:
        Invalid: the alias is disabled, the command does not fit, or its parameters do not.
        NotFound: the action is gone.
    """
    platform = call.platform
    if not alias.enabled:
        raise Invalid(f'Action alias with name "{alias.name}" is disabled.')
    platform.content.refresh()
    loaded = platform.content.action(alias.action_ref)
    if loaded is None:
        raise NotFound(f'Action with ref "{alias.action_ref}" not found ')
    call.authorize(f"action:{loaded.action['pack']}:{loaded.action['name']}")
    if not loaded.action["enabled"]:
        raise Invalid(f'Unable to execute. Action "{loaded.ref}" is disabled.')
    found = extract_parameters(alias, format_text, body["command"])
    context = {
        "action_alias_ref": {"id": str(alias.id), "name": alias.name}, "api_user": body.get("user") or "", "user": call.requester.user,
        "source_channel": body["source_channel"],
    }  # fmt: skip
    immutable = _immutable(call, alias, context)
    ready = [_parameters(loaded, {**_checked(parameters, immutable), **immutable}) for parameters in found]
    return [_request(call, alias, loaded, {**context, "pack": loaded.action["pack"]}, parameters, _notify(body)) for parameters in ready]


def _checked(parameters: Mapping[str, Any], immutable: Mapping[str, Any]) -> Mapping[str, Any]:
    check_immutable(parameters, immutable)
    return parameters


def _immutable(call: Call, alias: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """The alias's own parameters, rendered over the datastore and the context."""
    variables = {"st2kv": call.platform.datastore.namespace(context["api_user"] or context["user"]), **context}
    return {name: render_value(value, variables) for name, value in (alias.immutable_parameters or {}).items()}


def _parameters(loaded: LoadedAction, given: Mapping[str, Any]) -> dict[str, Any]:
    """Cast to the types of the action; text for an array is split at commas. Nothing is rendered: it is what somebody typed.

    Raises:
        Invalid: they do not fit, with the long text of the violation.
    """
    runner, action = loaded.runner["runner_parameters"], loaded.action["parameters"]
    schemas = effective_schema(runner, action)
    live = {}
    for name, value in given.items():
        kind = (runner[name] if name in runner else schemas.get(name, {})).get("type")
        live[name] = _array(value) if kind == "array" and isinstance(value, str) else cast_parameter(value, kind)
    try:
        return validate_request(runner_parameters=runner, action_parameters=action, live=live)
    except SchemaViolation as violation:
        raise Invalid(violation.long_text, violation.path) from violation


def _array(text: str) -> Any:
    if text.lstrip().startswith("["):
        return cast_parameter(text, "array")
    return [part.strip() for part in text.split(",")] if text else []


def _notify(body: Mapping[str, Any]) -> dict[str, Any]:
    route = body.get("notification_route") or body.get("notification_channel")
    data = {"user": body.get("user"), "source_channel": body["source_channel"], "source_context": body.get("source_context")}
    return {"on-complete": {"routes": [route], "data": data}}


def _request(
    call: Call, alias: Any, loaded: LoadedAction, context: dict[str, Any], parameters: dict[str, Any], notify: dict[str, Any]
) -> dict[str, Any]:
    platform = call.platform
    request = Request(action=loaded.ref, parameters=parameters, user=call.requester.user, context=context, notify=notify)
    document = platform.requests.submit_valid(request, loaded, context, parameters)
    fresh = {**document, "status": states.REQUESTED, "log": document["log"][:1]}
    execution = platform.view.one(fresh)
    execution["log"] = [{"timestamp": iso_us(document["log"][0][0]), "status": states.REQUESTED}]
    answer = {"execution": execution, "actionalias": alias.to_api()}
    ack = alias.ack or {}
    if ack.get("format"):
        answer["message"] = _acknowledgement("format", ack["format"], answer)
    if ack.get("extra"):
        answer["extra"] = _acknowledgement("extra", ack["extra"], answer)
    return answer


def _acknowledgement(field: str, template: Any, variables: Mapping[str, Any]) -> Any:
    """A rendered part of ``ack``; the action runs already, so a bad template gives a text that says so."""
    try:
        return render_value(template, variables)
    except RenderError as error:
        return f'Cannot render "{field}" in field "ack" for alias. {error.message}'


def help_texts(aliases: Sequence[Any], pattern: str, pack: str, limit: int, offset: int) -> HelpPage:
    """Help texts of aliases."""
    return help_page(aliases, filter=pattern, pack=pack, limit=limit, offset=offset)
