"""One thin module per resource: parse, authorize, store operation, view. Each declares its endpoints in ``routes``."""

from st2api.resources import (
    access,
    actions,
    aliases,
    apikeys,
    configs,
    executions,
    inquiries,
    keys,
    packs,
    policies,
    rule_enforcements,
    rules,
    service,
    traces,
    triggers,
    types,
    webhooks,
    workflows,
)

ALL_ROUTES = tuple(
    module.routes
    for module in (
        service, actions, executions, inquiries, rules, rule_enforcements, triggers, webhooks, traces, keys, packs, configs, aliases, policies,
        types, workflows, apikeys, access,
    )
)  # fmt: skip
"""The table of the whole API."""

__all__ = ["ALL_ROUTES"]
