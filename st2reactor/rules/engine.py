"""Events against rules, in batches: match (pure), enforce, record, acknowledge (reactor.md section 6)."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from st2common.bus import TRIGGER_INSTANCES, Consumer, Delivery
from st2common.clock import iso_ms
from st2common.criteria import IndexedRule, UnknownOperator, select
from st2common.criteria.matcher import failure_reason
from st2common.dispatch import FAILED, PROCESSED, message
from st2common.exceptions import St2Error, Unavailable
from st2common.execution.request import RenderFailed, Request
from st2common.log import getLogger
from st2common.models import RuleEnforcement
from st2common.platform import Platform
from st2common.refs import derived_id, is_object_id
from st2common.service import Service
from st2common.sweeping import LeasedLoop, Patience
from st2reactor.rules.cache import RuleCache

LOG = getLogger("st2reactor.rules")
_SWEEPS_PER_STALE = 3


@dataclass
class Event:
    """A trigger instance in hand."""

    id: ObjectId
    trigger: str
    payload: dict[str, Any]
    occurrence_us: int
    trace_id: str
    trace_tag: str | None = None
    matched: list[IndexedRule] = field(default_factory=list)
    failures: list[tuple[IndexedRule, str]] = field(default_factory=list)
    status: str = PROCESSED

    def to_api(self) -> dict[str, Any]:
        """The instance as executions embed it."""
        return {"id": str(self.id), "trigger": self.trigger, "occurrence_time": iso_ms(self.occurrence_us), "payload": self.payload,
                "status": "processing"}  # fmt: skip


class RulesEngine(Service):
    """Consumes trigger instances. Several may run; each event is handled by one, and by another if that one dies."""

    name = "st2rulesengine"
    group = "rulesengine"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._rules = RuleCache(platform)
        prefetch = platform.config.rulesengine.prefetch
        self._consumer = Consumer(platform.bus, TRIGGER_INSTANCES, self._take, batch=prefetch, prefetch=prefetch * 2)
        self._enforced: list[RuleEnforcement] = []
        """What the batch in hand did; written once at its end, before its events are finished."""
        self._stale_s = float(platform.config.rulesengine.stale)
        owner = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._patience = Patience(platform.bus, TRIGGER_INSTANCES)
        self._sweeper = LeasedLoop(platform, "sweeper:trigger_instances", owner, self._stale_s / _SWEEPS_PER_STALE, self.sweep)

    def start(self) -> None:
        self._rules.refresh()
        self._consumer.start()
        self._sweeper.start()

    def stop(self) -> None:
        self._sweeper.stop()
        self._consumer.stop()

    # -- a batch -----------------------------------------------------------------------------------------------------

    def _take(self, deliveries: list[Delivery]) -> None:
        events = self._events(deliveries)
        if not events:
            return
        self._rules.refresh()
        for event in events:
            self._match(event)
        self._enforced = []
        for event in events:
            if event.matched or event.failures:
                self._enforce(event)
        self.platform.store.enforcements.add_many(self._enforced)
        for status in {event.status for event in events}:
            self.platform.store.instances.finish([event.id for event in events if event.status == status], status)

    def _events(self, deliveries: list[Delivery]) -> list[Event]:
        """Messages to events. The database decides: what was finished before (a redelivery) or taken back is left out."""
        found: dict[ObjectId, Event] = {}
        bodies = {ObjectId(body["id"]): body for body in (delivery.message for delivery in deliveries) if is_object_id(body.get("id"))}
        statuses = self.platform.store.instances.statuses(list(bodies))
        for id, body in bodies.items():
            if statuses.get(id) in (None, PROCESSED, FAILED):
                continue
            if "payload" not in body:
                instance = self.platform.store.instances.get(id)
                if instance is None:
                    continue
                body = {"trigger": instance.trigger, "payload": instance.payload, "occurrence_time": instance.occurrence_time,
                        "trace_id": instance.trace_id, "trace_tag": instance.trace_tag}  # fmt: skip
            found[id] = Event(id, body["trigger"], body["payload"] or {}, body["occurrence_time"], body.get("trace_id") or "", body.get("trace_tag"))
        return list(found.values())

    def _match(self, event: Event) -> None:
        with self.platform.metrics.timed("rule.processed"):
            index = self._rules.index(event.trigger)
            if index is None:
                return
            namespace = self.platform.datastore.namespace(None)
            try:
                selection = select(index, event.payload, variables={"st2kv": namespace, "system": namespace.system}, now=self.platform.clock.now)
            except UnknownOperator as error:
                LOG.error("event %s: %s", event.id, error)
                event.status = FAILED
                event.failures = list(getattr(error, "failures", []))
                return
            event.matched, event.failures = selection.matched, selection.failures

    # -- enforcing ---------------------------------------------------------------------------------------------------

    def _enforce(self, event: Event) -> None:
        for number, (rule, text) in enumerate(event.failures):
            self._record(event, rule.rule, None, failure_reason(rule.rule.ref, str(event.id), text), f"match-{number}")
        for rule in event.matched:
            try:
                self._run(event, rule.rule)
            except (PyMongoError, Unavailable):
                raise
            except Exception:
                LOG.exception("rule %s could not be enforced for event %s", rule.rule.ref, event.id)
                event.status = FAILED

    def _run(self, event: Event, rule: Any) -> None:
        """Request the rule's action. The execution's id follows from rule and event: at most one, whatever happens."""
        causes = self._rules.cause(event.trigger)
        if causes is None:
            return
        action_ref = rule.action["ref"]
        if self.platform.content.action(action_ref) is None:
            self._record(event, rule, None, f'Action "{action_ref}" doesn\'t exist')
            return
        user = self.platform.config.system_user.user
        tag = {"trace_tag": event.trace_tag} if event.trace_tag else {}
        request = Request(
            action=action_ref, parameters=rule.action.get("parameters") or {}, user=user,
            context={
                "trigger_instance": {"id": str(event.id), "name": None}, "rule": {"id": str(rule.id), "name": rule.name},
                "pack": action_ref.split(".")[0], "trace_context": {"id_": event.trace_id, **tag},
            },
            variables={"trigger": event.payload}, cause={"rule": rule.to_api(), "trigger_instance": event.to_api(), **causes},
            id=derived_id(event.id, "rule", str(rule.id)), trace_id=event.trace_id,
        )  # fmt: skip
        try:
            document = self.platform.requests.submit(request)
        except RenderFailed as error:
            self._failed(event, rule, str(error))
        except (Unavailable, PyMongoError):
            raise
        except St2Error as error:
            self._failed(event, rule, getattr(error, "long_text", None) or str(error))
        else:
            self._record(event, rule, str(document["_id"]), None)
            self.platform.metrics.count(f"rule.{rule.ref}.matched")
            LOG.audit("Rule enforced. Execution %s, TriggerInstance %s and Rule %s.", document["_id"], event.id, rule.ref)

    def _failed(self, event: Event, rule: Any, reason: str) -> None:
        self._record(event, rule, None, reason)
        LOG.audit("Rule enforcement failed. Execution of Action %s failed. TriggerInstance: %s and Rule: %s", rule.action["ref"], event.id, rule.ref)

    def _record(self, event: Event, rule: Any, execution_id: str | None, reason: str | None, part: str = "rule") -> None:
        self._enforced.append(
            RuleEnforcement(
                id=derived_id(event.id, "enforcement", str(rule.id), part),
                trigger_instance_id=str(event.id),
                execution_id=execution_id,
                failure_reason=reason,
                rule_id=str(rule.id),
                rule_ref=rule.ref,
                rule_uid=rule.uid,
                enforced_at=self.platform.clock.now_us(),
                status="failed" if reason else "succeeded",
                trace_id=event.trace_id,
            )  # fmt: skip
        )

    # -- sweeping ----------------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Say again the events that were stored but never finished."""
        stale = self.platform.store.instances.stale(self._stale_s)
        if not stale or self._patience.wait():
            return
        LOG.warning("announcing %d unfinished events again", len(stale))
        self.platform.bus.publish(TRIGGER_INSTANCES, *(message(instance) for instance in stale))
