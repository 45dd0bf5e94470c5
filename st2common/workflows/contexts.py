"""Contexts of a workflow: each published set of variables is stored once and shared by reference (workflows.md 3.2).

A context is a node: what it adds, laid over what its parents hold. Sequential tasks have one parent; a join has one for each branch, in the
order of arrival. The variables a task sees are those of the first parent, then those of the others without the initial context, then its own,
each laid over the ones before. A chain of a thousand tasks therefore stores a thousand small nodes, never a copy of what came before.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from st2common.expressions.scope import FreezeCache, Variables
from st2common.workflows.values import merged

INITIAL = 0
_LARGE_BYTES = 4096
"""Variables with a larger JSON form are stored under their hash, so that publishing them again stores nothing."""
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class _Node:
    parents: tuple[int, ...]
    values: dict[str, Any]


class Contexts:
    """All contexts of one workflow run, in memory, with what a save must still write."""

    def __init__(self) -> None:
        self._nodes: dict[int, _Node] = {}
        self._seen: OrderedDict[tuple[int, ...], Variables] = OrderedDict()
        self._freeze = FreezeCache()
        self._hashes: dict[int, tuple[Any, str | None]] = {}
        self._stored: set[str] = set()
        self.unsaved: set[int] = set()

    def add_initial(self, values: dict[str, Any]) -> None:
        """Set the initial context (number 0)."""
        self._nodes[INITIAL] = _Node((), values)
        self.unsaved.add(INITIAL)
        self._seen.clear()

    def extend(self, parent: int, values: dict[str, Any]) -> int:
        """A new context: ``values`` laid over a parent."""
        return self._add(_Node((parent,), values))

    def join(self, contexts: Sequence[int]) -> int:
        """The context of a join whose branches arrived with these, in order."""
        distinct = tuple(dict.fromkeys(reversed(contexts)))[::-1]
        if len(distinct) == 1:
            return distinct[0]
        return self._add(_Node(distinct, {}))

    def _add(self, node: _Node) -> int:
        number = len(self._nodes)
        self._nodes[number] = node
        self.unsaved.add(number)
        return number

    def variables(self, *contexts: int) -> Variables:
        """What one context shows; several are seen as a join of them sees. Without any: nothing."""
        known = self._seen.get(contexts)
        if known is None:
            known = self._seen[contexts] = Variables(self._merge(contexts), self._freeze)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        else:
            self._seen.move_to_end(contexts)
        return known

    def _merge(self, contexts: tuple[int, ...]) -> dict[str, Any]:
        if not contexts or INITIAL not in self._nodes:
            return {}
        values, above = self._base(contexts)
        for number in above:
            values = merged(values, self._nodes[number].values)
        return values

    def _base(self, contexts: tuple[int, ...]) -> tuple[dict[str, Any], list[int]]:
        """Values to begin with, and the nodes to lay over them: down the chain of single parents to the nearest one whose values are known."""
        if len(contexts) > 1:
            return self._nodes[INITIAL].values, self._layers(contexts)
        number = contexts[0]
        above: list[int] = []
        while True:
            node = self._nodes[number]
            if not node.parents:
                return node.values, above[::-1]
            if len(node.parents) > 1:
                return self._nodes[INITIAL].values, self._layers((number,)) + above[::-1]
            above.append(number)
            if node.parents in self._seen:
                return dict(self._seen[node.parents].plain), above[::-1]
            number = node.parents[0]

    def _layers(self, contexts: Sequence[int]) -> list[int]:
        """Numbers of all nodes to lay over the initial context, lowest first.

        A node that is reached several times counts where it comes last: laying the same values twice gives what the last time gives.
        The initial context is below all others and never laid again.
        """
        found: dict[int, None] = {}
        todo = list(contexts)
        while todo:  # walks from the top layer down
            number = todo.pop()
            if number in found:
                continue
            found[number] = None
            todo.extend(self._nodes[number].parents)
        found.pop(INITIAL, None)
        return list(reversed(found))

    def unsaved_parts(self) -> dict[str, Any]:
        """Parts to store for contexts that were not saved yet: ``context.<n>`` and, for large values, ``value.<hash>``."""
        parts: dict[str, Any] = {}
        for number in sorted(self.unsaved):
            parts |= self._parts(number, new_only=True)
        return parts

    def all_parts(self) -> dict[str, Any]:
        """Parts of all contexts."""
        parts: dict[str, Any] = {}
        for number in self._nodes:
            parts |= self._parts(number, new_only=False)
        return parts

    def saved(self) -> None:
        """What ``unsaved_parts`` gave has been written."""
        for number in self.unsaved:
            self._stored.update(name for value in self._nodes[number].values.values() if (name := self._hash(value)))
        self.unsaved.clear()

    def _parts(self, number: int, new_only: bool) -> dict[str, Any]:
        node = self._nodes[number]
        small, refs, parts = {}, {}, {}
        for name, value in node.values.items():
            digest = self._hash(value)
            if digest is None:
                small[name] = value
                continue
            refs[name] = digest
            if not (new_only and digest in self._stored):
                parts[f"value.{digest}"] = value
        parts[f"context.{number}"] = {"parents": list(node.parents), "values": small, "refs": refs}
        return parts

    def _hash(self, value: Any) -> str | None:
        if not isinstance(value, (str, list, dict)) or (isinstance(value, str) and len(value) < _LARGE_BYTES // 4):
            return None
        known = self._hashes.get(id(value))
        if known is None:
            try:
                data = orjson.dumps(value)
            except TypeError:  # an integer of more than 64 bits: kept with the context
                data = b""
            # The value is held beside its hash: its id stays its own as long as it is known.
            known = (value, hashlib.sha256(data).hexdigest()[:32] if len(data) >= _LARGE_BYTES else None)
            self._hashes[id(value)] = known
        return known[1]

    @classmethod
    def load(cls, parts: Mapping[str, Any]) -> Contexts:
        """Contexts from their stored parts; other parts are ignored."""
        contexts = cls()
        values = {name[len("value.") :]: value for name, value in parts.items() if name.startswith("value.")}
        for name, part in parts.items():
            if name.startswith("context."):
                held = part["values"] | {variable: values[digest] for variable, digest in part["refs"].items()}
                contexts._nodes[int(name[len("context.") :])] = _Node(tuple(part["parents"]), held)
        contexts._stored = set(values)
        contexts._hashes = {id(value): (value, digest) for digest, value in values.items()}
        return contexts
