"""Rules and rule types (api.md 4.9)."""

from __future__ import annotations

from typing import Any

from st2api.content import ContentList, schema_of, some_of
from st2api.endpoint import SHOW_SECRETS, Call, Reply, Routes
from st2api.lookup import found, found_by_id, must_be_id, tell
from st2api.query import LIST_HEADERS, Filter
from st2common.exceptions import Invalid, NotFound
from st2common.packs import metadata
from st2common.packs.rules import delete_rule, save_rule
from st2common.packs.schemas import SCHEMAS
from st2common.parameters import effective_schema, mask_parameters
from st2common.security.access import authorize
from st2common.store.triggers import WEBHOOK

routes = Routes("rules")

RULES = ContentList.of(
    "rule", Filter("id", "_id", "ids"), Filter("name", "name"), Filter("pack", "pack"),
    Filter("action", "action_ref", description="ref of the action"),
    Filter("trigger", "trigger_ref", description="ref of the trigger"), Filter("enabled", "enabled", "enabled"),
    limit=None, order=(("pack", 1), ("name", 1)),
)  # fmt: skip
_RULE = {**schema_of("rule"), "properties": {**schema_of("rule")["properties"], "trigger": {}}}
_LIST = {"type": "array", "items": some_of(_RULE)}


def _form(call: Call, rule: Any) -> dict[str, Any]:
    """The API form with the secret parameters of its action masked."""
    form = rule.to_api()
    given = (form.get("action") or {}).get("parameters")
    if given and call.platform.config.api.mask_secrets and not call.shows_secrets():
        loaded = _action(call, rule.action_ref)
        if loaded is not None:
            schema = effective_schema(loaded.runner["runner_parameters"], loaded.action["parameters"])
            form["action"] = {**form["action"], "parameters": mask_parameters(given, schema)}
    return form


def _action(call: Call, ref: str | None) -> Any | None:
    try:
        return call.platform.content.action(ref) if ref else None
    except NotFound:  # its runner type is gone: nothing tells which parameters are secret
        return None


def _forms(call: Call, rules: list[Any]) -> list[dict[str, Any]]:
    call.platform.content.refresh()
    return [_form(call, rule) for rule in rules]


@routes("GET", "/rules", permission="rule_list", query=RULES.listing.params(SHOW_SECRETS), headers=LIST_HEADERS, answer=_LIST)
def list_all(call: Call) -> Reply:
    """List rules."""
    shape = RULES.listing.shape(call)
    documents, total = RULES.page(call)
    return RULES.listing.reply(call, [shape.apply(form) for form in _forms(call, documents)], total)


@routes("POST", "/rules", permission="rule_create", body=SCHEMAS["rule"], status=201, answer=_RULE)
def create(call: Call) -> dict[str, Any]:
    """Create a rule."""
    return _save(call, None)


