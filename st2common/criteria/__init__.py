"""Rule criteria: operators, keys, the matcher and the index over many rules. Pure: values in, decisions out (reactor.md 6)."""

from st2common.criteria.index import IndexedRule, RuleIndex, Selection, select
from st2common.criteria.matcher import CompiledCriteria, Match, Reason, compile_criteria, failure_reason, validate_criteria
from st2common.criteria.operators import OPERATORS, OperandError, OperatorError, UnknownOperator, UnrecognizedCondition

__all__ = [
    "OPERATORS",
    "CompiledCriteria",
    "IndexedRule",
    "Match",
    "OperandError",
    "OperatorError",
    "Reason",
    "RuleIndex",
    "Selection",
    "UnknownOperator",
    "UnrecognizedCondition",
    "compile_criteria",
    "failure_reason",
    "select",
    "validate_criteria",
]
