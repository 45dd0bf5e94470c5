"""Reading a definition: YAML to data, with the place of every node (workflows.md 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from st2common.workflows.errors import DefinitionError

_PREFIX = "Failed to load workflow definition because "
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Source:
    """A definition as data.

    Args:
        data: the mapping.
        places: line and column (1-based) by dotted path, ``tasks.t1.next[0].do``; ``""`` is the whole.
    """

    data: dict[str, Any]
    places: dict[str, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: str | None) -> tuple[int, int]:
        """Line and column of a path, or of its nearest ancestor that is written in the text."""
        path = path or ""
        while path not in self.places:
            if not path:
                return (1, 1)
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.places[path]


def load(text: str) -> Source:
    """Read the YAML text of a definition.

    Raises:
        DefinitionError: not YAML, a key occurs twice, empty, or not a mapping.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise DefinitionError("The spec cannot be type of None.")
        places: dict[str, tuple[int, int]] = {}
        _survey(node, "", places)
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise DefinitionError(f"{_PREFIX}{error}", mark.line + 1 if mark else None, mark.column + 1 if mark else None) from error
    except (yaml.YAMLError, ValueError, TypeError) as error:  # a text that is not YAML at all, or an impossible date or key
        raise DefinitionError(f"{_PREFIX}{error}") from error
    finally:
        loader.dispose()
    if data is None:
        raise DefinitionError("The spec cannot be type of None.")
    if not isinstance(data, dict):
        raise DefinitionError("The spec is not type of json or yaml.", 1, 1)
    return Source(data, places)


def _survey(node: yaml.Node, path: str, places: dict[str, tuple[int, int]]) -> None:
    """Note where each node stands, and refuse keys that occur twice in one mapping."""
    if path not in places:
        places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            _survey(entry, f"{path}[{index}]", places)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            mark = key.start_mark
            if (key.tag, key.value) in seen and key.tag != "tag:yaml.org,2002:merge":
                raise DefinitionError(f'{_PREFIX}found duplicate key "{key.value}".', mark.line + 1, mark.column + 1)
            seen.add((key.tag, key.value))
            below = f"{path}.{key.value}" if path else key.value
            # A finding about an entry points at its key: that is where the eye looks.
            places[below] = (mark.line + 1, mark.column + 1)
            _survey(value, below, places)
