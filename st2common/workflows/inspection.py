"""Inspection of a definition before it runs (workflows.md 8): everything that can be known to be wrong, with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from st2common.expressions import evaluate as expressions
from st2common.workflows import schema, variables
from st2common.workflows.errors import DefinitionError
from st2common.workflows.inline import parse_parameters
from st2common.workflows.spec import RESERVED, WorkflowSpec, parse

CONTENT = "content"
CONTEXT = "context"
EXPRESSION = "expression"
SEMANTIC = "semantic"
SYNTAX = "syntax"

_REFERENCE = re.compile(r"^[\w-]+\.[\w.-]+$")
_TASK_TEXTS = ("delay", "action", "input")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        type: ``content``, ``context``, ``expression``, ``semantic`` or ``syntax``.
        message: upstream's text.
        spec_path: where, dotted; None for the whole.
        schema_path: the same in the schema.
        line: 1-based line of the definition's text.
        column: 1-based column.
        language: of an expression; None where no single language applies.
        expression: the text in question, for ``expression`` and ``context``.
    """

    type: str
    message: str
    spec_path: str | None
    schema_path: str | None
    line: int
    column: int
    language: str | None = None
    expression: str | None = None

    def to_dict(self, places: bool = False) -> dict[str, Any]:
        """The entry as the API shows it.

        Args:
            places: add ``line`` and ``column``, which upstream does not have.
        """
        entry: dict[str, Any] = {
            "type": self.type,
            "message": self.message,
            "spec_path": self.spec_path,
            "schema_path": self.schema_path,
        }
        if self.type in (EXPRESSION, CONTEXT):
            entry |= {"language": self.language, "expression": self.expression}
        return entry | {"line": self.line, "column": self.column} if places else entry


ActionParameters = Callable[[str], Mapping[str, Mapping[str, Any]] | None]
"""Ref of an action -> its parameters merged with its runner's (name -> schema), or None if it is not registered."""


def inspect_text(text: str, actions: ActionParameters | None = None, known: frozenset[str] = variables.KNOWN) -> list[Finding]:
    """Inspect the text of a definition; see :func:`inspect`.

    Raises:
        DefinitionError: the text has no structure to inspect.
    """
    return inspect(parse(text), actions, known)


def inspect(spec: WorkflowSpec, actions: ActionParameters | None = None, known: frozenset[str] = variables.KNOWN) -> list[Finding]:
    """Everything wrong with a definition, sorted by type and place in the schema; an empty list means that it can run.

    Args:
        spec: the parsed definition.
        actions: looks up action parameters; without it the content checks are left out.
        known: variables there are from the start; at run time ``parent`` is one of them, for the inspect endpoint it is not.
    """
    checks = [_syntax(spec), _semantics(spec), _expressions(spec), _context(spec, known)]
    if actions is not None:
        checks.append(_content(spec, actions))
    findings = {finding: None for check in checks for finding in check}
    return sorted(findings, key=lambda finding: (finding.type, finding.schema_path or ""))


def _finding(spec: WorkflowSpec, type: str, message: str, spec_path: str | None, schema_path: str | None, **more: Any) -> Finding:
    line, column = spec.source.place(spec_path)
    return Finding(type, message, spec_path, schema_path, line, column, **more)


def _syntax(spec: WorkflowSpec) -> Iterator[Finding]:
    for message, spec_path, schema_path in schema.violations(spec.raw):
        yield _finding(spec, SYNTAX, message, spec_path, schema_path)


def _semantics(spec: WorkflowSpec) -> Iterator[Finding]:
    graph = spec.graph
    for name in spec.tasks:
        if name in RESERVED:
            yield _finding(spec, SEMANTIC, f'The task name "{name}" is reserved with special function.', f"tasks.{name}", schema.TASKS)
    if spec.tasks and not graph.starts:
        message = (
            "Unable to identify any tasks to start the workflow. If the workflow has a loop, "
            "please add a task that serves as an entry point (or lead) into the loop."
        )
        yield _finding(spec, SEMANTIC, message, "tasks", "properties.tasks")
    for name, task in spec.tasks.items():
        if task.with_items and not task.action:
            yield _finding(spec, SEMANTIC, "The action property is required for with items task.", f"tasks.{name}", schema.TASKS)
        if name not in graph.reachable:
            continue
        for entry in task.next:
            for target in entry.do:
                if target not in spec.tasks and target not in RESERVED:
                    path = f"tasks.{name}.next[{entry.index}].do"
                    yield _finding(
                        spec, SEMANTIC, f'The task "{target}" is not defined.', path, f"{schema.TASKS}.properties.next.items.properties.do"
                    )
    for name in graph.ambiguous_joins():
        message = (
            f'The join task "{name}" is unreachable. A join task is determined to be unreachable if there are nested forks '
            "from multi-referenced tasks that join on the said task. This is ambiguous to the workflow engine because it "
            "does not know at which level should the join occurs."
        )
        yield _finding(spec, SEMANTIC, message, f"tasks.{name}", schema.TASKS)


