"""Inspection of a pack's workflows when it is registered: what is wrong is told then, not only by the first run that fails.

A broken workflow is registered all the same, as upstream does it: what it needs may come with another pack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from st2common.content_cache import WORKFLOW_RUNNERS
from st2common.packs.reader import PackDirectory, Problem
from st2common.parameters import effective_schema
from st2common.store import Store
from st2common.workflows import chain
from st2common.workflows.errors import ChainError, DefinitionError
from st2common.workflows.inspection import inspect_text
from st2common.workflows.variables import KNOWN_AT_RUN_TIME

_CHAIN = "action-chain"


class WorkflowCheck:
    """Inspects the workflows of packs against the actions that are registered."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._parameters: dict[str, Mapping[str, Mapping[str, Any]] | None] = {}

    def problems(self, pack: PackDirectory) -> Iterator[Problem]:
        """Everything wrong with the workflows of a pack, by file and line."""
        for action in self._store.catalog.find_all("action", {"pack": pack.name}):
            if action.runner_type in WORKFLOW_RUNNERS and action.metadata_file:
                yield from self._of_action(pack, action)

    def _of_action(self, pack: PackDirectory, action: Any) -> Iterator[Problem]:
        path = pack.path / "actions" / action.entry_point
        try:
            text = path.read_text(encoding="utf-8")
            if action.runner_type == _CHAIN:
                chain.parse(text, str(path))
                return
            findings = inspect_text(text, self._action_parameters, KNOWN_AT_RUN_TIME)
        except (OSError, UnicodeDecodeError) as error:
            yield Problem("workflow", pack.name, str(path), None, f"cannot be read: {error}")
        except DefinitionError as error:
            yield Problem("workflow", pack.name, str(path), error.line, error.message)
        except ChainError as error:
            yield Problem("workflow", pack.name, str(path), None, error.message)
        else:
            for finding in findings:
                place = f"{finding.spec_path}: " if finding.spec_path else ""
                yield Problem("workflow", pack.name, str(path), finding.line, f"{place}{finding.message}")

    def _action_parameters(self, ref: str) -> Mapping[str, Mapping[str, Any]] | None:
        if ref not in self._parameters:
            action = self._store.catalog.by_ref("action", ref)
            runner = self._store.catalog.by_ref("runner_type", action.runner_type) if action is not None else None
            if action is None or runner is None:
                self._parameters[ref] = None
            else:
                self._parameters[ref] = effective_schema(runner.to_api()["runner_parameters"], action.to_api()["parameters"])
        return self._parameters[ref]