@routes("GET", "/rules/{ref_or_id}", object_permission="rule_view", query=(SHOW_SECRETS,), answer=_RULE, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one rule."""
    rule = found(call, "rule")
    call.authorize(rule)
    return _forms(call, [rule])[0]


@routes("PUT", "/rules/{ref_or_id}", object_permission="rule_modify", body=SCHEMAS["rule"], answer=_RULE)
def update(call: Call) -> dict[str, Any]:
    """Replace a rule (by id)."""
    rule = found(call, "rule")
    must_be_id(call, "RuleDB")
    call.authorize(rule)
    return _save(call, rule)


def _save(call: Call, replaces: Any | None) -> dict[str, Any]:
    values = metadata.validate("rule", call.body)
    _authorize_parts(call, values)
    if replaces is not None:
        _check_simple_trigger(call, values)
    values["context"] = {**values.get("context", {}), "user": call.requester.user}
    options = call.platform.config.system
    rule = save_rule(call.platform.store, values, replaces=replaces, validate_parameters=options.validate_trigger_parameters)
    tell(call.platform, "rule", "trigger")
    return rule.to_api()


def _check_simple_trigger(call: Call, values: dict[str, Any]) -> None:
    """An update to a trigger type that has no trigger of its own, without parameters, has a text of its own."""
    wanted = values["trigger"]
    if wanted.get("parameters") or call.platform.store.triggers.by_ref(wanted["type"]) is not None:
        return
    details = {"pack": wanted["type"].partition(".")[0], "type": wanted["type"], "parameters": {}}
    raise Invalid(f"A simple trigger should have been created when registering triggertype. Cannot create trigger: {details}")


def _authorize_parts(call: Call, values: dict[str, Any]) -> None:
    """A rule lets its author run the action, and open the webhook: that takes the permissions for both."""
    if call.requester.grants is None:
        return
    pack, _, name = values["action"]["ref"].partition(".")
    authorize(call.requester, "action_execute", f"action:{pack}:{name}")
    if values["trigger"]["type"] == WEBHOOK:
        url = str((values["trigger"].get("parameters") or {}).get("url", "")).strip("/")
        authorize(call.requester, "webhook_create", f"webhook:{url}")


@routes("DELETE", "/rules/{ref_or_id}", object_permission="rule_delete", status=204)
def delete(call: Call) -> None:
    """Delete a rule."""
    rule = found(call, "rule")
    call.authorize(rule)
    delete_rule(call.platform.store, rule)
    tell(call.platform, "rule", "trigger")


# -- views ---------------------------------------------------------------------------------------------------------------------------


def _views(call: Call, rules: list[Any]) -> list[dict[str, Any]]:
    """With the descriptions of action and trigger."""
    forms = []
    triggers: dict[str, str] = {}
    for rule, form in zip(rules, _forms(call, rules), strict=True):
        loaded = _action(call, rule.action_ref)
        trigger = form.get("trigger") or {}
        key = f"{trigger.get('ref')} {trigger.get('type')}"
        if key not in triggers:
            triggers[key] = _trigger_description(call, trigger)
        form["action"] = {**form["action"], "description": (loaded.action.get("description") if loaded else None) or ""}
        form["trigger"] = {**trigger, "description": triggers[key]}
        forms.append(form)
    return forms


def _trigger_description(call: Call, trigger: dict[str, Any]) -> str:
    """The trigger's own, else its type's."""
    store = call.platform.store
    found_trigger = store.triggers.by_ref(trigger["ref"]) if trigger.get("ref") else None
    if found_trigger is not None and found_trigger.description:
        return str(found_trigger.description)
    trigger_type = store.catalog.by_ref("trigger_type", trigger["type"]) if trigger.get("type") else None
    return str(trigger_type.description or "") if trigger_type is not None else ""


@routes("GET", "/rules/views", permission="rule_list", query=RULES.listing.params(SHOW_SECRETS), headers=LIST_HEADERS, answer=_LIST)
def list_views(call: Call) -> Reply:
    """List rules with the descriptions of their actions and triggers."""
    shape = RULES.listing.shape(call)
    documents, total = RULES.page(call)
    return RULES.listing.reply(call, [shape.apply(form) for form in _views(call, documents)], total)


@routes("GET", "/rules/views/{ref_or_id}", object_permission="rule_view", query=(SHOW_SECRETS,), answer=_RULE)
def get_view(call: Call) -> dict[str, Any]:
    """Get one rule with the descriptions of its action and trigger."""
    rule = found(call, "rule")
    call.authorize(rule)
    return _views(call, [rule])[0]


# -- rule types ----------------------------------------------------------------------------------------------------------------------


@routes("GET", "/ruletypes", answer={"type": "array", "items": schema_of("rule_type")})
def list_types(call: Call) -> list[dict[str, Any]]:
    """List rule types."""
    return [item.to_api() for item in call.platform.store.catalog.find_all("rule_type")]


@routes("GET", "/ruletypes/{id}", answer=schema_of("rule_type"))
def get_type(call: Call) -> dict[str, Any]:
    """Get one rule type."""
    text = "Unable to find the RuleTypeDB instance. {{'id': '{}'}}"
    return found_by_id(call, "rule_type", call.path["id"], text=text).to_api()
