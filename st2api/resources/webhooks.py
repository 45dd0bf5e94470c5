"""Webhooks (api.md 4.12, reactor.md 3)."""

from __future__ import annotations

import uuid
from typing import Any

from st2api.content import schema_of
from st2api.endpoint import Call, Routes
from st2common.exceptions import Invalid, NotFound, St2Error, Unauthorized
from st2common.store.triggers import WEBHOOK
from st2common.web.body import parse
from st2common.webhooks import Delivery, WebhookGate

routes = Routes("webhooks")

_TRIGGER = schema_of("trigger")
_GENERIC = "st2"
_TRACE_TAG = "st2-trace-tag"
_NOT_PASSED_ON = frozenset({"st2-api-key", "x-auth-token", "cookie", _TRACE_TAG})
_BODY = {"anyOf": [{"type": "object"}, {"type": "array"}]}


@routes("GET", "/webhooks", permission="webhook_list", answer={"type": "array", "items": _TRIGGER})
def list_all(call: Call) -> list[dict[str, Any]]:
    """List the triggers behind webhooks."""
    return [trigger.to_api() for trigger in call.platform.store.triggers.by_type(WEBHOOK)]


@routes("GET", "/webhooks/{hook:path}", object_permission="webhook_view", answer=_TRIGGER)
def get(call: Call) -> dict[str, Any]:
    """Get the trigger behind a webhook whose url is one segment."""
    hook = call.path["hook"]
    found = [] if "/" in hook else call.platform.store.triggers.by_hook(hook)
    if not found:
        raise NotFound(f"Webhook {hook} not registered with st2")
    call.authorize(f"webhook:{hook}")
    return found[0].to_api()


@routes("POST", "/webhooks/{hook:path}", object_permission="webhook_send", raw_body=True, body=_BODY, status=202, answer={})
def post(call: Call) -> Any:
    """Send an event to a webhook; the answer echoes the body."""
    hook = call.path["hook"].strip("/")
    call.authorize(f"webhook:{hook}")
    if hook == _GENERIC:
        return _post_generic(call)
    triggers = call.platform.store.triggers.by_hook(hook)
    if not triggers:
        raise NotFound(f"Webhook {hook} not registered with st2")
    body = parse(call.request.content_type, call.raw)
    if not isinstance(body, dict | list):
        raise Invalid(f"{body!r} is not of type 'object', 'array'")
    _dispatch(call, hook, triggers, body)
    return body


def _dispatch(call: Call, hook: str, triggers: list[Any], body: Any) -> None:
    platform, headers = call.platform, call.headers
    gate = WebhookGate(platform.store, platform.datastore)
    signed = [trigger for trigger in triggers if gate.is_signed(trigger.parameters, headers, call.raw)]
    if not signed:
        raise Unauthorized(f"Unauthorized - the signature that webhook {hook} asks for is missing or wrong.")
    payload = {"headers": _passed_on(call, title=True), "headers_lower": _passed_on(call, title=False), "body": body}
    remembered: list[Delivery] = []
    try:
        refs = []
        for trigger in signed:
            delivery = gate.remember(trigger.ref, trigger.parameters, headers, payload)
            if isinstance(delivery, Delivery):
                remembered.append(delivery)
            if delivery:
                refs.append(trigger.ref)
        if refs:
            platform.dispatcher.dispatch_many(refs, payload, trace_context=_trace(call, hook))
    except St2Error:
        for delivery in remembered:
            gate.forget(delivery)
        raise


def _passed_on(call: Call, *, title: bool) -> dict[str, str]:
    """Headers for the payload: as received (title case) or in lower case, without credentials, with the id of the request."""
    given = {**call.headers, "x-request-id": call.request.context.id}
    return {name.title() if title else name: value for name, value in given.items() if name not in _NOT_PASSED_ON}


def _trace(call: Call, hook: str) -> dict[str, str]:
    return {"trace_tag": call.headers.get(_TRACE_TAG) or f"webhook-{hook}-{uuid.uuid4().hex}"}


def _post_generic(call: Call) -> Any:
    """``/webhooks/st2``: any trigger, named in the body."""
    body = parse(call.request.content_type, call.raw)
    if not isinstance(body, dict):
        kinds = {list: "array", str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
        raise Invalid(f"Webhook body needs to be an object, got: {kinds[type(body)]}")
    ref, payload = body.get("trigger"), body.get("payload")
    if not ref or not isinstance(ref, str):
        raise Invalid("Trigger not specified.")
    platform = call.platform
    trigger = platform.store.triggers.by_ref(ref)
    type_ref = trigger.type if trigger is not None and trigger.type else ref
    platform.dispatcher.check_payload(type_ref, payload)
    if trigger is not None:
        platform.dispatcher.dispatch_many([ref], payload, trace_context=_trace(call, _GENERIC))
    return body
