"""Action chains: one task after the other, chosen by success or failure (workflows.md 9). Pure: values in, the next step out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jsonschema
import yaml

from st2common import states
from st2common.expressions.errors import RenderError
from st2common.expressions.jinja import is_template, render
from st2common.workflows.errors import ChainError

_TEXT = {"type": "string"}
_NODE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "required": True},
        "ref": {"type": "string", "required": True},
        "params": {"type": "object"},
        "parameters": {"type": "object"},
        "on-success": _TEXT,
        "on-failure": _TEXT,
        "publish": {"type": "object"},
        "notify": {
            "type": "object",
            "properties": {"on-complete": {"type": "object"}, "on-success": {"type": "object"}, "on-failure": {"type": "object"}},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
"""Keys of a node; ``required`` inside a property is the draft 3 form, as upstream writes it."""
_FURTHER_NODE: dict[str, Any] = {
    "type": "object",
    "properties": {key: body if body.get("required") else {**body, "type": [body["type"], "null"]} for key, body in _NODE["properties"].items()},
}
"""Upstream holds only the first node against the schema: further ones may have more keys (its own examples do), which mean nothing."""
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "chain": {"type": "array", "items": [_NODE], "additionalItems": _FURTHER_NODE, "required": True},
        "default": _TEXT,
        "vars": {"type": "object", "patternProperties": {r"^\w+$": {}}, "additionalProperties": False},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Node:
    """One task of a chain. ``params`` is the older name of ``parameters``; at most one of them is given."""

    name: str
    ref: str
    params: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None
    on_success: str | None = None
    on_failure: str | None = None
    publish: dict[str, Any] | None = None
    notify: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The form kept in the child's context under ``chain``."""
        keys = ("name", "ref", "params", "parameters", "on_success", "on_failure", "publish", "notify")
        return {key: getattr(self, key) for key in keys}


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """A checked definition: the nodes in order, the name of the first to run, and the variables."""

    nodes: tuple[Node, ...]
    first: str | None
    vars: dict[str, Any] = field(default_factory=dict)

    def node(self, name: str) -> Node | None:
        """The first node of that name."""
        return next((node for node in self.nodes if node.name == name), None)


@lru_cache(maxsize=1)
def _validator() -> jsonschema.Draft3Validator:
    return jsonschema.Draft3Validator(_SCHEMA)


def parse(text: str, file: str = "") -> ChainSpec:
    """Read and check a chain's definition.

    Args:
        text: YAML.
        file: its path, for messages.

    Raises:
        ChainError: not YAML, breaks the schema, or names an unknown task.
    """
    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ChainError(f'Failed to parse action chain definition from "{file}": {error}') from error
    problem = next(iter(sorted(_validator().iter_errors(data), key=lambda error: list(map(str, error.absolute_path)))), None)
    if problem is not None:
        raise ChainError(str(problem))
    spec = _build(data)
    _check_names(spec, data.get("default"))
    return spec


def _build(data: Mapping[str, Any]) -> ChainSpec:
    nodes = []
    for body in data["chain"]:
        if body.get("params") and body.get("parameters"):
            raise ChainError('Either "params" or "parameters" attribute needs to be provided, but not both')
        nodes.append(Node(**{key.replace("-", "_"): value for key, value in body.items() if key in _NODE["properties"]}))
    pointed = {target for node in nodes for target in (node.on_success, node.on_failure)}
    unpointed = [node.name for node in nodes if node.name not in pointed]
    names = [node.name for node in nodes]
    first = data.get("default") or next(iter(unpointed or names), None)
    return ChainSpec(tuple(nodes), first, dict(data.get("vars") or {}))


