"""From messages of the bus to events of the stream: names, data, and what filters look at."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from st2common.clock import iso_us
from st2common.store import Store

OUTPUT = "st2.execution.output__create"
EXECUTION_UPDATE = "st2.execution__update"
_EXECUTION = re.compile(r"^st2\.execution__(create|update|delete)$")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True, eq=False)
class StreamEvent:
    """One event, serialised.

    Attributes:
        frame: the bytes on the wire.
        execution_id: what the filter ``execution_ids`` looks at; None for events that it drops.
        about: the execution that the event is about, for the end of a stream.
        status: status of that execution.
        key: of a chunk of output, its id.
        output_type: of a chunk of output.
    """

    name: str
    frame: bytes
    action_ref: str | None = None
    execution_id: str | None = None
    about: str | None = None
    status: str | None = None
    key: str | None = None
    output_type: str | None = None


def frame(name: str, data: bytes) -> bytes:
    """An event on the wire. Names come from action parameters too, so a line break in one must not start another field."""
    return b"event: %s\ndata: %s\n\n" % (" ".join(name.splitlines()).encode(), data)


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str)


class EventBuilder:
    """Makes the events that somebody listens for.

    Args:
        store: for the copies that execution events name by hash, and for the children of workflows.
        is_wanted: whether any listener wants events of that name.
    """

    def __init__(self, store: Store, is_wanted: Callable[[str], bool]) -> None:
        self._store = store
        self._is_wanted = is_wanted

    def build(self, messages: Iterable[Any]) -> list[StreamEvent]:
        """Events of a batch of bus messages, in order.

        Raises:
            PyMongoError: the database is away; nothing was done.
        """
        wanted = [message for message in messages if self._concerns_anybody(message)]
        digests = {digest for message in wanted for digest in (message.get("snapshots") or {}).values()}
        texts = self._store.snapshots.texts(digests) if digests else {}
        return [event for message in wanted for event in self._events(message, texts)]

    def _concerns_anybody(self, message: Any) -> bool:
        name = message.get("event") if isinstance(message, dict) else None
        if not isinstance(name, str) or not name.startswith("st2."):
            return False
        return self._is_wanted(name) or (_EXECUTION.match(name) is not None and self._is_wanted(_liveaction_name(name)))

    def _events(self, message: Mapping[str, Any], texts: Mapping[str, bytes]) -> Iterator[StreamEvent]:
        name = message["event"]
        if _EXECUTION.match(name):
            yield from self._execution_events(name, message, texts)
        elif name == OUTPUT:
            yield from output_events(message["execution_id"], message.get("action_ref"), message.get("runner_ref"), message["chunks"])
        else:
            data = message["payload"] if "payload" in message else message.get("form")
            yield StreamEvent(name, frame(name, dumps(data)))

    def _execution_events(self, name: str, message: Mapping[str, Any], texts: Mapping[str, bytes]) -> Iterator[StreamEvent]:
        form = dict(message["form"])
        id, status, action_ref = form["id"], form.get("status"), message.get("action_ref")
        if self._is_wanted(name):
            shown = dict(form)
            for part, digest in (message.get("snapshots") or {}).items():
                if digest in texts:
                    shown[part] = orjson.Fragment(texts[digest])
            if (form.get("liveaction") or {}).get("action_is_workflow"):
                children = self._store.executions.child_ids([id]).get(id)
                if children:
                    shown["children"] = children
            yield StreamEvent(name, frame(name, dumps(shown)), action_ref, id, id, status)
        old_name = _liveaction_name(name)
        if self._is_wanted(old_name):
            yield StreamEvent(old_name, frame(old_name, dumps(liveaction_form(form))), action_ref, None, id, status)


def liveaction_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """The form of upstream's working record, made from that of the execution; its result is JSON as a string."""
    made = dict(form.get("liveaction") or {})
    made["status"] = form.get("status")
    made["start_timestamp"] = form.get("start_timestamp")
    if "end_timestamp" in form:
        made["end_timestamp"] = form["end_timestamp"]
    made["context"] = form.get("context") or {}
    if "result" in form:
        made["result"] = dumps(form["result"]).decode()
    return made


def output_events(execution_id: str, action_ref: str | None, runner_ref: str | None, chunks: Iterable[Iterable[Any]]) -> Iterator[StreamEvent]:
    """One event per line of output.

    Args:
        chunks: ``[moment_us, type, text]`` each, as stored and as sent over the bus: a line has the same id either way.
    """
    for moment_us, output_type, text in chunks:
        for number, line in enumerate(_LINE.findall(text)):
            key = hashlib.blake2b(f"{execution_id}:{moment_us}:{output_type}:{number}:{text}".encode("utf-8", "replace"), digest_size=12).hexdigest()
            data = {
                "id": key, "execution_id": execution_id, "action_ref": action_ref, "runner_ref": runner_ref,
                "timestamp": iso_us(moment_us), "output_type": output_type, "data": line,
            }  # fmt: skip
            yield StreamEvent(OUTPUT, frame(OUTPUT, dumps(data)), action_ref, execution_id, execution_id, None, key, output_type)


def _liveaction_name(execution_name: str) -> str:
    return execution_name.replace("st2.execution__", "st2.liveaction__", 1)
