"""The operators of rule criteria: one function each, one table (reactor.md 6.3 and 6.4).

Every function but ``search`` and the time differences takes ``(value, pattern)``: what the event carries and what the rule asks for.
Nothing is converted: ``"1"`` is not ``1``. A null pattern is false for all but ``nequals``, ``exists`` and ``nexists``. An operator
that cannot judge its operands raises ``OperandError``; whoever evaluates a rule turns that into "does not match" plus a failed
rule enforcement.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from dateutil import parser as date_parser

from st2common.exceptions import Invalid, St2Error

Operator = Callable[..., bool]
Now = datetime | Callable[[], datetime] | None


class OperatorError(Invalid):
    """An operator could not come to a result."""


class OperandError(OperatorError, TypeError):
    """Value or pattern is of a kind, or has a content, that the operator cannot judge."""


class UnrecognizedCondition(OperatorError):
    """``search`` was given another condition than ``any``, ``all``, ``any2any``, ``all2any``."""


class UnknownOperator(St2Error):
    """No operator of that name. Not a failure of one rule: it ends the matching of the event (reactor.md 6.2)."""

    def __init__(self, name: Any) -> None:
        super().__init__(f"Invalid operator: {name}")
        self.failures: list[Any] = []
        """Failures recorded before the matching ended; filled in by ``criteria.select``."""


def plain(value: Any) -> Any:
    """The value, bytes read as UTF-8."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _text(operand: Any, role: str) -> str:
    operand = plain(operand)
    if not isinstance(operand, str):
        raise OperandError(f"{role} must be text, got {type(operand).__name__}")
    return operand


def equals(value: Any, pattern: Any) -> bool:
    """``value == pattern``; ``1 == 1.0 == true``, lists in order, objects deep."""
    return pattern is not None and plain(value) == plain(pattern)


def nequals(value: Any, pattern: Any) -> bool:
    """``value != pattern``; a null pattern is allowed."""
    return bool(plain(value) != plain(pattern))


def iequals(value: Any, pattern: Any) -> bool:
    """Equal text, whatever the case."""
    return pattern is not None and _text(value, "value").lower() == _text(pattern, "pattern").lower()


def _holds(container: Any, member: Any) -> bool:
    try:
        return plain(member) in plain(container)
    except TypeError as error:
        raise OperandError(str(error)) from error


def contains(value: Any, pattern: Any) -> bool:
    """The pattern is a part of the text, an element of the list, a key of the object."""
    return pattern is not None and _holds(value, pattern)


def ncontains(value: Any, pattern: Any) -> bool:
    """Not ``contains``; an operand that cannot be judged is an error here too."""
    return pattern is not None and not _holds(value, pattern)


def icontains(value: Any, pattern: Any) -> bool:
    """The pattern is a part of the text, whatever the case; text only."""
    return pattern is not None and _text(pattern, "pattern").lower() in _text(value, "value").lower()


def incontains(value: Any, pattern: Any) -> bool:
    """Not ``icontains``."""
    return pattern is not None and _text(pattern, "pattern").lower() not in _text(value, "value").lower()


def startswith(value: Any, pattern: Any) -> bool:
    """The text begins with the pattern."""
    return pattern is not None and _text(value, "value").startswith(_text(pattern, "pattern"))


def istartswith(value: Any, pattern: Any) -> bool:
    """The text begins with the pattern, whatever the case."""
    return pattern is not None and _text(value, "value").lower().startswith(_text(pattern, "pattern").lower())


def endswith(value: Any, pattern: Any) -> bool:
    """The text ends with the pattern."""
    return pattern is not None and _text(value, "value").endswith(_text(pattern, "pattern"))


def iendswith(value: Any, pattern: Any) -> bool:
    """The text ends with the pattern, whatever the case."""
    return pattern is not None and _text(value, "value").lower().endswith(_text(pattern, "pattern").lower())


def less_than(value: Any, pattern: Any) -> bool:
    """``value < pattern``: numbers by size, text by alphabet, lists by their first difference."""
    if pattern is None:
        return False
    try:
        return bool(plain(value) < plain(pattern))
    except TypeError as error:
        raise OperandError(str(error)) from error


def greater_than(value: Any, pattern: Any) -> bool:
    """``value > pattern``; kinds as ``less_than``."""
    if pattern is None:
        return False
    try:
        return bool(plain(value) > plain(pattern))
    except TypeError as error:
        raise OperandError(str(error)) from error


def match_wildcard(value: Any, pattern: Any) -> bool:
    """Shell pattern (``*``, ``?``, ``[..]``, ``[!..]``) over the whole text, case-sensitive."""
    return pattern is not None and fnmatch.fnmatchcase(_text(value, "value"), _text(pattern, "pattern"))


