"""One thin module per resource: parse, authorize, store operation, view. Each declares its endpoints in ``routes``."""

from st2api.resources import actions, executions, keys, packs, rule_enforcements, rules, service, triggers, webhooks

ALL_ROUTES = (
    service.routes, actions.routes, executions.routes, rules.routes, rule_enforcements.routes, triggers.routes, webhooks.routes, keys.routes,
    packs.routes,
)  # fmt: skip
"""The table of the whole API."""

__all__ = ["ALL_ROUTES"]
