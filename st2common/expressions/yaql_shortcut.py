"""A direct way for the simplest YAQL expressions: ``succeeded() and ctx().x.y = 1`` and the like.

The engine resolves every function and operator by overloads, 30-200 microseconds per expression. Most expressions of real workflows only
read a variable or ask for the task's status. Those are compiled to a Python closure; wherever a value is not of the plain kind that the
closure foresees it raises :class:`NotSimple` and the engine evaluates the whole expression (and gives its error text). No function with an
effect or a cost is among the simple ones, so evaluating twice is harmless. Values are read as plain data: no freezing, no copying of a large one.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Callable
from typing import Any

from yaql.language import expressions

from st2common.expressions import workflow_functions as functions
from st2common.expressions.scope import Scope

Simple = Callable[[Scope], Any]


class NotSimple(Exception):
    """A value is not of the kind that the direct way handles; the engine must evaluate the expression."""


def compile_simple(node: Any) -> Simple | None:
    """A closure for the expression tree, or None if the tree holds anything but the simple parts."""
    if isinstance(node, expressions.Wrap):
        return compile_simple(node.expr)
    if isinstance(node, expressions.Constant):
        value = node.value
        return lambda scope: value
    if isinstance(node, expressions.BinaryOperator):
        return _binary(node)
    if isinstance(node, expressions.UnaryOperator):
        return _negation(node)
    if type(node) is expressions.Function:
        return _call(node)
    return None


def _call(node: expressions.Function) -> Simple | None:
    if node.name in ("succeeded", "failed", "completed") and not node.args:
        function = getattr(functions, node.name)
        return lambda scope: function(scope)
    if node.name == "result" and not node.args:
        return lambda scope: functions.result(scope)
    if node.name in ("ctx", "item") and len(node.args) <= 1:
        function = getattr(functions, node.name)
        if not node.args:
            return lambda scope: function(scope, None)
        key = node.args[0]
        if isinstance(key, expressions.Constant) and isinstance(key.value, str):
            name = key.value
            return lambda scope: function(scope, name)
    return None


def _property(node: expressions.BinaryOperator) -> Simple | None:
    key = node.args[1]
    base = compile_simple(node.args[0])
    if base is None or not isinstance(key, expressions.KeywordConstant):
        return None
    name = key.value

    def read(scope: Scope) -> Any:
        owner = base(scope)
        if not isinstance(owner, collections.abc.Mapping):
            raise NotSimple
        return owner[name]

    return read


def _binary(node: expressions.BinaryOperator) -> Simple | None:
    if node.name == "#operator_.":
        return _property(node)
    left, right = compile_simple(node.args[0]), compile_simple(node.args[1])
    if left is None or right is None:
        return None
    if node.name == "#operator_and":
        return lambda scope: left(scope) and right(scope)
    if node.name == "#operator_or":
        return lambda scope: left(scope) or right(scope)
    compare = _COMPARISONS.get(node.name)
    if compare is None:
        return None
    kinds, decide = compare

    def check(scope: Scope) -> Any:
        a, b = left(scope), right(scope)
        if type(a) not in kinds or type(b) not in kinds:
            raise NotSimple
        return decide(a, b)

    return check


def _negation(node: expressions.UnaryOperator) -> Simple | None:
    operand = compile_simple(node.args[0])
    if operand is None or node.name != "#unary_operator_not":
        return None
    return lambda scope: not operand(scope)


_SCALARS = (str, int, bool, type(None))
_COMPARISONS: dict[str, tuple[tuple[type, ...], Callable[[Any, Any], Any]]] = {
    "#operator_=": (_SCALARS, lambda a, b: a == b),
    "#operator_!=": (_SCALARS, lambda a, b: a != b),
    "#operator_<": ((int,), lambda a, b: a < b),
    "#operator_>": ((int,), lambda a, b: a > b),
    "#operator_<=": ((int,), lambda a, b: a <= b),
    "#operator_>=": ((int,), lambda a, b: a >= b),
    "#operator_+": ((int,), lambda a, b: a + b),
    "#operator_-": ((int,), lambda a, b: a - b),
}
