"""The API form of an execution: the document, the copies it names, secrets masked (api.md 4.3, execution.md section 1)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from st2common.clock import iso_ms, iso_us
from st2common.models.execution import liveaction_id
from st2common.models.fields import unpack_json, unpack_json_text
from st2common.parameters import effective_schema, mask_parameters, mask_result
from st2common.store import Store

Document = Mapping[str, Any]

SNAPSHOT_PARTS = {"action": "action_snapshot", "runner": "runner_snapshot", "rule": "rule_snapshot", "trigger": "trigger_snapshot",
                  "trigger_type": "trigger_type_snapshot"}  # fmt: skip
"""Parts of the API form that are copies, with the field that holds the hash of each."""

STORED: dict[str, tuple[str, ...]] = {
    "id": (), "action": ("action_snapshot",), "runner": ("runner_snapshot",), "rule": ("rule_snapshot",), "trigger": ("trigger_snapshot",),
    "trigger_type": ("trigger_type_snapshot",), "trigger_instance": ("trigger_instance",), "status": ("status",),
    "start_timestamp": ("start_us",), "end_timestamp": ("end_us",), "elapsed_seconds": ("start_us", "end_us"),
    "parameters": ("parameters", "action_snapshot", "runner_snapshot"), "context": ("context",),
    "result": ("result", "action_snapshot", "runner_snapshot"), "result_size": ("result_size",), "log": ("log",), "delay": ("delay",),
    "liveaction": ("action_ref", "is_workflow", "parameters", "callback", "runner_info", "notify", "action_snapshot", "runner_snapshot"),
    "parent": ("parent",), "children": ("is_workflow",), "workflow_execution": ("workflow_execution",),
    "task_execution": ("task_execution",), "web_url": (),
}  # fmt: skip
"""Attribute of the API form -> stored fields it is made of: a list never reads what it does not show."""


class ExecutionView:
    """Builds API forms.

    Args:
        store: for snapshots and children.
        web_url: base of the web interface.
        mask: whether secrets are masked unless asked otherwise (``[api] mask_secrets``).
    """

    def __init__(self, store: Store, web_url: str, *, mask: bool = True) -> None:
        self._store = store
        self._web_url = web_url.rstrip("/")
        self._mask = mask
        self._lock = threading.Lock()
        self._specs: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any] | None, str | None]] = {}

    def one(self, document: Document, *, show_secrets: bool = False, attributes: Iterable[str] | None = None) -> dict[str, Any]:
        """The API form of one execution; only ``attributes`` (and the id) when given."""
        return self.many([document], show_secrets=show_secrets, attributes=attributes)[0]

    def many(
        self, documents: Sequence[Document], *, show_secrets: bool = False, attributes: Iterable[str] | None = None, embed: bool = False
    ) -> list[dict[str, Any]]:
        """The API forms of several.

        Args:
            embed: leave the copies as ready JSON (``orjson.Fragment``), for answers that are serialised at once.
        """
        wanted = set(STORED if attributes is None else attributes) & set(STORED) | {"id"}
        parts = [part for part in SNAPSHOT_PARTS if part in wanted]
        digests = {document[SNAPSHOT_PARTS[part]] for document in documents for part in parts if document.get(SNAPSHOT_PARTS[part])}
        texts = self._store.snapshots.texts(digests)
        load: Any = orjson.Fragment if embed else orjson.loads
        children: dict[str, list[str]] = {}
        if "children" in wanted:
            parents = [str(document["_id"]) for document in documents if document.get("is_workflow")]
            children = self._store.executions.child_ids(parents) if parents else {}
        forms = []
        for document in documents:
            form = self.plain(document, wanted, show_secrets=show_secrets)
            for part in parts:
                text = texts.get(document.get(SNAPSHOT_PARTS[part]) or "")
                if text:
                    form[part] = load(text)
            if "rule" in form and self._mask and not show_secrets:
                form["rule"] = self._masked_rule(document) or form["rule"]
            ids = children.get(form["id"])
            if ids:
                form["children"] = ids
            forms.append(form)
        return forms

    def plain(self, document: Document, wanted: set[str] | None = None, *, show_secrets: bool = False) -> dict[str, Any]:
        """The form without the copies and children. Empty top-level values are dropped, as upstream drops them."""
        wanted = wanted or set(STORED)
        form: dict[str, Any] = {"id": str(document["_id"])}
        for name in ("status", "context", "parent", "workflow_execution", "task_execution", "result_size", "delay"):
            if name in wanted:
                value = document.get(name)
                form[name] = unpack_json(value) if isinstance(value, bytes) else value
        if "start_timestamp" in wanted:
            form["start_timestamp"] = iso_us(document["start_us"])
        end = document.get("end_us")
        if end is not None and "end_timestamp" in wanted:
            form["end_timestamp"] = iso_us(end)
        if end is not None and "elapsed_seconds" in wanted:
            form["elapsed_seconds"] = (end - document["start_us"]) / 1_000_000
        if "log" in wanted:
            form["log"] = [{"timestamp": iso_ms(moment), "status": status} for moment, status in document.get("log", ())]
        masking = self._mask and not show_secrets
        parameters = None
        if "parameters" in wanted or "liveaction" in wanted:
            parameters = self.parameters(document, masking)
        if "parameters" in wanted:
            form["parameters"] = parameters
        if "result" in wanted and document.get("result") is not None:
            form["result"] = self.result(document, masking)
        if "trigger_instance" in wanted:
            form["trigger_instance"] = unpack_json(document.get("trigger_instance"))
        if "web_url" in wanted:
            form["web_url"] = f"{self._web_url}/#/history/{form['id']}/general"
        if "liveaction" in wanted:
            form["liveaction"] = self._liveaction(document, parameters)
        return {key: value for key, value in form.items() if value or (key == "result" and value is not None and value != {} and value != [])}

    def parameters(self, document: Document, masking: bool) -> dict[str, Any]:
        """The stored parameters."""
        values = unpack_json(document.get("parameters"), {})
        schema, _, _ = self._secrets(document)
        if values and masking and document.get("action_ref") == "st2.inquiry.respond" and isinstance(values.get("response"), dict):
            values["response"] = dict.fromkeys(values["response"], "********")
        return mask_parameters(values, schema) if values and masking and schema else values

    def result(self, document: Document, masking: bool) -> Any:
        """The result, secret output masked."""
        value = unpack_json(document.get("result"))
        if not masking:
            return value
        _, output_schema, output_key = self._secrets(document)
        if output_schema:
            value = mask_result(value, output_schema, output_key)
        if document.get("runner_name") == "inquirer" and isinstance(value, dict):
            value = _mask_inquiry(value)
        return value

    def result_text(self, document: Document, masking: bool) -> bytes:
        """The result as JSON text, without parsing where nothing is to be masked."""
        _, output_schema, _ = self._secrets(document)
        if document.get("result") is None:
            return b"{}"
        if masking and (output_schema or document.get("runner_name") == "inquirer"):
            return orjson.dumps(self.result(document, True))
        return unpack_json_text(document["result"])

    def event(self, document: Document) -> dict[str, Any]:
        """What goes over the bus about an execution: the plain masked form, and the hashes of its copies."""
        form = self.plain(document)
        snapshots = {part: document[field] for part, field in SNAPSHOT_PARTS.items() if document.get(field)}
        rule = self._masked_rule(document) if self._mask else None
        if rule is not None:
            form["rule"] = rule
            del snapshots["rule"]
        return {"form": form, "snapshots": snapshots, "action_ref": document["action_ref"]}

    def _masked_rule(self, document: Document) -> dict[str, Any] | None:
        """The copy of the rule with the action's secrets masked; None where the stored copy can be shown as it is."""
        schema, _, _ = self._secrets(document)
        if not schema or not document.get("rule_snapshot"):
            return None
        rule = self._store.snapshots.get(document["rule_snapshot"])
        action = rule.get("action") or {}
        given = action.get("parameters") or {}
        masked = mask_parameters(given, schema)
        return None if masked == given else {**rule, "action": {**action, "parameters": masked}}

    def _liveaction(self, document: Document, parameters: dict[str, Any] | None) -> dict[str, Any]:
        form: dict[str, Any] = {
            "id": str(liveaction_id(document["_id"])),
            "action": document.get("action_ref"),
            "action_is_workflow": bool(document.get("is_workflow")),
            "parameters": parameters or {},
            "callback": unpack_json(document.get("callback"), {}),
            "runner_info": unpack_json(document.get("runner_info"), {}),
        }
        notify = unpack_json(document.get("notify"))
        if notify:
            form["notify"] = notify
        return form

    def _secrets(self, document: Document) -> tuple[dict[str, Any], dict[str, Any] | None, str | None]:
        """(parameter schema or {} when nothing is secret, output schema or None when nothing is secret, output key)."""
        key = (document.get("action_snapshot", ""), document.get("runner_snapshot", ""))
        kept = self._specs.get(key)
        if kept is not None:
            return kept
        action, runner = self._store.snapshots.get(key[0]), self._store.snapshots.get(key[1])
        schema = effective_schema(runner.get("runner_parameters", {}), action.get("parameters", {}))
        output = action.get("output_schema") or {}
        made = (schema if _has_secret(schema) else {}, output if _has_secret(output) else None, runner.get("output_key"))
        with self._lock:
            if len(self._specs) > 5000:
                self._specs.clear()
            self._specs[key] = made
        return made


def _has_secret(schema: Any) -> bool:
    if isinstance(schema, dict):
        return schema.get("secret") is True or any(_has_secret(item) for item in schema.values())
    return isinstance(schema, list) and any(_has_secret(item) for item in schema)


def _mask_inquiry(value: dict[str, Any]) -> dict[str, Any]:
    """``result.response.<name>`` for schema properties with ``secret: true`` (execution.md section 10)."""
    response, schema = value.get("response"), value.get("schema")
    if not isinstance(response, dict) or not isinstance(schema, dict):
        return value
    properties = schema.get("properties") or {}
    secret = {name for name, schema in properties.items() if isinstance(schema, dict) and schema.get("secret")}
    return {**value, "response": {name: "********" if name in secret else item for name, item in response.items()}}
