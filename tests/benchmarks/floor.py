"""The floor: what the same servers cost at least for one execution, without any platform.

One round does bare what an execution must do: durable writes to documents of the same size, messages of the same size through a
durable queue and a fanout exchange, and the start of a process. Nothing is validated, rendered, logged, retried or shown.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import kombu
import pymongo
from bson import ObjectId

_FINAL = "succeeded"
_PROCESSES = 4


@dataclass(frozen=True)
class Shape:
    """What one round consists of.

    Attributes:
        inserts, updates: durable writes.
        work: messages through the durable queue (published with confirm, taken, acknowledged); fanout: messages to a listener.
        process: None, "echo" (an external program, output read) or "fork" (a child of a warm process, answer read).
    """

    inserts: int = 1
    updates: int = 2
    work: int = 1
    fanout: int = 3
    process: str | None = None


NOOP = Shape()
LOCAL = Shape(process="echo")
PYTHON = Shape(process="fork")
WEBHOOK = Shape(inserts=3, updates=3, work=2, process="echo")
"""Trigger instance, enforcement and execution are inserted; the instance is finished, too."""


class Round:
    """Connections for one process, and one round of work."""

    def __init__(self, database_url: str, broker_url: str, name: str) -> None:
        self._client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(database_url, retryWrites=False, w="majority", journal=True)
        self._collection = self._client["st2_floor"]["executions"]
        embedded = broker_url.startswith("redis")
        transport: dict[str, Any] = {"priority_steps": [0], "global_keyprefix": f"{name}:"} if embedded else {"confirm_publish": True}
        self._connection = kombu.Connection(broker_url, transport_options=transport)
        channel = self._connection.channel()
        self._work = kombu.Queue(name, kombu.Exchange(name, "direct"), routing_key=name, durable=True)
        self._events = kombu.Queue(f"{name}.listener", kombu.Exchange(f"{name}.events", "fanout", durable=False), exclusive=True, auto_delete=True)
        self._producer = kombu.Producer(channel)
        self._taken = 0
        self._consumer = kombu.Consumer(channel, [self._work, self._events], callbacks=[self._take], accept=["json"])
        self._consumer.consume()
        with contextlib.suppress(TimeoutError):
            self._connection.drain_events(timeout=0.2)  # the embedded broker subscribes only now
        self._parameters = os.urandom(80)
        self._event = {"event": "st2.execution__update", "form": {"parameters": {}, "context": "x" * 500}, "snapshots": {}}

    def _take(self, body: Any, message: Any) -> None:
        message.ack()
        self._taken += 1

    def run(self, shape: Shape) -> None:
        """One round."""
        self._taken = 0
        ids = []
        for _ in range(shape.inserts):
            ids.append(ObjectId())
            links = [f"trace:{ids[-1]}", "root", f"tag:execution-{ids[-1]}"]
            self._collection.insert_one({
                "_id": ids[-1], "status": "scheduled", "start_us": time.time_ns() // 1000, "log": [[0, "requested"], [0, "scheduled"]],
                "links": links, "parameters": self._parameters, "context": self._parameters, "action_ref": "core.noop",
            })  # fmt: skip
        for _ in range(shape.work):
            self._producer.publish({"id": str(ids[-1])}, exchange=self._work.exchange, routing_key=self._work.name, delivery_mode=2)
        for _ in range(shape.fanout):
            self._producer.publish(self._event, exchange=self._events.exchange, routing_key="", delivery_mode=1)
        while self._taken < shape.work + shape.fanout:
            self._connection.drain_events(timeout=10)
        for number in range(shape.updates):
            if number == shape.updates - 1:
                _start_process(shape.process)
            status = _FINAL if number else "running"
            change = {"$set": {"status": status, "result": self._parameters}, "$push": {"log": [0, status]}}
            self._collection.update_one({"_id": ids[number % len(ids)], "status": {"$ne": _FINAL}}, change)

    def prepare(self) -> None:
        """The indexes that executions have."""
        for index in ("start_us", [("action_ref", 1), ("start_us", 1)], [("status", 1), ("start_us", 1)], "links"):
            self._collection.create_index(index)

    def clear(self) -> None:
        """Leave nothing behind."""
        self._client.drop_database("st2_floor")
        with contextlib.suppress(Exception):
            self._work(self._connection.default_channel).delete()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        self._client.close()


def _start_process(kind: str | None) -> None:
    if kind == "echo":
        subprocess.run(["/bin/sh", "-c", "echo hello"], capture_output=True, check=True)
    elif kind == "fork":
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"{}")
            os._exit(0)
        os.close(writer)
        os.read(reader, 100)
        os.close(reader)
        os.waitpid(child, 0)


def serial(database_url: str, broker_url: str, shape: Shape, count: int) -> list[float]:
    """Seconds of each of ``count`` rounds, one after another."""
    round_ = Round(database_url, broker_url, f"floor-{uuid.uuid4().hex[:8]}")
    try:
        round_.prepare()
        taken = []
        for number in range(count + 3):
            began = time.perf_counter()
            round_.run(shape)
            if number >= 3:
                taken.append(time.perf_counter() - began)
        return taken
    finally:
        round_.clear()
        round_.close()


def _share(database_url: str, broker_url: str, shape: Shape, count: int) -> tuple[float, float]:
    round_ = Round(database_url, broker_url, f"floor-{uuid.uuid4().hex[:8]}")
    round_.prepare()
    round_.run(shape)
    began = time.time()
    for _ in range(count):
        round_.run(shape)
    ended = time.time()
    round_.clear()
    round_.close()
    return began, ended


def rate(database_url: str, broker_url: str, shape: Shape, count: int) -> float:
    """Rounds per second of four processes together."""
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        spans = [pool.submit(_share, database_url, broker_url, shape, count // _PROCESSES) for _ in range(_PROCESSES)]
        times = [span.result() for span in spans]
    return count // _PROCESSES * _PROCESSES / (max(end for _, end in times) - min(begin for begin, _ in times))
