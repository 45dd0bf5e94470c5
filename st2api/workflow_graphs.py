"""Graphs of workflows for the API: the definition of an action, and a run with the state of its tasks."""

from __future__ import annotations

from typing import Any

from st2api import action_files
from st2common.content_cache import WORKFLOW_RUNNERS
from st2common.exceptions import Invalid
from st2common.models.fields import unpack_json
from st2common.platform import Platform
from st2common.refs import is_object_id
from st2common.workflows import chain, picture
from st2common.workflows.errors import ChainError, DefinitionError
from st2common.workflows.spec import parse
from st2common.workflows.state import State

CHAIN_RUNNER = "action-chain"


def of_text(text: str, runner: str = "orquesta") -> picture.Picture:
    """The graph of a definition.

    Raises:
        Invalid: the text cannot be read as one.
    """
    try:
        return picture.of_chain(chain.parse(text)) if runner == CHAIN_RUNNER else picture.of_definition(parse(text))
    except (ChainError, DefinitionError) as error:
        raise Invalid(error.message) from error


def of_action(platform: Platform, action: Any) -> picture.Picture:
    """The graph of a registered workflow action, from its file.

    Raises:
        Invalid: not a workflow, or its file cannot be read.
    """
    if action.runner_type not in WORKFLOW_RUNNERS:
        raise Invalid(f'Action "{action.ref}" is not a workflow: its runner is "{action.runner_type}".')
    path = action_files.actions_directory(platform.config, action.pack) / action.entry_point
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f'The workflow file "{path}" cannot be read: {error}') from error
    return of_text(text, action.runner_type)


def of_execution(platform: Platform, document: dict[str, Any]) -> picture.Picture:
    """The graph of a workflow's execution with the state of each task; one that never began shows its action's definition.

    Raises:
        Invalid: not a workflow.
    """
    if not document.get("is_workflow"):
        above = f' It is a task of the workflow "{document["parent"]}".' if document.get("workflow_execution") else ""
        raise Invalid(f'Execution "{document["_id"]}" is not a workflow: its runner is "{document["runner_name"]}".{above}')
    workflows = platform.store.workflows
    id = unpack_json(document.get("context"), {}).get("workflow_execution") or workflows.by_execution(str(document["_id"]))
    stored = workflows.get(id) if id and is_object_id(str(id)) else None
    if stored is None:
        action = platform.store.catalog.by_ref("action", document["action_ref"])
        if action is None:
            raise Invalid(f'Execution "{document["_id"]}" has no run, and its action "{document["action_ref"]}" is gone.')
        return of_action(platform, action)
    text = str(platform.store.snapshots.get(stored.definition).get("text", ""))
    children: dict[int, list[dict[str, Any]]] = {}
    for row in platform.store.executions.of_workflow(stored.id):
        number, item = row.get("task_run") or (None, None)
        if number is not None:
            children.setdefault(number, []).append({"id": str(row["_id"]), "status": row["status"], "item": item})
    for rows in children.values():
        rows.sort(key=lambda row: row["item"] or 0)
    if stored.kind == CHAIN_RUNNER:
        return picture.of_chain(chain.parse(text), _chain_rows(stored.parts["chain"], children))
    return picture.of_run(parse(text), State.load(stored.parts), lambda number: children.get(number, []))


def _chain_rows(state: dict[str, Any], children: dict[int, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The tasks that ended, and the one in hand."""
    rows = [{"name": row["name"], "execution_id": row["execution_id"], "state": row["state"]} for row in state["rows"]]
    known = {row["execution_id"] for row in rows}
    latest = children[max(children)][-1] if children else None
    if latest is not None and latest["id"] not in known and state["current"]:
        rows.append({"name": state["current"], "execution_id": latest["id"], "state": latest["status"]})
    return rows
