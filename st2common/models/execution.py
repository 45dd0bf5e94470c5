"""The execution: one document per requested action, and what hangs on it (architecture.md promise 1).

Large parts that never change while it runs (the copies of action, runner type, rule, trigger and trigger type that its API form
shows) are stored once, content-addressed, as ``Snapshot``; the document names them by hash.
"""

from __future__ import annotations

from typing import Any, ClassVar

from bson import ObjectId
from mongoengine import BooleanField, IntField, ListField, StringField

from st2common.models.base import Resource
from st2common.models.fields import JsonField, MomentField


class Execution(Resource):
    """A requested action, from acceptance to result. Written only by ``store.executions``."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "executions",
        "indexes": [
            "start_us",
            {"fields": ["action_ref", "start_us"]},
            {"fields": ["status", "start_us"]},
            "links",
        ],
        "auto_create_index": False,
    }

    links = ListField()
    """Every relation by which it is looked up, in one index (each index costs every update): ``link()`` makes the entries."""
    status = StringField(required=True)
    action_ref = StringField(required=True)
    runner_name = StringField(required=True)
    is_workflow = BooleanField()
    action_snapshot = StringField(required=True)
    runner_snapshot = StringField(required=True)
    parameters = JsonField()
    context = JsonField()
    user = StringField()
    notify = JsonField()
    callback = JsonField()
    delay = IntField()
    start_us = MomentField(required=True)
    due_us = MomentField()
    """When a delayed execution may be scheduled."""
    end_us = MomentField()
    result = JsonField("any")
    result_size = IntField()
    log = ListField()
    """``[[moment_us, status], ...]``."""
    parent = StringField()
    workflow_execution = StringField()
    task_execution = StringField()
    task_run = ListField()
    """For a workflow's child: ``[number of the task run, index of the item or None]``."""
    rule_id = StringField()
    rule_name = StringField()
    rule_snapshot = StringField()
    trigger_ref = StringField()
    trigger_snapshot = StringField()
    trigger_type = StringField()
    trigger_type_snapshot = StringField()
    trigger_instance_id = StringField()
    trigger_instance = JsonField()
    trace_id = StringField()
    trace_tag = StringField()
    """Only on the execution that began the trace."""
    owner = StringField()
    runner_info = JsonField()
    output = ListField()
    """Output not yet written as chunks when it ended: ``[[moment_us, type, text], ...]``."""
    announced_us = MomentField()
    after_us = MomentField()
    """Set with the final status while something after it is still owed (notifier, parent); the notifier clears it."""


ROOT = "root"
"""Link of an execution that began its trace."""

_LIVEACTION_MASK = bytes(8) + b"\xa5\x5a\xa5\x5a"


def link(kind: str, value: Any) -> str:
    """An entry of ``links``: ``parent:<id>``, ``rule:<id>``, ``instance:<id>``, ``trace:<id>``, ``tag:<tag>``, ``token:<hash>``..."""
    return f"{kind}:{value}"


def liveaction_id(execution_id: ObjectId) -> ObjectId:
    """The id under which old clients know the working record of an execution (there is no such record here).

    It is its own inverse: the execution id of a live action id.
    """
    return ObjectId(bytes(a ^ b for a, b in zip(execution_id.binary, _LIVEACTION_MASK, strict=True)))


class ExecutionOutput(Resource):
    """A batch of output of a running execution: ``chunks`` is ``[[moment_us, type, text], ...]`` in order of ``sequence``."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "execution_output", "indexes": [{"fields": ["execution_id", "sequence"]}, "moment"], "auto_create_index": False}  # fmt: skip

    execution_id = StringField(required=True)
    sequence = IntField(required=True)
    moment = MomentField(required=True)
    chunks = JsonField("array", default=list)


class Snapshot(Resource):
    """A document as it was, stored once; the id is the hash of its content."""

    meta: ClassVar[dict[str, Any]] = {"collection": "snapshots", "indexes": [], "auto_create_index": False}

    id = StringField(primary_key=True)
    kind = StringField(required=True)
    content = JsonField()
