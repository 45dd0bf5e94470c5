"""What follows the end of an execution (execution.md sections 6 and 9): its workflow, policies, notifications, the action trigger.

Every step is idempotent: retries and trigger instances have ids derived from the execution, so a message that comes twice does
nothing twice. When all is done the debt stored with the end is settled; until then the sweeper sends the message again.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from st2common import states
from st2common.bus import EXECUTIONS_FINISHED, EXECUTIONS_REQUESTED, Consumer, Delivery
from st2common.clock import from_us
from st2common.exceptions import Invalid, NotFound, St2Error
from st2common.execution.aftermath import ACTION_TRIGGER
from st2common.execution.request import Request
from st2common.expressions import render_value, template_variables
from st2common.log import getLogger
from st2common.models.fields import unpack_json
from st2common.platform import Platform
from st2common.policies import should_retry
from st2common.refs import derived_id, is_object_id
from st2common.service import Service

LOG = getLogger("st2actions.notifier")
NOTIFY_TRIGGER = "core.st2.generic.notifytrigger"

_SECTIONS = (
    ("on-complete", states.FINAL, "completed"),
    ("on-success", frozenset({states.SUCCEEDED}), "succeeded"),
    ("on-failure", states.FAILURES, "failed"),
)
"""Section of a notify block, the statuses it fires for, the last word of its default message."""


class Notifier(Service):
    """Consumes ended executions that somebody waits for."""

    name = "st2notifier"
    group = "notifier"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._consumer = Consumer(platform.bus, EXECUTIONS_FINISHED, self._take, batch=20, prefetch=40)

    def start(self) -> None:
        self._consumer.start()

    def stop(self) -> None:
        self._consumer.stop()

    def _take(self, deliveries: list[Delivery]) -> None:
        ids = dict.fromkeys(delivery.message.get("id") for delivery in deliveries)
        for id in ids:
            document = self.platform.store.executions.get(id) if is_object_id(id) else None
            if document is not None and document["status"] in states.FINAL:
                self._follow_up(document)

    def _follow_up(self, document: dict[str, Any]) -> None:
        with self.platform.metrics.timed("notifier.action.executions"):
            self.platform.content.refresh()
            if not document.get("parent"):
                self._retry(document)
            if self.platform.content.concurrency_policies(document["action_ref"]):
                self.platform.bus.publish(EXECUTIONS_REQUESTED, {"wake": document["action_ref"]})
            self._notify(document)
            self._action_trigger(document)
            self.platform.store.executions.settle(document["_id"])

    # -- policies ----------------------------------------------------------------------------------------------------

    def _retry(self, document: dict[str, Any]) -> None:
        context = unpack_json(document.get("context"), {})
        done = int(((context.get("policies") or {}).get("retry") or {}).get("retry_count", 0))
        for policy in self.platform.content.retry_policies(document["action_ref"]):
            decision = should_retry(policy.parameters, document["status"], done)
            if decision.do != "retry":
                continue
            LOG.info("policy %s: %s of execution %s", policy.ref, decision.reason, document["_id"])
            from_id = self.platform.view.one(document, attributes=["liveaction"])["liveaction"]["id"]
            context["policies"] = {"retry": {"applied_policy": policy.ref, "retry_count": done + 1, "retried_liveaction_id": from_id}}
            request = Request(
                action=document["action_ref"], parameters=unpack_json(document.get("parameters"), {}), user=context.get("user") or "",
                context=context, delay_ms=int(decision.delay_s * 1000), id=derived_id(document["_id"], "retry", policy.ref),
                trace_id=document.get("trace_id"),
            )  # fmt: skip
            try:
                self.platform.requests.submit(request)
            except Invalid as error:
                LOG.warning("execution %s cannot be retried: %s", document["_id"], error)
            return

    # -- triggers ----------------------------------------------------------------------------------------------------

    def _notify(self, document: dict[str, Any]) -> None:
        block = unpack_json(document.get("notify"))
        if not block:
            return
        for section, statuses, word in _SECTIONS:
            settings = block.get(section)
            if settings and document["status"] in statuses:
                self._notify_section(document, section, settings, f"Action {document['action_ref']} {word}.")

    def _notify_section(self, document: dict[str, Any], section: str, settings: dict[str, Any], default: str) -> None:
        parameters = unpack_json(document.get("parameters"), {})
        result = unpack_json(document.get("result"), {})
        variables = {
            "st2kv": self.platform.datastore.namespace(document.get("user")), "action_parameters": parameters,
            "action_context": unpack_json(document.get("context"), {}), "action_results": result,
        }  # fmt: skip
        payload = {
            "message": _rendered(settings.get("message") or default, variables),
            "data": {**_rendered(settings.get("data") or {}, variables), "result": _python_like_json(result)},
            "execution_id": str(document["_id"]),
            "status": document["status"],
            "start_timestamp": _iso(document["start_us"]),
            "end_timestamp": _iso(document.get("end_us") or self.platform.clock.now_us()),
            "action_ref": document["action_ref"],
            "runner_ref": document["runner_name"],
        }
        for route in settings.get("routes") or settings.get("channels") or []:
            self._dispatch(NOTIFY_TRIGGER, {**payload, "route": route, "channel": route}, document, section, str(route))

    def _action_trigger(self, document: dict[str, Any]) -> None:
        if not self.platform.aftermath.emits_trigger(document["status"]):
            return
        payload = {
            "execution_id": str(document["_id"]),
            "status": document["status"],
            "start_timestamp": str(from_us(document["start_us"])),
            "action_name": document["action_ref"],
            "action_ref": document["action_ref"],
            "runner_ref": document["runner_name"],
            "parameters": self.platform.view.parameters(document, masking=True),
            "result": unpack_json(document.get("result"), {}),
        }
        self._dispatch(ACTION_TRIGGER, payload, document, "action")

    def _dispatch(self, trigger: str, payload: dict[str, Any], document: dict[str, Any], *parts: str) -> None:
        cause = {"type": "action_execution", "id": str(document["_id"])}
        try:
            self.platform.dispatcher.dispatch(
                trigger, payload, trace_context={"id_": document.get("trace_id")}, caused_by=cause, id=derived_id(document["_id"], trigger, *parts)
            )
        except NotFound as error:
            LOG.warning("not dispatched: %s", error)


def _rendered(value: Any, variables: dict[str, Any]) -> Any:
    """Jinja inside a message or data; what does not render stays as it was written (execution.md section 9, content.md 8).

    A missing attribute of a known variable renders empty; an unknown variable is a failure.
    """
    try:
        return render_value(value, variables, allow_undefined=_names(value) <= variables.keys())
    except St2Error as error:
        LOG.warning("notification text left unrendered: %s", error)
        return value


def _names(value: Any) -> frozenset[str]:
    """Variables that a message or data reads."""
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    return template_variables(text)


def _iso(moment_us: int) -> str:
    """``2026-11-22T13:07:38.154193+00:00``: the form of moments in this trigger only (content.md 10.2)."""
    return from_us(moment_us).isoformat(timespec="microseconds")


def _python_like_json(value: Any) -> str:
    """JSON with blanks after commas and colons, as upstream's notifications carry it."""
    return json.dumps(orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str)))
