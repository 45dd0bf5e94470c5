"""Save and delete rules together with their hold on a trigger (reactor.md section 1): files and API requests do the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.exceptions import Invalid
from st2common.schema import check
from st2common.store import Store
from st2common.triggers import validate_trigger_parameters


def save_rule(store: Store, values: Mapping[str, Any], *, replaces: Any | None = None, validate_parameters: bool = True) -> Any:
    """Store a rule, bound to the trigger that its type and parameters name (made if needed).

    Args:
        store: where to.
        values: a normalised rule (``metadata.validate``).
        replaces: the rule document that this one takes the place of, keeping its id.
        validate_parameters: check parameters of the trigger types of packs, too (``[system] validate_trigger_parameters``).

    Returns:
        The stored rule document.

    Raises:
        Invalid: the trigger or its parameters are wrong.
        Conflict: a new rule's name is taken.
    """
    wanted = values["trigger"]
    type_ref, parameters = wanted["type"], wanted.get("parameters") or {}
    check_trigger(store, type_ref, parameters, validate_parameters)
    trigger = store.triggers.for_rule(type_ref, parameters, wanted.get("description"))
    document = {
        **values,
        "trigger": {"type": type_ref, "parameters": parameters, "ref": trigger.ref},
        "action": {"ref": values["action"]["ref"], "parameters": values["action"].get("parameters") or {}},
    }
    try:
        saved = store.catalog.insert("rule", document) if replaces is None else store.catalog.replace("rule", replaces.id, document)
    except BaseException:
        store.triggers.release(trigger.ref)
        raise
    if saved is None:
        # Deleted by somebody else in between: it is a new one then.
        saved = store.catalog.insert("rule", document, replaces.id if replaces is not None else None)
    elif replaces is not None:
        store.triggers.release(replaces.trigger_ref)
    return saved


def delete_rule(store: Store, rule: Any) -> bool:
    """Remove a rule and its hold on its trigger. False when it was gone already."""
    if not store.catalog.delete("rule", rule.id):
        return False
    store.triggers.release(rule.trigger_ref)
    return True


def check_trigger(store: Store, type_ref: str, parameters: Mapping[str, Any], validate_parameters: bool = True) -> None:
    """Check the parameters that a rule gives for a trigger type.

    Raises:
        Invalid: they do not fit. Types that do not exist are not our business here.
    """
    if validate_trigger_parameters(type_ref, parameters) or not validate_parameters:
        return
    trigger_type = store.catalog.by_ref("trigger_type", type_ref)
    if trigger_type is None or not trigger_type.parameters_schema:
        return
    try:
        check(dict(parameters), trigger_type.parameters_schema)
    except Invalid as error:
        raise Invalid(f'Parameters of trigger type "{type_ref}" are wrong: {error.message}', error.path) from error
