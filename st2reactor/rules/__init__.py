"""The rules engine: matches events against rules and requests their actions."""

from st2reactor.rules.engine import RulesEngine

__all__ = ["RulesEngine"]
