"""Inquiries: executions that wait for somebody's response (execution.md section 13)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId

from st2common import states
from st2common.clock import Clock
from st2common.exceptions import Forbidden, Invalid, NotFound
from st2common.execution.aftermath import Aftermath
from st2common.execution.control import ExecutionControl
from st2common.models.fields import pack_json, unpack_json
from st2common.refs import is_object_id
from st2common.schema import SchemaViolation, check
from st2common.store import Store
from st2common.store.executions import packed
from st2common.store.query import Query

RUNNER = "inquirer"
_FIELDS: dict[str, Any] = {"route": "", "ttl": 1440, "users": [], "roles": [], "schema": {}}

Document = Mapping[str, Any]


class Inquiries:
    """Lists, shows and answers inquiries.

    Args:
        store: the database.
        control: resumes workflows.
        aftermath: tells who waits for the end of an execution.
        clock: for their time limits.
    """

    def __init__(self, store: Store, control: ExecutionControl, aftermath: Aftermath, clock: Clock) -> None:
        self._store = store
        self._control = control
        self._aftermath = aftermath
        self._clock = clock

    def page(self, limit: int | None, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Pending inquiries, newest first, and their number."""
        query = Query({"status": states.PENDING, "runner_name": RUNNER}, [("start_us", -1)], limit, offset, ["result"])
        page = self._store.executions.page(query)
        return [form(row) for row in page.documents], page.total

    def get(self, id: str) -> Document:
        """The pending execution behind an inquiry.

        Raises:
            NotFound: no such execution.
            Invalid: it is no inquiry, timed out, or was answered already.
        """
        document = self._store.executions.get(id) if is_object_id(id) else None
        if document is None:
            raise NotFound("The resource could not be found.")
        if document["runner_name"] != RUNNER:
            raise Invalid(f'Action execution "{id}" is not an inquiry.')
        if document["status"] == states.TIMEOUT:
            raise Invalid(f'Inquiry "{id}" timed out and cannot be responded to.')
        if document["status"] != states.PENDING:
            raise Invalid(f'Inquiry "{id}" has already been responded to.')
        return document

    def respond(self, document: Document, response: Mapping[str, Any], *, user: str, roles: Sequence[str]) -> None:
        """Store a response; the execution succeeds and the workflow that waits for it goes on.

        Args:
            document: from ``get``.
            roles: of the user.

        Raises:
            Forbidden: somebody else is asked.
            Invalid: the response does not fit the schema, or another one was first.
        """
        id = str(document["_id"])
        asked = form(document)
        if not self._is_asked(asked, user, roles):
            raise Forbidden(f'User "{user}" does not have permission to respond to inquiry "{id}".')
        try:
            check(dict(response), asked["schema"], fill_defaults=False)
        except Invalid as error:
            details = error.long_text if isinstance(error, SchemaViolation) else error.message
            raise Invalid(f'Response for inquiry "{id}" did not pass schema validation. {details}', error.path) from error
        result = {**unpack_json(document.get("result"), {}), "response": dict(response)}
        debt, owed = self._aftermath.debt(document, states.SUCCEEDED)
        fields = {**packed(result=result), **debt, "runner_info": pack_json({"hostname": socket.gethostname(), "pid": os.getpid()})}
        self._resume(document, user)
        if not self._store.executions.transition(document["_id"], states.SUCCEEDED, sources=[states.PENDING], fields=fields, new_link=owed):
            raise Invalid(f'Inquiry "{id}" has already been responded to.')
        self._aftermath.ended(self._store.executions.get(document["_id"]) or document)

    @staticmethod
    def _is_asked(asked: Mapping[str, Any], user: str, roles: Sequence[str]) -> bool:
        """Both lists must let the user pass, where they name anybody."""
        if asked["roles"] and not set(asked["roles"]) & set(roles):
            return False
        return not asked["users"] or user in asked["users"]

    def _resume(self, document: Document, user: str) -> None:
        """The workflow that waits: every paused one from here up to the root."""
        parent = document.get("parent")
        while parent and ObjectId.is_valid(parent):
            workflow = self._store.executions.get(parent)
            if workflow is None:
                return
            if workflow["status"] == states.PAUSED and workflow.get("is_workflow"):
                self._control.resume(workflow, user)
            parent = workflow.get("parent")


def form(document: Document) -> dict[str, Any]:
    """The API form of an inquiry: exactly six attributes."""
    result = unpack_json(document.get("result"), {})
    result = result if isinstance(result, dict) else {}
    return {"id": str(document["_id"]), **{name: default if result.get(name) is None else result[name] for name, default in _FIELDS.items()}}
