"""The document of a workflow run: its definition by hash, the parts of its state, and what its last step still had to do."""

from __future__ import annotations

from typing import Any, ClassVar

from mongoengine import IntField, StringField

from st2common.models.base import Resource
from st2common.models.fields import JsonField, MomentField


class WorkflowExecution(Resource):
    """One run of a workflow or action chain; every step is one compare-and-set on ``rev``.

    ``parts`` maps part names of the conductor's state (dots written as colons) to JSON; a large part is stored once in
    ``workflow_parts`` under the hash of its content and named here by that hash, so a large context is never written twice.
    """

    meta: ClassVar[dict[str, Any]] = {
        "collection": "workflow_executions",
        "indexes": ["status", "execution_id"],
        "auto_create_index": False,
    }

    execution_id = StringField(required=True)
    kind = StringField(required=True)
    status = StringField(required=True)
    definition = StringField(required=True)
    settings = JsonField()
    rev = IntField(required=True)
    updated_us = MomentField(required=True)
    parts = JsonField()
    todo = JsonField("array")
    records = JsonField()


class WorkflowPart(Resource):
    """A large part of a workflow's state, by hash of its content."""

    meta: ClassVar[dict[str, Any]] = {"collection": "workflow_parts", "indexes": ["workflow"], "auto_create_index": False}

    id = StringField(primary_key=True)
    workflow = StringField(required=True)
    content = JsonField("any")
