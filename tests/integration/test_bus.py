"""The bus over every supported broker: the same promises, whichever URL is configured."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from st2common.bus import CONTROL, EVENTS, EXECUTIONS_FINISHED, TRIGGER_INSTANCES, WORK, Bus, Consumer, Delivery
from st2common.bus.topology import TOPOLOGY
from st2common.config import Config
from st2common.ctl.servers import free_port
from st2common.exceptions import Unavailable
from st2common.sweeping import Patience
from tests.running import RabbitMq, Valkey, rabbitmq_binary, wait_until


def a_config(url: str, prefix: str) -> Config:
    config = Config()
    config.messaging.url = url
    config.messaging.prefix = prefix
    return config


@pytest.fixture
def config(bus_url: str) -> Config:
    """A part of the broker of one's own."""
    return a_config(bus_url, f"t{ObjectId()}")


@pytest.fixture
def bus(config: Config) -> Iterator[Bus]:
    made = Bus(config)
    made.declare()
    yield made
    made.close()


class Reader:
    """Collects what a consumer gets."""

    def __init__(self, bus: Bus, channel: Any, handle: Callable[[list[Delivery]], None] | None = None, **options: Any) -> None:
        self.messages: list[Any] = []
        self.sizes: list[int] = []
        self._handle = handle
        self.consumer = Consumer(bus, channel, self._take, **options)

    def _take(self, deliveries: list[Delivery]) -> None:
        if self._handle is not None:
            self._handle(deliveries)
        self.sizes.append(len(deliveries))
        self.messages += [delivery.message for delivery in deliveries]

    def __enter__(self) -> Reader:
        self.consumer.start()
        assert self.consumer.connected.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.consumer.stop()

    def wait_for(self, count: int, seconds: float = 15) -> list[Any]:
        wait_until(lambda: len(self.messages) >= count, seconds, f"{count} messages (there are {len(self.messages)})")
        return self.messages


def test_work__waits_for_a_reader__keeps_the_order(bus: Bus) -> None:
    bus.publish(WORK, *({"id": number} for number in range(50)))
    wait_until(lambda: bus.depth(WORK) == 50, 5, "all wait")
    with Reader(bus, WORK, batch=10) as reader:
        assert reader.wait_for(50) == [{"id": number} for number in range(50)]
    assert bus.depth(WORK) == 0
    assert max(reader.sizes) <= 10


def test_work__each_message_is_taken_once__by_one_of_the_readers(bus: Bus) -> None:
    with Reader(bus, WORK) as first, Reader(bus, WORK) as second:
        bus.publish(WORK, *({"id": number} for number in range(100)))
        wait_until(lambda: len(first.messages) + len(second.messages) >= 100, 15, "all taken")
        time.sleep(0.2)
    taken = sorted(message["id"] for message in first.messages + second.messages)
    assert taken == list(range(100))
    assert first.messages and second.messages


def test_fanout__every_listener_gets_everything__nobody_is_fine(bus: Bus) -> None:
    bus.publish(EVENTS, {"n": 0})
    with Reader(bus, EVENTS) as first, Reader(bus, EVENTS) as second, Reader(bus, CONTROL) as other:
        bus.publish(EVENTS, {"n": 1}, {"n": 2})
        for reader in (first, second):
            assert reader.wait_for(2) == [{"n": 1}, {"n": 2}]
        assert other.messages == []


def test_messages__are_json_with_every_kind_of_text(bus: Bus) -> None:
    message = {"text": 'žluťoučký 🐎 " \\ \n\u0000', "deep": [{"a": [None, True, 1.5, 2**53]}], "empty": {}, "": ""}
    with Reader(bus, TRIGGER_INSTANCES) as reader:
        bus.publish(TRIGGER_INSTANCES, message, {"big": "x" * 1_000_000})
        assert reader.wait_for(2) == [message, {"big": "x" * 1_000_000}]


def test_handler__a_lost_database__the_same_batch_again_until_it_works(bus: Bus) -> None:
    attempts: list[list[Any]] = []

    def handle(deliveries: list[Delivery]) -> None:
        attempts.append([delivery.message["id"] for delivery in deliveries])
        if len(attempts) < 3:
            raise AutoReconnect("the database is away")

    with Reader(bus, WORK, handle, batch=5) as reader:
        bus.publish(WORK, {"id": 1})
        reader.wait_for(1)
    assert attempts == [[1], [1], [1]]
    assert bus.depth(WORK) == 0


def test_handler__a_poisonous_message__does_not_stop_the_others(bus: Bus) -> None:
    def handle(deliveries: list[Delivery]) -> None:
        if deliveries[0].message["id"] == "bad":
            raise ZeroDivisionError("a mistake of ours")

    with Reader(bus, WORK, handle) as reader:
        bus.publish(WORK, {"id": "bad"}, {"id": "good"})
        assert reader.wait_for(1) == [{"id": "good"}]
    assert bus.depth(WORK) == 0


def test_gate__a_busy_reader_takes_nothing(bus: Bus) -> None:
    free = threading.Event()
    with Reader(bus, WORK, gate=lambda: free.wait(0.05)) as reader:
        bus.publish(WORK, {"id": 1})
        time.sleep(0.5)
        assert reader.messages == []
        free.set()
        reader.wait_for(1)


