"""Permission types by resource type (operations.md section 9, api.md 4.16), and what one of them implies.

The one table: the RBAC decision, the check of role files and ``GET /rbac/permission_types`` all read it.
"""

from __future__ import annotations

_NOUNS = {
    "runner_type": "runner type", "pack": "pack", "sensor_type": "sensor type", "action": "action", "action_alias": "action alias",
    "rule": "rule", "rule_enforcement": "rule enforcement", "execution": "execution", "key_value_pair": "datastore item",
    "webhook": "webhook", "timer": "timer", "api_key": "API key", "trace": "trace", "trigger": "trigger", "policy_type": "policy type",
    "policy": "policy", "inquiry": "inquiry", "stream": "event stream",
}  # fmt: skip

_VERBS: dict[str, str] = {
    "runner_type": "list view modify all",
    "pack": "list view create modify delete install uninstall register config search views_index_health all",
    "sensor_type": "list view modify all",
    "action": "list view create modify delete execute all",
    "action_alias": "list view create modify match help delete all",
    "rule": "list view create modify delete all",
    "rule_enforcement": "list view",
    "execution": "list view rerun stop all views_filters_list",
    "key_value_pair": "list view set delete all",
    "webhook": "list view create send delete all",
    "timer": "list view all",
    "api_key": "list view create modify delete all",
    "trace": "list view all",
    "trigger": "list view all",
    "policy_type": "list view all",
    "policy": "list view create modify delete all",
    "inquiry": "list view respond all",
    "stream": "view",
}
_ON_PACKS = {
    "sensor_type": "view modify all",
    "action": "view create modify delete execute all",
    "action_alias": "view create modify delete all",
    "rule": "view create modify delete all",
}
"""What a grant on a pack may carry for the content of that pack."""

_TEXTS = {
    "list": "List {noun}s.",
    "view": "See one {noun}.",
    "create": "Create a {noun}.",
    "modify": "Change a {noun}.",
    "delete": "Delete a {noun}.",
    "all": "Everything that can be done with a {noun}.",
    "execute": "Run an {noun}.",
    "install": "Install {noun}s.",
    "uninstall": "Remove installed {noun}s.",
    "register": "Register the content of {noun}s.",
    "config": "Configure a {noun}.",
    "search": "Search the index of {noun}s.",
    "views_index_health": "See the health of the index of {noun}s.",
    "match": "Find the {noun} of a command.",
    "help": "See the help texts of {noun}es.",
    "rerun": "Run an {noun} again.",
    "stop": "Cancel, pause or resume an {noun}.",
    "views_filters_list": "List the values that {noun}s can be filtered by.",
    "set": "Write a {noun}.",
    "send": "Post to a {noun}.",
    "respond": "Answer an {noun}.",
}


def _text(kind: str, verb: str) -> str:
    noun = _NOUNS[kind]
    text = _TEXTS[verb].format(noun=noun)
    if noun[0] in "aeiouA":
        text = text.replace(f" a {noun}", f" an {noun}")
    return text.replace("aliass", "aliases").replace("policys", "policies").replace("inquirys", "inquiries")


def _types_of(kind: str) -> dict[str, str]:
    found = {f"{kind}_{verb}": _text(kind, verb) for verb in _VERBS[kind].split()}
    if kind == "pack":
        for child, verbs in _ON_PACKS.items():
            found.update({f"{child}_{verb}": f"In this pack: {_text(child, verb)}" for verb in verbs.split()})
    return found


PERMISSION_TYPES: dict[str, dict[str, str]] = {kind: _types_of(kind) for kind in _VERBS}
"""Resource type -> permission type that a grant on it may carry -> one line of text."""

KIND_OF: dict[str, str] = {f"{kind}_{verb}": kind for kind, verbs in _VERBS.items() for verb in verbs.split()}
"""Permission type -> resource type that it is about."""

GLOBAL_TYPES = frozenset(
    {name for name in KIND_OF if name.endswith("_list")}
    | {f"pack_{verb}" for verb in ("install", "uninstall", "create", "register", "config", "search", "views_index_health")}
    | {"action_alias_match", "action_alias_help", "api_key_create", "policy_create", "stream_view"}
    | {"inquiry_list", "inquiry_respond", "inquiry_view"}
)
"""Permission types that are granted without a resource."""

OBSERVER_TYPES = frozenset(name for name in KIND_OF if name.endswith(("_list", "_view")) or "_views_" in name)
"""What the system role observer may do: every list and view."""

_IMPLY_VIEW = ("create", "modify", "delete", "execute", "set", "send")


def _own_grants(name: str) -> frozenset[str]:
    kind = KIND_OF[name]
    enough = {name, f"{kind}_all"}
    if name == f"{kind}_view":
        enough |= {f"{kind}_{verb}" for verb in _IMPLY_VIEW}
    return frozenset(enough & KIND_OF.keys())


_INHERITED = {
    "execution_view": "action_view",
    "execution_rerun": "action_execute",
    "execution_stop": "action_execute",
    "inquiry_respond": "action_execute",
    "rule_enforcement_view": "rule_view",
}
"""Permission -> permission on the thing it came from (its action, its rule) that is as good."""

SUFFICIENT: dict[str, frozenset[str]] = {
    name: _own_grants(name) | (_own_grants(_INHERITED[name]) if name in _INHERITED else frozenset()) for name in KIND_OF
}
"""Permission type -> granted types, on the resource or on one that it inherits from, any of which is enough."""