def _check_names(spec: ChainSpec, default: str | None) -> None:
    for node in spec.nodes:
        for key, target in (("on-success", node.on_success), ("on-failure", node.on_failure)):
            if target and not is_template(target) and spec.node(target) is None:
                raise ChainError(f'Unable to find node with name "{target}" referenced in "{key}" in task "{node.name}".')
    if default and spec.node(default) is None:
        raise ChainError(f'Unable to find node with name "{default}" referenced in "default".')


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a chain's templates see besides its own values.

    Args:
        parameters: action parameters.
        datastore: top-level names of the datastore (``system``, ``user``, ``st2kv``), lazily read objects.
        action_context: ``action_context`` of task parameters.
        config: pack configuration, ``config_context`` of task parameters.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    datastore: Mapping[str, Any] = field(default_factory=dict)
    action_context: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunTask:
    """Request an action now; its parameters are rendered and still to be cast to the action's types."""

    name: str
    ref: str
    parameters: dict[str, Any]
    node: Node


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before the current task ends."""


@dataclass(frozen=True, slots=True)
class ChainPaused:
    """The chain is paused; store it, ``resume`` goes on."""


@dataclass(frozen=True, slots=True)
class ChainFinished:
    """The chain ended. ``result`` is that of its execution; an ``error`` in it wants a ``traceback`` beside it."""

    status: str
    result: dict[str, Any]


Step = RunTask | Wait | ChainPaused | ChainFinished


def no_such_action(task: str, ref: str) -> str:
    """Error text for a task whose action is not registered."""
    return f'Failed to run task "{task}". Action with reference "{ref}" doesn\'t exist.. Task :: {task} - Action with ref {ref} not registered.'


class ChainRun:
    """One run of a chain. Ask ``advance`` for the first step; tell it what happens; do what each answer says.

    Args:
        definition: the chain.
        surroundings: what templates see besides.
        display_published: whether the result shows the published values.
    """

    def __init__(self, definition: ChainSpec, surroundings: Surroundings, display_published: bool = True) -> None:
        self.definition = definition
        self.surroundings = surroundings
        self.display_published = display_published
        self.vars: dict[str, Any] = {}
        self.published: dict[str, Any] = {}
        self.results: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []
        self.current: str | None = None
        self.paused_after: str | None = None
        self.resumed = False
        """Whether the run was resumed while its task was still paused or pending: it goes on when the task has ended."""
        self.awaiting: list[Any] | None = None
        """How the paused task ended (status, result, row), which only counts when this run is resumed."""
        self.pausing = False
        self.canceling = False
        self._problem: str | None = None

    @classmethod
    def start(cls, definition: ChainSpec, surroundings: Surroundings, display_published: bool = True) -> ChainRun:
        """A new run; an error in ``vars`` comes out of ``advance``."""
        run = cls(definition, surroundings, display_published)
        names = {**surroundings.parameters, **surroundings.datastore}
        try:
            run.vars = {name: _rendered(value, names) for name, value in definition.vars.items()}
        except RenderError as error:
            run._problem = f"Failed initializing ``vars`` in chain.. {error}"
        return run

    def dump(self) -> dict[str, Any]:
        """The run as JSON data."""
        keys = ("display_published", "vars", "published", "results", "rows", "current", "paused_after", "resumed", "awaiting", "pausing", "canceling")
        return {key: copy.deepcopy(getattr(self, key)) for key in keys}

    @classmethod
    def load(cls, definition: ChainSpec, data: Mapping[str, Any], surroundings: Surroundings) -> ChainRun:
        """A run from ``dump``."""
        run = cls(definition, surroundings)
        for key, value in data.items():
            setattr(run, key, copy.deepcopy(value))
        return run

    # --- what happens

    def advance(self) -> Step:
        """The first step."""
        if self._problem is not None:
            return self._finished(states.FAILED, self._problem)
        if self.definition.first is None:
            return self._finished(states.SUCCEEDED)
        return self._run(self.definition.first)

    def task_ended(self, status: str, result: Any, row: Mapping[str, Any]) -> Step:
        """The current task ended, or is paused or pending.

        Args:
            status: of its execution.
            result: of its execution.
            row: ``id, name, execution_id, liveaction_id, workflow, created_at, updated_at`` of the result's task entry.
        """
        node = self.definition.node(self.current or "")
        if node is None:
            return Wait()
        if status in (states.PAUSED, states.PENDING):
            self._note(node.name, status, result, row)
            self.paused_after, self.resumed = node.name, False
            return ChainPaused()
        if self._stays_paused(status):
            self.awaiting = [status, result, dict(row)]
            return Wait()
        return self._take_end(node, status, result, row)

    @property
    def waits(self) -> bool:
        """Whether the chain is paused because its task is paused or pending, and was not resumed since."""
        return self.paused_after is not None and not self.resumed and bool(self.rows) and self.rows[-1]["state"] in (states.PAUSED, states.PENDING)

    def _stays_paused(self, status: str) -> bool:
        """A sub-workflow that was resumed alone does not resume its chain; the answer to an inquiry does (workflows.md 9.4)."""
        return self.waits and self.rows[-1]["state"] == states.PAUSED and not self.canceling and status != states.CANCELED

    def _take_end(self, node: Node, status: str, result: Any, row: Mapping[str, Any]) -> Step:
        self._note(node.name, status, result, row)
        if self.paused_after is not None:
            self.results[node.name] = dict(self.rows[-1])
            self.paused_after, self.resumed = None, False
        try:
            self._publish(node)
        except RenderError as error:
            return ChainFinished(states.FAILED, {"error": str(error)})
        if status == states.CANCELED or self.canceling:
            return self._finished(states.CANCELED)
        return self._go_on(node, status)

    def _go_on(self, node: Node, status: str) -> Step:
        if self.pausing:
            self.paused_after = node.name
            return ChainPaused()
        return self._next(node, status)

    def request_failed(self, error: str) -> Step:
        """The current task's action does not exist; ``error`` is the whole text for the result."""
        return self._finished(states.FAILED, error)

    def cast_failed(self, error: str) -> Step:
        """A parameter of the current task does not fit the action's type: nothing but the error is shown, as with ``publish``."""
        return ChainFinished(states.FAILED, {"error": error})

    def request_refused(self, error: str, traceback: str, moment: str) -> Step:
        """The action refused its parameters, or is disabled: the task failed, and ``on-failure`` may handle it.

        Args:
            error: why.
            traceback: of the refusal.
            moment: when, in ISO form, for the task's entry.
        """
        node = self.definition.node(self.current or "")
        if node is None:
            return Wait()
        row = {
            "id": node.name, "name": node.name, "execution_id": None, "liveaction_id": None, "workflow": None,
            "created_at": moment, "updated_at": moment,
        }  # fmt: skip
        self._note(node.name, states.FAILED, {"error": f'Task "{node.name}" failed: {error}', "traceback": traceback}, row)
        return self._finished(states.CANCELED) if self.canceling else self._go_on(node, states.FAILED)

    def pause(self) -> Step:
        """Pause after the current task."""
        self.pausing = True
        return Wait()

    def resume(self) -> Step:
        """Go on after a pause; while the task itself is paused or pending, as soon as that ended."""
        self.pausing = False
        node = self.definition.node(self.paused_after or "")
        if node is None or not self.rows:
            return Wait()
        if self.awaiting is not None:
            (status, result, row), self.awaiting = self.awaiting, None
            return self._take_end(node, status, result, row)
        if self.waits or self.resumed:
            self.resumed = True
            return Wait()
        status = self.rows[-1]["state"]
        self.paused_after = None
        self.results[node.name] = dict(self.rows[-1])  # after a pause the task's entry takes the place of its plain result (workflows.md 9.4)
        return self._next(node, status)

    def cancel(self) -> Step:
        """Cancel: at once if no task is running, else when it ended."""
        self.canceling = True
        if self.awaiting is not None and self.paused_after is not None:
            (status, result, row), self.awaiting = self.awaiting, None
            self._note(self.paused_after, status, result, row)
        return self._finished(states.CANCELED) if self.paused_after is not None or self.current is None else Wait()

    # --- steps

    def _note(self, name: str, status: str, result: Any, row: Mapping[str, Any]) -> None:
        entry = {**row, "state": status, "result": result}
        if self.rows and self.rows[-1]["name"] == name and self.paused_after == name:
            self.rows[-1] = entry
        else:
            self.rows.append(entry)
        self.results[name] = result

    def _next(self, node: Node, status: str) -> Step:
        target = node.on_success if status == states.SUCCEEDED else node.on_failure
        ends = states.SUCCEEDED if status == states.SUCCEEDED else states.TIMEOUT if status == states.TIMEOUT else states.FAILED
        if not target:
            return self._finished(ends)
        try:
            name = render(target, self._names()) if is_template(target) else target
        except RenderError as error:
            return self._finished(states.FAILED, f'Failed to get next node "{node.name}". {error}')
        if self.definition.node(name) is None:
            return self._finished(states.FAILED, f'Failed to get next node "{node.name}". Unable to find node with name "{name}".')
        return self._run(name)

    def _run(self, name: str) -> Step:
        node = self.definition.node(name)
        assert node is not None
        self.current = name
        names = self._names() | {"action_context": dict(self.surroundings.action_context), "config_context": dict(self.surroundings.config)}
        parameters = {}
        for key, value in (node.parameters or node.params or {}).items():
            try:
                parameters[key] = _rendered(value, names)
            except RenderError as error:
                text = f'Failed rendering value for action parameter "{key}" in task "{name}" (template string={value}): {error}'
                return self._finished(states.FAILED, f'Failed to run task "{name}". Parameter rendering failed.. {text}')
        return RunTask(name, node.ref, parameters, node)

    def _publish(self, node: Node) -> None:
        names = self._names()
        rendered = {}
        for key, value in (node.publish or {}).items():
            try:
                rendered[key] = _rendered(value, names)
            except RenderError as error:
                text = f'Failed rendering value for publish parameter "{key}" in task "{node.name}" (template string={value}): {error}'
                raise RenderError(ValueError(text)) from error
        self.vars |= rendered
        self.published |= rendered

    def _names(self) -> dict[str, Any]:
        """Names in templates; later ones win (workflows.md 9.2)."""
        return {**self.surroundings.parameters, **self.results, **self.vars, "__results": self.results, **self.surroundings.datastore}

    def result(self) -> dict[str, Any]:
        """What the execution shows of the run so far."""
        return {"tasks": self.rows, "published": self.published} if self.display_published else {"tasks": self.rows}

    def _finished(self, status: str, error: str | None = None) -> ChainFinished:
        result = self.result()
        if error is not None:
            result["error"] = error
        return ChainFinished(status, result)


def _rendered(value: Any, names: Mapping[str, Any]) -> Any:
    """A text is rendered to text; mappings and lists element by element; anything else stays."""
    if isinstance(value, str):
        return render(value, names) if is_template(value) else value
    if isinstance(value, dict):
        return {key: _rendered(entry, names) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rendered(entry, names) for entry in value]
    return value
