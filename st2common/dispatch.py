"""Events in: check a trigger's payload, store the instance, hand it to the rules engine (reactor.md section 1).

Used by webhooks, sensors, timers, re-emit and the platform's own triggers. The id is made here, so the same event is never stored
twice; it is in the database before it is on the bus, and it is taken back if the bus refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from st2common.bus import TRIGGER_INSTANCES, Bus
from st2common.clock import Clock
from st2common.exceptions import Invalid, NotFound, OutcomeUnknown, Unavailable
from st2common.log import getLogger
from st2common.models import TriggerInstance
from st2common.schema import check
from st2common.store import Store

LOG = getLogger("st2common.dispatch")
_SMALL_PAYLOAD = 256 * 1024

PENDING = "pending"
PROCESSED = "processed"
FAILED = "processing_failed"


class TriggerDispatcher:
    """Turns events into trigger instances."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, *, validate_payload: bool = True) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._validate = validate_payload

    def check_payload(self, trigger_type_ref: str, payload: Any) -> None:
        """Check a payload against its trigger type.

        Raises:
            Invalid: unknown type, or the payload does not fit and ``[system] validate_trigger_payload`` is on.
        """
        trigger_type = self._store.catalog.by_ref("trigger_type", trigger_type_ref)
        if trigger_type is None:
            raise Invalid(f'Trigger type with reference "{trigger_type_ref}" doesn\'t exist in the database')
        if not trigger_type.payload_schema:
            return
        try:
            check(payload, trigger_type.payload_schema, fill_defaults=True)
        except Invalid as error:
            message = (
                f'Trigger payload validation failed and validation is enabled, not dispatching a trigger "{trigger_type_ref}" ({payload}): {error}'
            )
            if self._validate:
                raise Invalid(message) from error
            LOG.warning("Trigger payload of %s does not fit its schema; dispatched all the same: %s", trigger_type_ref, error)

    def dispatch(
        self, trigger: str | Mapping[str, Any], payload: Any, *, trace_context: Mapping[str, Any] | None = None,
        caused_by: Mapping[str, Any] | None = None, id: ObjectId | None = None,
    ) -> TriggerInstance:  # fmt: skip
        """Store and publish an event of a trigger named by ref, or by an object with id, uid or type and parameters.

        Args:
            trace_context: ``{"id_": ...}`` joins a trace, ``{"trace_tag": ...}`` begins one with that tag, none begins one.
            caused_by: for the trace, when an execution is behind it.
            id: fixes the instance's id, for events that may be dispatched twice.

        Raises:
            NotFound: no such trigger.
            Invalid: the payload is not an object.
            Unavailable: the broker is away; nothing was accepted.
        """
        found = self._store.triggers.resolve(trigger)
        if found is None:
            raise NotFound(f'Trigger "{trigger}" doesn\'t exist')
        return self.dispatch_many([found.ref], payload, trace_context=trace_context, caused_by=caused_by, id=id)[0]

    def dispatch_many(
        self, trigger_refs: list[str], payload: Any, *, trace_context: Mapping[str, Any] | None = None,
        caused_by: Mapping[str, Any] | None = None, id: ObjectId | None = None,
    ) -> list[TriggerInstance]:  # fmt: skip
        """The same event for several triggers known to exist: one write, one message each.

        Raises:
            Invalid: the payload is not an object.
            Unavailable: the broker is away; nothing was accepted.
        """
        if payload is None or payload == []:
            payload = {}
        if not isinstance(payload, dict):
            raise Invalid(f"A trigger payload needs to be an object, got: {type(payload).__name__}")
        moment = self._clock.now_us()
        instances = []
        for ref in trigger_refs:
            instance = TriggerInstance(
                id=id or ObjectId(), trigger=ref, occurrence_time=moment, payload=payload, status=PENDING, open=moment, caused_by=caused_by
            )
            self._set_trace(instance, trace_context)
            instances.append(instance)
        there = self._store.instances.add_many(instances)
        new = [instance for instance in instances if instance.id not in there]
        try:
            self._bus.publish(TRIGGER_INSTANCES, *(message(instance) for instance in new))
        except Unavailable:
            if self._taken_back([instance.id for instance in new]):
                raise
        return instances

    def _taken_back(self, ids: list[ObjectId]) -> bool:
        try:
            return self._store.instances.take_back(ids)
        except PyMongoError as error:
            raise OutcomeUnknown("Database and broker went away: the event may have been accepted, or not.") from error

    @staticmethod
    def _set_trace(instance: TriggerInstance, trace_context: Mapping[str, Any] | None) -> None:
        given = trace_context or {}
        if given.get("id_"):
            instance.trace_id = given["id_"]
            return
        instance.trace_id = str(ObjectId())
        instance.trace_tag = given.get("trace_tag") or f"trigger_instance-{instance.id}"


def message(instance: TriggerInstance) -> dict[str, Any]:
    """What the rules engine gets: the whole event, or only its id when the payload is large."""
    document = instance.to_mongo()
    body: dict[str, Any] = {"id": str(instance.id)}
    if len(document.get("payload") or b"") <= _SMALL_PAYLOAD:
        body.update(
            trigger=instance.trigger,
            payload=instance.payload,
            occurrence_time=instance.occurrence_time,
            trace_id=instance.trace_id,
            trace_tag=instance.trace_tag,
        )
    return body