def test_stop__a_message_not_yet_acknowledged__goes_to_the_next(bus: Bus) -> None:
    began, leave = threading.Event(), threading.Event()

    def handle(deliveries: list[Delivery]) -> None:
        began.set()
        leave.wait(5)
        raise AutoReconnect("stopping while the database is away")

    with Reader(bus, WORK, handle) as reader:
        bus.publish(WORK, {"id": 1})
        assert began.wait(10)
        reader.consumer._stop.set()
        leave.set()
    assert reader.messages == []
    with Reader(bus, WORK) as heir:
        assert heir.wait_for(1, 45) == [{"id": 1}]


_TAKE_AND_HANG = """
import os, sys, threading
from st2common.bus import Bus, Consumer, WORK
from st2common.config import load_config
bus = Bus(load_config(environ=os.environ))
def handle(deliveries):
    print("taken", flush=True)
    threading.Event().wait()
Consumer(bus, WORK, handle).start()
threading.Event().wait()
"""


def test_killed_reader__its_message_is_given_to_another(config: Config, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("st2common.bus.connection._RESTORE_EVERY", 2)
    environment = {**os.environ, "ST2_CONFIG_PATH": "/dev/null", "ST2_MESSAGING__URL": config.messaging.url, "ST2_MESSAGING__PREFIX": bus.prefix,
                   "PYTHONPATH": str(Path(__file__).resolve().parents[2])}  # fmt: skip
    if hasattr(config.messaging, "visibility_timeout"):
        config.messaging.visibility_timeout = 3
        environment["ST2_MESSAGING__VISIBILITY_TIMEOUT"] = "3"
    bus.publish(WORK, {"id": 1})
    process = subprocess.Popen([sys.executable, "-c", _TAKE_AND_HANG], env=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"taken\n"
    finally:
        process.kill()
        process.wait(10)
    other = Bus(config)
    with Reader(other, WORK) as heir:
        assert heir.wait_for(1, 60) == [{"id": 1}]
    other.close()


def test_concurrent_publishers__nothing_is_lost(bus: Bus) -> None:
    def publish(base: int) -> None:
        for number in range(25):
            bus.publish(EXECUTIONS_FINISHED, {"id": base + number})

    threads = [threading.Thread(target=publish, args=(base * 25,)) for base in range(8)]
    with Reader(bus, EXECUTIONS_FINISHED, batch=20) as reader:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(message["id"] for message in reader.wait_for(200)) == list(range(200))


def test_declare__again_and_again(bus: Bus) -> None:
    bus.declare()
    bus.declare()
    bus.ping()
    assert [row.name for row in TOPOLOGY if row.kind == "work" and bus.depth(row)] == []


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_no_broker__is_said_at_once(scheme: str) -> None:
    bus = Bus(a_config(f"{scheme}://127.0.0.1:{free_port()}//", "x"))
    with pytest.raises(Unavailable, match="does not answer"):
        bus.ping()
    with pytest.raises(Unavailable, match="not available"):
        bus.publish(WORK, {"id": 1}, attempts=2)
    bus.announce(EVENTS, {"n": 1})


def test_restart__rabbitmq__messages_and_connections_survive(tmp_path: Path) -> None:
    if rabbitmq_binary() is None:
        pytest.skip("RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)")
    with RabbitMq(tmp_path) as broker:
        _survives_a_restart(broker, Bus(a_config(broker.url, "r")))


def test_restart__embedded__messages_and_connections_survive(tmp_path: Path) -> None:
    with Valkey(tmp_path) as broker:
        _survives_a_restart(broker, Bus(a_config(broker.url, "r")))


def _survives_a_restart(broker: Any, bus: Bus) -> None:
    bus.declare()
    with Reader(bus, TRIGGER_INSTANCES) as reader:
        bus.publish(WORK, {"id": 1}, {"id": 2})
        time.sleep(1.2)  # Valkey writes its file to the disk every second
        broker.kill()
        with pytest.raises(Unavailable):
            bus.publish(WORK, {"id": "lost, and the publisher knows"}, attempts=1)
        broker.start()
        with Reader(bus, WORK) as worker:
            assert worker.wait_for(2, 30)[:2] == [{"id": 1}, {"id": 2}]
        bus.publish(TRIGGER_INSTANCES, {"id": 3})
        assert reader.wait_for(1, 30) == [{"id": 3}]
    bus.close()


def test_patience__waits_while_messages_wait__but_not_for_ever(bus: Bus) -> None:
    patience = Patience(bus, EXECUTIONS_FINISHED, WORK)
    assert not patience.wait()
    bus.publish(WORK, {"id": 1})
    wait_until(lambda: bus.depth(WORK) == 1, 5, "the message waits")
    assert [patience.wait() for _ in range(14)] == [*[True] * 6, False] * 2
    with Reader(bus, WORK) as reader:
        reader.wait_for(1)
        wait_until(lambda: bus.depth(WORK) == 0, 5, "the queue is empty")
    assert not patience.wait()
