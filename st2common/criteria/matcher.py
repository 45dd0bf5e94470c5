"""Rule criteria: compiled once, matched against many payloads, with the reasons for either result (reactor.md 6.1 to 6.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from st2common.criteria.keys import Key, KeyLookupError, KeySyntaxError, compile_key
from st2common.criteria.operators import OPERATORS, SEARCH, TIME_OPERATORS, Now, OperatorError, UnknownOperator, get_operator, search
from st2common.exceptions import Invalid
from st2common.expressions import RenderError, render, render_typed

_EXPRESSION = re.compile(r"\{\{.*\}\}")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_UNSET = object()
_NO_VARIABLES: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Reason:
    """What became of one criterion.

    Attributes:
        key: as written in the rule, comment included.
        operator: name as written; null if the rule names none.
        pattern: after rendering.
        value: what the payload holds under the key, null if nothing.
        ok: whether the criterion holds.
        why: one sentence for people.
        children: of a ``search``: for every item of the list, the reasons of its child criteria.
    """

    key: str
    operator: Any
    pattern: Any
    value: Any
    ok: bool
    why: str
    children: tuple[tuple[Reason, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """The result of matching one rule.

    Attributes:
        ok: all criteria hold.
        reasons: one per criterion evaluated, in document order; the last one says why the rule does not match.
        failures: texts of criteria that could not be judged; each becomes a failed rule enforcement, see ``failure_reason``.
    """

    ok: bool
    reasons: tuple[Reason, ...] = ()
    failures: tuple[str, ...] = ()


def failure_reason(rule_ref: str, trigger_instance_id: str, failure: str) -> str:
    """``failure_reason`` of the enforcement stored for one of ``Match.failures``."""
    return f'Failed to match rule "{rule_ref}" against trigger instance "{trigger_instance_id}": {failure}'


class Scope:
    """One event (or one item of a searched list) as criteria see it. Shared by all rules, so that each key is looked up once.

    Args:
        context: what keys are evaluated over: ``{"trigger": payload}`` or ``{"item": item}``.
        variables: further template variables, usually ``st2kv``; a ``system`` among them is visible to keys as well.
        now: for the time difference operators.
    """

    __slots__ = ("_template_variables", "context", "now", "values", "variables")

    def __init__(self, context: dict[str, Any], variables: Mapping[str, Any] | None, now: Now) -> None:
        self.variables = _NO_VARIABLES if variables is None else variables
        if "system" in self.variables:
            context = {**context, "system": self.variables["system"]}
        self.context = context
        self.now = now
        self.values: dict[str, Any] = {}
        self._template_variables: dict[str, Any] | None = None

    @property
    def template_variables(self) -> dict[str, Any]:
        """What pattern templates see."""
        if self._template_variables is None:
            self._template_variables = {**self.variables, **self.context}
        return self._template_variables

    def value(self, key: Key) -> Any:
        """The value under a key. Raises ``KeyLookupError``."""
        found = self.values.get(key.text, _UNSET)
        if found is _UNSET:
            found = self.values[key.text] = key.lookup(self.context)
        return found


class Trail:
    """What is written down while one rule is matched. ``reasons`` stays null when nobody will read them."""

    __slots__ = ("failures", "reasons")

    def __init__(self, *, with_reasons: bool) -> None:
        self.failures: list[str] = []
        self.reasons: list[Reason] | None = [] if with_reasons else None


class _CannotJudge(Exception):
    """A criterion failed loudly; the text goes into a failed enforcement."""


class Criterion:
    """One compiled criterion ``key: {type, pattern, condition}``."""

    __slots__ = (
        "_children",
        "_key_error",
        "_render",
        "condition",
        "key",
        "key_as_written",
        "operator",
        "operator_name",
        "pattern",
        "rule_ref",
        "typed",
    )

    def __init__(self, key: str, definition: Any, rule_ref: str) -> None:
        self.rule_ref = rule_ref
        self.key_as_written = key
        self.typed = isinstance(definition, Mapping) and "type" in definition
        settings: Mapping[str, Any] = definition if isinstance(definition, Mapping) else {}
        self.operator_name = settings.get("type")
        self.condition = settings.get("condition")
        self.pattern, self._render = _compile_pattern(settings.get("pattern"))
        self.key: Key | None = None
        self._key_error = ""
        try:
            self.key = compile_key(key)
        except KeySyntaxError as error:
            self._key_error = error.message
        name = self.operator_name
        self.operator = OPERATORS.get(name.lower()) if isinstance(name, str) else None
        self._children: list[Criterion] | None = None
        if self.operator is search and isinstance(self.pattern, Mapping):
            self._children = compile_children(self.pattern, rule_ref)

    @property
    def is_static(self) -> bool:
        """The pattern is the same for every event."""
        return self._render is None

    def check(self, scope: Scope, trail: Trail) -> bool:
        """Whether the criterion holds. Raises ``UnknownOperator``, at the moment when upstream would."""
        if not self.typed:
            self._note(trail, None, None, False, "no operator is given")
            return False
        pattern, value = self.pattern, None
        try:
            if self._render is not None:
                pattern = self._rendered(scope)
            value = self._value(scope)
            if self.operator is None:
                raise UnknownOperator(self.operator_name)
            if self.operator is search:
                return self._search(scope, trail, value, pattern)
            ok = self._apply(value, pattern, scope)
        except _CannotJudge as error:
            trail.failures.append(str(error))
            self._note(trail, pattern, value, False, str(error))
            return False
        if trail.reasons is not None:
            self._note(trail, pattern, value, ok, f"{self.operator_name} {'holds' if ok else 'does not hold'}")
        return ok

    def _rendered(self, scope: Scope) -> Any:
        assert self._render is not None
        try:
            return self._render(self.pattern, scope.template_variables)
        except RenderError as error:
            cause = f'Failed to render pattern value "{self.pattern}" for key "{self.key_as_written}": {error}'
            raise _CannotJudge(cause) from error

    def _value(self, scope: Scope) -> Any:
        if self.key is None:
            raise _CannotJudge(f"Failed transforming criteria key {self.key_as_written}: {self._key_error}")
        try:
            return scope.value(self.key)
        except KeyLookupError as error:
            raise _CannotJudge(f"Failed transforming criteria key {self.key_as_written}: {error}") from error

    def _apply(self, value: Any, pattern: Any, scope: Scope) -> bool:
        assert self.operator is not None
        try:
            if self.operator in TIME_OPERATORS:
                return self.operator(value, pattern, scope.now)
            return self.operator(value, pattern)
        except OperatorError as error:
            raise _CannotJudge(self._problem(error)) from error

    def _problem(self, error: Exception) -> str:
        return f"There might be a problem with the criteria in rule {self.rule_ref}: {error}"

    def _search(self, scope: Scope, trail: Trail, value: Any, pattern: Any) -> bool:
        """Children see ``item`` and the datastore, not ``trigger``; what they could not judge stays in the trail (reactor.md 6.4)."""
        items: list[tuple[Reason, ...]] = []

        def judge(item: Any) -> list[bool]:
            if self._children is None and not isinstance(pattern, Mapping):
                raise OperatorError(f"search needs an object of child criteria as pattern, got {type(pattern).__name__}")
            children = self._children if self._children is not None else compile_children(pattern, self.rule_ref)
            of_item = Trail(with_reasons=trail.reasons is not None)
            inner = Scope({"item": item}, scope.variables, scope.now)
            try:
                return [child.check(inner, of_item) for child in children]
            finally:
                trail.failures.extend(of_item.failures)
                items.append(tuple(of_item.reasons or ()))

        try:
            ok = search(value, self.condition, judge)
            why = f"search {self.condition} {'holds' if ok else 'does not hold'}"
        except (OperatorError, UnknownOperator) as error:
            ok, why = False, self._problem(error)
            trail.failures.append(why)
        self._note(trail, pattern, value, ok, why, tuple(items))
        return ok

    def _note(self, trail: Trail, pattern: Any, value: Any, ok: bool, why: str, children: tuple[tuple[Reason, ...], ...] = ()) -> None:
        if trail.reasons is not None:
            trail.reasons.append(Reason(self.key_as_written, self.operator_name, pattern, value, ok, why, children))


def compile_children(pattern: Mapping[str, Any], rule_ref: str) -> list[Criterion]:
    """The child criteria of a ``search``."""
    return [Criterion(str(key), definition, rule_ref) for key, definition in pattern.items()]


def _compile_pattern(pattern: Any) -> tuple[Any, Callable[[str, Mapping[str, Any]], Any] | None]:
    """The pattern and how to render it; null if it is the same for every event (reactor.md 6.2, step 2)."""
    if not isinstance(pattern, str):
        return pattern, None
    if _EXPRESSION.search(pattern):
        return pattern, render_typed
    if any(mark in pattern for mark in ("{{", "{%", "{#")):
        return pattern, render
    return _as_rendered(pattern), None


def _as_rendered(text: str) -> str:
    """Text without templates as the template engine gives it back: newlines made one kind, a single last one dropped."""
    text = _NEWLINE.sub("\n", text)
    return text[:-1] if text.endswith("\n") else text


class CompiledCriteria:
    """The criteria of one rule, ready to be matched.

    Attributes:
        criteria: in document order, which is the order of evaluation.
        rule_ref: ``pack.name``, part of failure texts.
    """

    __slots__ = ("criteria", "rule_ref")

    def __init__(self, criteria: list[Criterion], rule_ref: str) -> None:
        self.criteria = criteria
        self.rule_ref = rule_ref

    def match(self, payload: Mapping[str, Any] | None, *, variables: Mapping[str, Any] | None = None, now: Now = None) -> Match:
        """Match one payload and say why.

        Args:
            payload: of the trigger instance.
            variables: further template variables, usually ``{"st2kv": lookup}``.
            now: the moment for time differences, or a function giving it; null for the machine's clock.

        Raises:
            UnknownOperator: a criterion that had to be evaluated names no operator.
            Unavailable: a template or key needed the datastore and it is away; nothing is decided then.
        """
        trail = Trail(with_reasons=True)
        if self.criteria and not payload:
            reason = Reason("trigger", None, None, payload, False, "the payload is empty, so no criterion is evaluated")
            return Match(False, (reason,))
        ok = self.check(Scope({"trigger": payload}, variables, now), trail)
        return Match(ok, tuple(trail.reasons or ()), tuple(trail.failures))

    def check(self, scope: Scope, trail: Trail) -> bool:
        """Whether all criteria hold for a non-empty payload; stops at the first that does not."""
        for criterion in self.criteria:  # a plain loop: this runs for every candidate of every event
            if not criterion.check(scope, trail):
                return False
        return True


def compile_criteria(criteria: Mapping[str, Any] | None, rule_ref: str = "") -> CompiledCriteria:
    """Compile ``{key: {type, pattern, condition}}``. Never raises: what is wrong with it shows when an event comes (reactor.md 6.2)."""
    return CompiledCriteria(compile_children(criteria or {}, rule_ref), rule_ref)


def validate_criteria(criteria: Any) -> None:
    """The checks made when a rule is created or updated.

    Raises:
        Invalid: with upstream's text; ``path`` names the criterion.
    """
    if criteria is None:
        return
    if not isinstance(criteria, Mapping):
        raise Invalid(f"Criteria need to be an object, got: {type(criteria).__name__}", "criteria")
    for key, definition in criteria.items():
        path = f"criteria.{key}"
        if not isinstance(definition, Mapping):
            raise Invalid(f"Criterion for field: {key} needs to be an object, got: {type(definition).__name__}", path)
        operator = definition.get("type")
        if operator is None:
            raise Invalid(f"Operator not specified for field: {key}", path)
        if not isinstance(operator, str) or operator not in OPERATORS:
            raise Invalid(f"For field: {key}, operator {operator} not in list of allowed operators: {list(OPERATORS)}", path)
        if definition.get("pattern") is None:
            raise Invalid(f"For field: {key}, no pattern specified for operator {operator}", path)


__all__ = [
    "SEARCH",
    "CompiledCriteria",
    "Criterion",
    "Match",
    "Reason",
    "Scope",
    "Trail",
    "compile_children",
    "compile_criteria",
    "failure_reason",
    "get_operator",
    "validate_criteria",
]
