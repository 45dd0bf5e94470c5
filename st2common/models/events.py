"""Documents of things that happened: trigger instances and rule enforcements."""

from __future__ import annotations

from typing import Any, ClassVar

from mongoengine import ListField, StringField

from st2common.models.base import Resource
from st2common.models.fields import JsonField, MomentField


class TriggerInstance(Resource):
    """One event. Its id is made by whoever publishes it, so that a second insert is refused (architecture.md 4.3).

    ``trace_id`` and ``trace_tag`` tell the trace it belongs to, ``trace_root`` is true when it began that trace, ``caused_by``
    is the execution behind an internal trigger.
    """

    meta: ClassVar[dict[str, Any]] = {
        "collection": "trigger_instances",
        "indexes": ["occurrence_time", {"fields": ["trigger", "occurrence_time"]}, "trace_id", {"fields": ["open"], "sparse": True},
                    {"fields": ["trace_tag"], "sparse": True}],
        "auto_create_index": False,
    }  # fmt: skip

    trigger = StringField(required=True)
    occurrence_time = MomentField("ms", required=True)
    payload = JsonField(default=dict)
    status = StringField(required=True)
    open = MomentField(private=True)
    """Set while unfinished: when the rules engine took it. The sweeper looks here."""
    trace_id = StringField(private=True)
    trace_tag = StringField(private=True)
    caused_by = JsonField(private=True)


class RuleEnforcement(Resource):
    """A rule met an event: it ran the action, or says why not."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "rule_enforcements",
        "indexes": ["enforced_at", {"fields": ["rule_ref", "enforced_at"]}, "rule_id", "trigger_instance_id",
                    {"fields": ["execution_id"], "sparse": True}, {"fields": ["trace_id"], "sparse": True}],
        "auto_create_index": False,
    }  # fmt: skip

    trigger_instance_id = StringField(required=True)
    execution_id = StringField(optional=True)
    failure_reason = StringField(optional=True)
    rule_id = StringField(private=True)
    rule_ref = StringField(private=True)
    rule_uid = StringField(private=True)
    enforced_at = MomentField(required=True)
    status = StringField(required=True)
    trace_id = StringField(private=True)
    reasons = ListField(private=True)

    def to_api(self) -> dict[str, Any]:
        form = super().to_api()
        form["rule"] = {"ref": self.rule_ref, "id": self.rule_id, "uid": self.rule_uid}
        return {key: value for key, value in form.items() if value}
