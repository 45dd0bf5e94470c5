"""What a workflow expression can see: variables, the current task, the current item, other tasks, the datastore.

All of it is handed in; nothing here reads anything by itself.
"""

from __future__ import annotations

import collections.abc  # before yaql: its 3.2 uses the module without importing it
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from yaql.language import utils as yaql_values

PRIVATE_PREFIX = "__"

DatastoreReader = Callable[[str, bool], Any]
"""``(key, decrypt) -> value``; the key keeps its ``system.``/``user.`` prefix. Raises :class:`st2common.exceptions.NotFound` for an absent key."""

NO_RESULT: Callable[[], Any] = lambda: None  # noqa: E731


class TaskTable(Protocol):
    """The runs of a workflow, as expressions may ask for them. ``route`` is the route to look from (workflows.md 4.3)."""

    def status(self, task_id: str, route: int) -> str | None:
        """Last status of the task seen from that route, or None if it has not run."""

    def record(self, task_id: str, route: int) -> dict[str, Any] | None:
        """The record that ``task()`` gives, or None if the task has not run."""


def freeze(value: Any) -> Any:
    """A value as YAQL wants it: mappings and lists immutable and hashable."""
    return yaql_values.convert_input_data(value) if isinstance(value, (dict, list, set)) else value


class FreezeCache:
    """Remembers frozen forms of large values, so that a value shared by many contexts is converted once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, (dict, list, set)):
            return value
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = (value, yaql_values.convert_input_data(value))
        return known[1]


class _FrozenView(Mapping[str, Any]):
    """The visible variables for YAQL; each is frozen when first read."""

    def __init__(self, plain: Mapping[str, Any], freeze_value: Callable[[Any], Any]) -> None:
        self._plain = plain
        self._freeze = freeze_value
        self._ready: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        try:
            return self._ready[name]
        except KeyError:
            value = self._ready[name] = self._freeze(self._plain[name])
            return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self._plain)

    def __hash__(self) -> int:
        return id(self._plain)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and dict(self.items()) == dict(other.items())

    def __repr__(self) -> str:
        return repr(dict(self._plain))

    def get(self, name: Any, default: Any = None) -> Any:
        return self[name] if name in self._plain else default


class Variables:
    """The variables of one context: plain for Jinja, frozen for YAQL. Never change the mapping that was handed in.

    Args:
        values: all variables; those with a private name stay invisible.
        freeze_value: how to freeze one value (a :class:`FreezeCache` to share the work between contexts).
    """

    __slots__ = ("_view", "freeze", "hidden", "plain")

    def __init__(self, values: Mapping[str, Any], freeze_value: Callable[[Any], Any] = freeze) -> None:
        hidden = [name for name in values if isinstance(name, str) and name.startswith(PRIVATE_PREFIX)]
        self.hidden = frozenset(hidden)
        self.plain: Mapping[str, Any] = {k: v for k, v in values.items() if k not in self.hidden} if hidden else values
        self.freeze = freeze_value
        self._view: _FrozenView | None = None

    @property
    def frozen(self) -> _FrozenView:
        """The variables for YAQL."""
        if self._view is None:
            self._view = _FrozenView(self.plain, self.freeze)
        return self._view


class CurrentTask:
    """The task that an expression belongs to.

    Args:
        id: task id.
        route: its route.
        status: status of this run, if known better than by the task table (a run that just ended).
        result: gives the result; asked at most once and only if an expression wants it.
    """

    __slots__ = ("_frozen", "_result", "_result_known", "_value", "id", "route", "status")

    def __init__(self, id: str, route: int, status: str | None = None, result: Callable[[], Any] = NO_RESULT) -> None:
        self.id = id
        self.route = route
        self.status = status
        self._result = result
        self._result_known = False
        self._value: Any = None
        self._frozen: Any = None

    @property
    def result(self) -> Any:
        """The result as plain data."""
        if not self._result_known:
            self._value = self._result()
            self._result_known = True
        return self._value

    @property
    def frozen_result(self) -> Any:
        """The result for YAQL."""
        if self._frozen is None:
            self._frozen = freeze(self.result)
        return self._frozen


@dataclass(slots=True)
class Scope:
    """Everything an expression can see.

    Args:
        variables: what ``ctx()`` shows.
        current: the task at hand, if any.
        item: the with-items item at hand.
        has_item: whether there is one (it may be null).
        tasks: the other tasks, for ``task()`` and ``task_status()``.
        datastore: reader for ``st2kv()``.
    """

    variables: Variables
    current: CurrentTask | None = None
    item: Any = None
    has_item: bool = False
    tasks: TaskTable | None = None
    datastore: DatastoreReader | None = None

    def is_private(self, name: str) -> bool:
        """Whether the name is one of the engine's own variables that exist here."""
        return (
            name in self.variables.hidden
            or (name == "__current_task" and self.current is not None)
            or (name == "__current_item" and self.has_item)
            or (name == "__state" and self.tasks is not None)
        )


def seen_from(routes: Sequence[Sequence[str]], route: int) -> Iterator[int]:
    """Routes to search for a task, nearest first: the route itself, then earlier ones whose splits are all among its own (workflows.md 4.3).

    Args:
        routes: for each route the split transitions that lead to it.
        route: the route to look from.
    """
    yield route
    if not 0 <= route < len(routes):
        return
    own = set(routes[route])
    for earlier in range(route - 1, -1, -1):
        if own.issuperset(routes[earlier]):
            yield earlier


def is_mapping(value: Any) -> bool:
    """Whether a value is a mapping, plain or frozen."""
    return isinstance(value, collections.abc.Mapping)