def _expressions(spec: WorkflowSpec) -> Iterator[Finding]:
    for value, spec_path, schema_path in _texts(spec.raw):
        for error in expressions.validate(value):
            yield _finding(spec, EXPRESSION, error.message, spec_path, schema_path, language=error.language, expression=error.expression)


def _texts(raw: dict[str, Any]) -> Iterator[tuple[Any, str, str]]:
    """Every property that may hold expressions, with its path in the definition and in the schema."""
    for key in ("input", "vars", "output"):
        yield raw.get(key), key, f"properties.{key}"
    tasks = raw.get("tasks")
    for name, task in tasks.items() if isinstance(tasks, dict) else ():
        if not isinstance(task, dict):
            continue
        here, there = f"tasks.{name}", f"{schema.TASKS}.properties"
        for key in _TASK_TEXTS:
            yield task.get(key), f"{here}.{key}", f"{there}.{key}"
        for key, parts in (("with", ("items", "concurrency")), ("retry", ("when", "count", "delay"))):
            body: Any = task.get(key)
            for part in parts if isinstance(body, dict) else ():
                yield body.get(part), f"{here}.{key}.{part}", f"{there}.{key}.properties.{part}"
        entries = task.get("next")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            for part in ("when", "publish", "do") if isinstance(entry, dict) else ():
                value = entry.get(part)
                if part == "publish" and isinstance(value, str):
                    value = [list(pair) for pair in parse_parameters(value)]  # each value is an expression of its own
                yield value, f"{here}.next[{index}].{part}", f"{there}.next.items.properties.{part}"


def _context(spec: WorkflowSpec, known: frozenset[str]) -> Iterator[Finding]:
    for reference in variables.unassigned(spec, known):
        messages = [f'Variable "{reference.name}" is referenced before assignment.']
        if reference.name.startswith("__"):
            messages.append(
                f'Variable "{reference.name}" that is prefixed with double underscores is considered a private variable and cannot be referenced.'
            )
        for message in messages:
            yield _finding(
                spec, CONTEXT, message, reference.spec_path, reference.schema_path, language=reference.language, expression=reference.expression
            )


def _content(spec: WorkflowSpec, actions: ActionParameters) -> Iterator[Finding]:
    for name, task in spec.tasks.items():
        if not task.action or expressions.language_of(task.action):
            continue
        here, there = f"tasks.{name}", f"{schema.TASKS}.properties"
        if not _REFERENCE.match(task.action):
            message = f'The action reference "{task.action}" is not formatted correctly.'
            yield _finding(spec, CONTENT, message, f"{here}.action", f"{there}.action")
            continue
        parameters = actions(task.action)
        if parameters is None:
            message = f'The action "{task.action}" is not registered in the database.'
            yield _finding(spec, CONTENT, message, f"{here}.action", f"{there}.action")
        elif _has_names(spec, name):
            yield from _inputs(spec, name, task.action, task.input or {}, parameters)


def _has_names(spec: WorkflowSpec, name: str) -> bool:
    """Whether a task's input says by name what the action gets: an expression does not, and a list has its syntax entry already."""
    return isinstance(spec.raw["tasks"][name].get("input") or {}, dict)


def _inputs(spec: WorkflowSpec, name: str, action: str, given: Mapping[str, Any], parameters: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    here, there = f"tasks.{name}.input", f"{schema.TASKS}.properties.input"
    for parameter, body in sorted(parameters.items()):
        if body.get("required") and body.get("default") is None and parameter not in given:
            yield _finding(spec, CONTENT, f'Action "{action}" is missing required input "{parameter}".', here, there)
    for key in given:
        if key not in parameters:
            message = f'Action "{action}" has unexpected input "{key}".'
            yield _finding(spec, CONTENT, message, f"{here}.{key}", f"{there}.patternProperties.{schema.TASK}")


__all__ = ["ActionParameters", "DefinitionError", "Finding", "inspect", "inspect_text"]