@lru_cache(maxsize=8192)
def _expression(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    return re.compile(pattern, flags)


def _regular(value: Any, pattern: Any, flags: re.RegexFlag, *, at_start: bool) -> bool:
    if pattern is None:
        return False
    try:
        expression = _expression(plain(pattern), flags)
        found = expression.match(plain(value)) if at_start else expression.search(plain(value))
    except (TypeError, re.error, OverflowError, RecursionError) as error:
        raise OperandError(str(error)) from error
    return found is not None


def match_regex(value: Any, pattern: Any) -> bool:
    """Regular expression at the start of the text; dot matches newline. Deprecated in favour of ``regex``."""
    return _regular(value, pattern, re.DOTALL, at_start=True)


def regex(value: Any, pattern: Any) -> bool:
    """Regular expression anywhere in the text."""
    return _regular(value, pattern, re.NOFLAG, at_start=False)


def iregex(value: Any, pattern: Any) -> bool:
    """Regular expression anywhere in the text, whatever the case."""
    return _regular(value, pattern, re.IGNORECASE, at_start=False)


def _now(now: Now) -> datetime:
    if now is None:
        return datetime.now(UTC)
    return now if isinstance(now, datetime) else now()


def _age_s(value: Any, now: datetime) -> float:
    """Seconds from the date in ``value`` to ``now``; what a partial date leaves out is taken from today (UTC)."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    try:
        moment = date_parser.parse(str(plain(value)), default=today)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (now - moment).total_seconds()
    except (ValueError, OverflowError, TypeError) as error:
        raise OperandError(str(error)) from error


def _seconds(pattern: Any) -> float:
    try:
        return float(plain(pattern))
    except (ValueError, TypeError, OverflowError) as error:
        raise OperandError(str(error)) from error


def timediff_lt(value: Any, pattern: Any, now: Now = None) -> bool:
    """The date in ``value`` lies less than ``pattern`` seconds before ``now`` (a date to come is negative). No zone means UTC."""
    return pattern is not None and _age_s(value, _now(now)) < _seconds(pattern)


def timediff_gt(value: Any, pattern: Any, now: Now = None) -> bool:
    """The date in ``value`` lies more than ``pattern`` seconds before ``now``."""
    return pattern is not None and _age_s(value, _now(now)) > _seconds(pattern)


def exists(value: Any, pattern: Any = None) -> bool:
    """The value is not null (false, 0 and empty text exist); the pattern does not matter."""
    return value is not None


def nexists(value: Any, pattern: Any = None) -> bool:
    """The value is null or missing; the pattern does not matter."""
    return value is None


def inside(value: Any, pattern: Any) -> bool:
    """The value is an element of the list, a part of the text, a key of the object given as pattern."""
    return pattern is not None and _holds(pattern, value)


def ninside(value: Any, pattern: Any) -> bool:
    """Not ``inside``."""
    return pattern is not None and not _holds(pattern, value)


_CONDITIONS: dict[str, tuple[Callable[[Iterable[bool]], bool], Callable[[Iterable[bool]], bool]]] = {
    "any": (any, all),
    "all": (all, all),
    "any2any": (any, any),
    "all2any": (all, any),
}


def search(value: Any, condition: Any, judge: Callable[[Any], list[bool]]) -> bool:
    """Whether the items of a list satisfy the child criteria, combined as ``condition`` says (reactor.md 6.4).

    Args:
        value: a list; an object counts as a list of one, text as its characters.
        condition: ``any``, ``all`` (items; all children each), ``any2any``, ``all2any`` (items; one child each).
        judge: result of every child criterion for one item. It is called for every item, without short cut, because each child
            that fails leaves a record of its own.

    Raises:
        UnrecognizedCondition: another condition.
        OperandError: the value has no items.
    """
    if not isinstance(condition, str) or condition not in _CONDITIONS:
        raise UnrecognizedCondition(
            f"The '{condition}' condition is not recognized for type search, 'any', 'all', 'any2any' and 'all2any' are allowed"
        )
    of_items, of_children = _CONDITIONS[condition]
    items = [value] if isinstance(value, Mapping) else plain(value)
    if not isinstance(items, list | tuple | str):
        raise OperandError(f"search needs a list, got {type(items).__name__}")
    return of_items([of_children(judge(item)) for item in items])


SEARCH = "search"

OPERATORS: dict[str, Operator] = {
    "matchwildcard": match_wildcard,
    "matchregex": match_regex,
    "regex": regex,
    "iregex": iregex,
    "eq": equals,
    "equals": equals,
    "neq": nequals,
    "nequals": nequals,
    "ieq": iequals,
    "iequals": iequals,
    "contains": contains,
    "icontains": icontains,
    "ncontains": ncontains,
    "incontains": incontains,
    "startswith": startswith,
    "istartswith": istartswith,
    "endswith": endswith,
    "iendswith": iendswith,
    "lt": less_than,
    "lessthan": less_than,
    "gt": greater_than,
    "greaterthan": greater_than,
    "td_lt": timediff_lt,
    "timediff_lt": timediff_lt,
    "td_gt": timediff_gt,
    "timediff_gt": timediff_gt,
    "exists": exists,
    "nexists": nexists,
    "inside": inside,
    "in": inside,
    "ninside": ninside,
    "nin": ninside,
    SEARCH: search,
}
"""Name -> function, synonyms included, in the order in which error texts list them."""

TIME_OPERATORS = frozenset({timediff_lt, timediff_gt})
"""Operators that take ``now`` as third argument: an aware datetime, a function giving one, or null for the machine's clock."""


def get_operator(name: Any) -> Operator:
    """The operator of that name, in any case. Raises ``UnknownOperator``."""
    operator = OPERATORS.get(name.lower()) if isinstance(name, str) else None
    if operator is None:
        raise UnknownOperator(name)
    return operator
