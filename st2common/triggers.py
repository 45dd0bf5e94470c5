"""The trigger types that the platform itself brings (content.md 10.2), and the check of their parameters.

A pure table: services register its rows, the API checks rules against it, timers and webhooks read their names here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from st2common.cron import cron_trigger
from st2common.exceptions import Invalid
from st2common.schema import SchemaViolation, check

JsonObject = dict[str, Any]

PACK = "core"


@dataclass(frozen=True, slots=True)
class InternalTriggerType:
    """One row: a trigger type of pack ``core``.

    Attributes:
        name: without the pack, e.g. ``st2.webhook``.
        description: one sentence.
        payload_schema: of the events; ``required`` is a boolean on the property (content.md 3.1.1).
        parameters_schema: of the triggers; empty: the type has one trigger, without parameters.
        further_parameters: what is accepted besides, and not shown: clients compare the shown schema with upstream's.
    """

    name: str
    description: str
    payload_schema: JsonObject
    parameters_schema: JsonObject = field(default_factory=dict)
    pack: str = PACK
    further_parameters: JsonObject = field(default_factory=dict)

    @property
    def accepted_parameters(self) -> JsonObject:
        """The schema that parameters are checked with."""
        if not self.further_parameters:
            return self.parameters_schema
        return {**self.parameters_schema, "properties": {**self.parameters_schema["properties"], **self.further_parameters}}

    @property
    def ref(self) -> str:
        """``core.<name>``."""
        return f"{self.pack}.{self.name}"


def _any(*names: str) -> JsonObject:
    return {"type": "object", "properties": {name: {} for name in names}}


def _cron_field(minimum: int | None = None, maximum: int | None = None) -> JsonObject:
    schema: JsonObject = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    return schema if minimum is None else {**schema, "minimum": minimum, "maximum": maximum}


def _parameters(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties, "additionalProperties": False}


_TIMER_PAYLOAD: JsonObject = {
    "type": "object",
    "properties": {
        "executed_at": {"type": "string", "format": "date-time", "default": "2014-07-30 05:04:24.578325"},
        "schedule": {"type": "object", "default": {"delta": 30, "units": "seconds"}},
    },
}

_SIGNATURE: JsonObject = {
    "type": "object",
    "description": "Only requests whose body is signed with a shared key are taken.",
    "properties": {
        "header": {"type": "string", "required": True, "minLength": 1, "description": "Header with the signature, such as X-Hub-Signature-256."},
        "prefix": {"type": "string", "default": "", "description": "What stands before the hexadecimal digest, such as sha256=."},
        "key": {"type": "string", "required": True, "minLength": 1, "description": "Name of the datastore key (system scope) with the shared key."},
        "algorithm": {"type": "string", "default": "sha256", "enum": ["sha256", "sha384", "sha512"]},
    },
    "additionalProperties": False,
}

_DEDUPLICATE: JsonObject = {
    "type": "object",
    "description": "A delivery that came before within the window is answered but not taken again.",
    "properties": {
        "header": {"type": "string", "minLength": 1, "description": "Header that names the delivery, such as X-GitHub-Delivery or Idempotency-Key."},
        "expression": {"type": "string", "minLength": 1, "description": "Template over trigger.body and trigger.headers that names the delivery."},
        "window_s": {"type": "number", "default": 86400, "minimum": 1, "maximum": 2592000, "description": "Seconds that a delivery is remembered."},
    },
    "anyOf": [{"properties": {"header": {"required": True}}}, {"properties": {"expression": {"required": True}}}],
    "additionalProperties": False,
}

WEBHOOK = InternalTriggerType(
    name="st2.webhook",
    description="Trigger type for registering webhooks that can consume arbitrary payload.",
    payload_schema={
        "type": "object",
        "properties": {"headers": {"type": "object"}, "body": {"anyOf": [{"type": "array"}, {"type": "object"}]}},
    },
    parameters_schema=_parameters(url={"type": "string", "required": True}),
    further_parameters={"signature": _SIGNATURE, "deduplicate": _DEDUPLICATE},
)

INTERVAL_TIMER = InternalTriggerType(
    name="st2.IntervalTimer",
    description="Fires again and again, a fixed span of time apart.",
    payload_schema=_TIMER_PAYLOAD,
    parameters_schema=_parameters(
        timezone={"type": "string"},
        unit={"enum": ["weeks", "days", "hours", "minutes", "seconds"], "required": True},
        delta={"type": "integer", "required": True},
    ),
)

DATE_TIMER = InternalTriggerType(
    name="st2.DateTimer",
    description="Fires once, at a date and time.",
    payload_schema=_TIMER_PAYLOAD,
    parameters_schema=_parameters(
        timezone={"type": "string"},
        date={"type": "string", "format": "date-time", "required": True},
    ),
)

CRON_TIMER = InternalTriggerType(
    name="st2.CronTimer",
    description="Fires whenever all of its calendar and clock fields hold.",
    payload_schema=_TIMER_PAYLOAD,
    parameters_schema=_parameters(
        timezone={"type": "string"},
        year=_cron_field(),
        month=_cron_field(1, 12),
        day=_cron_field(1, 31),
        week=_cron_field(1, 53),
        day_of_week=_cron_field(0, 6),
        hour=_cron_field(0, 23),
        minute=_cron_field(0, 59),
        second=_cron_field(0, 59),
    ),
)

ACTION_TRIGGER = InternalTriggerType(
    name="st2.generic.actiontrigger",
    description="An action execution reached one of the statuses that [action_sensor] emit_when names.",
    payload_schema=_any("execution_id", "status", "start_timestamp", "action_name", "action_ref", "runner_ref", "parameters", "result"),
)

NOTIFY_TRIGGER = InternalTriggerType(
    name="st2.generic.notifytrigger",
    description="A notification of a completed action execution.",
    payload_schema=_any(
        "execution_id", "status", "start_timestamp", "end_timestamp", "action_ref", "runner_ref", "channel", "route", "message", "data"
    ),
)

FILE_WRITTEN = InternalTriggerType(
    name="st2.action.file_written",
    description="The file of an action was written through the API.",
    payload_schema=_any("ref", "file_path", "host_info"),
)

INQUIRY = InternalTriggerType(
    name="st2.generic.inquiry",
    description="An inquiry waits for a response.",
    payload_schema={
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Id of the inquiry, which is the id of its execution.", "required": True},
            "route": {"type": "string", "description": "Free text that rules may tell inquiries apart by.", "required": True},
        },
        "additionalProperties": False,
    },
)

SENSOR_SPAWN = InternalTriggerType("st2.sensor.process_spawn", "A sensor container started the process of a sensor.", _any("object"))
SENSOR_EXIT = InternalTriggerType("st2.sensor.process_exit", "The process of a sensor ended.", _any("object"))

KEY_VALUE_CREATE = InternalTriggerType("st2.key_value_pair.create", "A datastore item was created.", _any("object"))
KEY_VALUE_UPDATE = InternalTriggerType("st2.key_value_pair.update", "A datastore item was set again.", _any("object"))
KEY_VALUE_CHANGE = InternalTriggerType(
    "st2.key_value_pair.value_change", "The value of a datastore item became another one.", _any("old_object", "new_object")
)
KEY_VALUE_DELETE = InternalTriggerType("st2.key_value_pair.delete", "A datastore item was deleted.", _any("object"))

TIMER_TRIGGER_TYPES = {timer.ref: timer for timer in (INTERVAL_TIMER, DATE_TIMER, CRON_TIMER)}
"""Ref -> row, the types that the timers engine serves."""

INTERNAL_TRIGGER_TYPES = {
    row.ref: row
    for row in (
        ACTION_TRIGGER,
        FILE_WRITTEN,
        NOTIFY_TRIGGER,
        INQUIRY,
        SENSOR_SPAWN,
        SENSOR_EXIT,
        KEY_VALUE_CREATE,
        KEY_VALUE_UPDATE,
        KEY_VALUE_CHANGE,
        KEY_VALUE_DELETE,
        WEBHOOK,
        *TIMER_TRIGGER_TYPES.values(),
    )
}
"""Ref -> row, all trigger types of the platform. ``ACTION_TRIGGER`` is registered only with ``[action_sensor] enable``."""

SYSTEM_TRIGGER_TYPES = {row.ref: row for row in (WEBHOOK, *TIMER_TRIGGER_TYPES.values())}
"""The types with parameters: these are checked whatever ``[system] validate_trigger_parameters`` says."""


def validate_trigger_parameters(trigger_type_ref: str, parameters: Mapping[str, Any] | None) -> bool:
    """Check the parameters that a rule or trigger gives for one of ``SYSTEM_TRIGGER_TYPES``.

    Null is absent. Cron expressions are parsed; dates and time zones are not, as upstream accepts a rule with a wrong one and never
    starts its timer (reactor.md 4).

    Returns:
        False if the type is none of ours, so that nothing was checked.

    Raises:
        Invalid: text of the schema validator, with the whole explanation; ``path`` names the parameter.
    """
    row = SYSTEM_TRIGGER_TYPES.get(trigger_type_ref)
    if row is None:
        return False
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    try:
        check(given, row.accepted_parameters)
    except SchemaViolation as violation:
        raise Invalid(violation.long_text, violation.path) from violation
    if row is CRON_TIMER:
        cron_trigger(given)
    return True
