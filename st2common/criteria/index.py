"""All rules of one trigger, indexed so that an event evaluates only the rules it can match.

A rule that asks for ``trigger.host == "web1"`` need not be looked at when the event says ``"db1"``: the equality fails, and nothing
else can be observed. "Nothing else" is the condition: criteria are evaluated in document order, and one that cannot judge its operands
leaves a failed enforcement (reactor.md 6.2). So a rule is indexed under an equality only if every criterion before it is quiet, that
is, can neither fail loudly nor raise for any JSON payload. Results are those of evaluating every rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from st2common.criteria.keys import Key
from st2common.criteria.matcher import CompiledCriteria, Criterion, Scope, Trail
from st2common.criteria.operators import Now, UnknownOperator, equals, exists, inside, nequals, nexists, ninside, plain

_ALWAYS_QUIET = frozenset({equals, nequals, exists, nexists})
_QUIET_WITH_A_LIST = frozenset({inside, ninside})
_SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class IndexedRule:
    """A rule as the index knows it.

    Attributes:
        rule: whatever the caller wants back.
        criteria: compiled.
        backstop: the rule is of type ``backstop``: tried only when no other rule matched.
        enabled: disabled rules are left out.
    """

    rule: Any
    criteria: CompiledCriteria
    backstop: bool = False
    enabled: bool = True


@dataclass(slots=True)
class Selection:
    """What an event does to the rules of its trigger.

    Attributes:
        matched: rules to enforce, in the order given to the index.
        failures: rules that could not be judged, with the text for a failed enforcement (``matcher.failure_reason``).
    """

    matched: list[IndexedRule] = field(default_factory=list)
    failures: list[tuple[IndexedRule, str]] = field(default_factory=list)


class RuleIndex:
    """The enabled rules of one trigger. Immutable: build a new one when a rule changes."""

    def __init__(self, rules: Iterable[IndexedRule]) -> None:
        enabled = [rule for rule in rules if rule.enabled]
        self.standard = _Pass([rule for rule in enabled if not rule.backstop])
        self.backstop = _Pass([rule for rule in enabled if rule.backstop])

    def __len__(self) -> int:
        return len(self.standard.rules) + len(self.backstop.rules)


def select(index: RuleIndex, payload: Mapping[str, Any] | None, *, variables: Mapping[str, Any] | None = None, now: Now = None) -> Selection:
    """Find the rules that an event matches (reactor.md 6.1): standard ones first, ``backstop`` ones if none of those does.

    Args:
        index: the rules of the event's trigger.
        payload: of the trigger instance.
        variables: further template variables of patterns, usually ``{"st2kv": lookup}``.
        now: the moment for time differences, or a function giving it; null for the machine's clock.

    Raises:
        UnknownOperator: a rule names no operator; nothing is to be enforced. ``failures`` of the error holds what was recorded so far.
        Unavailable: a pattern or key needed the datastore and it is away; nothing is decided then.
    """
    selection = Selection()
    scope = Scope({"trigger": payload}, variables, now)
    try:
        index.standard.match(payload, scope, selection)
        if not selection.matched:
            index.backstop.match(payload, scope, selection)
    except UnknownOperator as error:
        error.failures = selection.failures
        raise
    return selection


class _Pass:
    """Rules tried together."""

    def __init__(self, rules: list[IndexedRule]) -> None:
        self.rules = rules
        self.unconditional = [number for number, rule in enumerate(rules) if not rule.criteria.criteria]
        self.unindexed: list[int] = []
        self.by_key: dict[str, tuple[Key, dict[Hashable, list[int]]]] = {}
        anchors = [_anchors(rule.criteria) for rule in rules]
        popularity = Counter((key.text, pattern) for choices in anchors for key, patterns in choices for pattern in patterns)
        for number, choices in enumerate(anchors):
            if choices:
                self._put(number, *min(choices, key=lambda choice: sum(popularity[choice[0].text, pattern] for pattern in choice[1])))
            elif rules[number].criteria.criteria:
                self.unindexed.append(number)

    def _put(self, number: int, key: Key, patterns: frozenset[Hashable]) -> None:
        _, buckets = self.by_key.setdefault(key.text, (key, {}))
        for pattern in patterns:
            buckets.setdefault(pattern, []).append(number)

    def match(self, payload: Mapping[str, Any] | None, scope: Scope, selection: Selection) -> None:
        """Evaluate the rules that can match, in order."""
        for number in self._candidates(scope) if payload else self.unconditional:
            rule = self.rules[number]
            trail = Trail(with_reasons=False)
            try:
                if rule.criteria.check(scope, trail):
                    selection.matched.append(rule)
            finally:
                if trail.failures:
                    selection.failures.extend((rule, failure) for failure in trail.failures)

    def _candidates(self, scope: Scope) -> list[int]:
        numbers = self.unconditional + self.unindexed
        for key, buckets in self.by_key.values():
            value = plain(scope.value(key))
            if isinstance(value, _SCALARS):
                numbers.extend(buckets.get(value, ()))
        numbers.sort()
        return numbers


def _anchors(criteria: CompiledCriteria) -> list[tuple[Key, frozenset[Hashable]]]:
    """The equalities that a rule may be indexed under: key and the values that satisfy it."""
    anchors = []
    for criterion in criteria.criteria:
        if not _is_quiet(criterion):
            break
        patterns = _required_values(criterion)
        if patterns is not None and criterion.key is not None:
            anchors.append((criterion.key, patterns))
    return anchors


def _is_quiet(criterion: Criterion) -> bool:
    """Whether no JSON payload makes the criterion fail loudly or raise."""
    if not criterion.typed:
        return True
    if criterion.key is None or not criterion.key.is_plain or not criterion.is_static or criterion.operator is None:
        return False
    if criterion.operator in _ALWAYS_QUIET:
        return True
    return criterion.operator in _QUIET_WITH_A_LIST and (criterion.pattern is None or isinstance(criterion.pattern, list))


def _required_values(criterion: Criterion) -> frozenset[Hashable] | None:
    """The only values for which the criterion holds; null if they cannot be listed."""
    pattern = criterion.pattern
    if criterion.operator is equals and isinstance(pattern, _SCALARS):
        return frozenset() if pattern is None else frozenset({pattern})
    if criterion.operator is inside and (pattern is None or (isinstance(pattern, list) and all(isinstance(one, _SCALARS) for one in pattern))):
        return frozenset(pattern or ())
    return None
