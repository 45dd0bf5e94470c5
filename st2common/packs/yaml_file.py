"""YAML with places: documents that remember on which line each of their parts stands, and duplicate keys as errors."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"


class YamlProblem(Exception):
    """A file that cannot be read as YAML.

    Args:
        reason: what is wrong.
        line: where (counted from 1), None when the parser does not say.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class _Loader(_Base):
    """The safe loader, refusing a key that a mapping holds twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Hashable, int] = {}
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise YamlProblem(f"found unhashable key {key!r}", _line(key_node.start_mark))
            if key in seen:
                raise YamlProblem(f'found duplicate key "{key}", first on line {seen[key]}', _line(key_node.start_mark))
            seen[key] = _line(key_node.start_mark) or 0
        result: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return result


@dataclass(frozen=True)
class YamlDocument:
    """The one document of a file.

    Attributes:
        content: the plain value (None for an empty file).
        node: the parse tree, for ``line_of``.
    """

    content: Any
    node: Any

    def line_of(self, path: str) -> int | None:
        """The line (from 1) of the part named by a dotted path such as ``parameters.cmd.type`` or ``tags.0.name``.

        A part that is not there gives the line of the nearest one around it.
        """
        if self.node is None:
            return None
        line = _line(self.node.start_mark)
        node = self.node
        rest = path.replace("[", ".").replace("]", "").replace("'", "").strip(".")
        while rest:
            found = _child(node, rest)
            if found is None:
                break
            line, node, rest = found
        return line


def parse(text: str) -> YamlDocument:
    """Read one document.

    Raises:
        YamlProblem: a syntax error, a duplicate key, more than one document, a value that YAML cannot build.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        content = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise YamlProblem(_reason(error), _line(error.problem_mark or error.context_mark)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise YamlProblem(str(error)) from error
    finally:
        loader.dispose()
    return YamlDocument(content, node)


def read(path: Path) -> YamlDocument:
    """Read a file, see ``parse``. A file that is no UTF-8 text or cannot be opened is a YamlProblem too."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise YamlProblem(f"the file is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise YamlProblem(f"the file cannot be read: {error.strerror}") from error
    return parse(text)


def _reason(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part) or str(error)


def _line(mark: Any) -> int | None:
    return None if mark is None else mark.line + 1


def _child(node: Any, path: str) -> tuple[int | None, Any, str] | None:
    """The child of ``node`` that begins ``path``: its line, itself and the rest of the path. Keys may hold dots: the longest one wins."""
    if isinstance(node, yaml.SequenceNode):
        head, _, rest = path.partition(".")
        if head.isdigit() and int(head) < len(node.value):
            item = node.value[int(head)]
            return _line(item.start_mark), item, rest
        return None
    if not isinstance(node, yaml.MappingNode):
        return None
    fitting = [pair for pair in node.value if path == str(pair[0].value) or path.startswith(f"{pair[0].value}.")]
    if not fitting:
        return None
    key, value = max(fitting, key=lambda pair: len(str(pair[0].value)))
    return _line(key.start_mark), value, path[len(str(key.value)) + 1 :]
