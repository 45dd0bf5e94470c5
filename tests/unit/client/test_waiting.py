"""Waiting for executions: polls, stream, fall-back. Time is counted, not spent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from st2client.client import Client
from st2client.waiting import FIRST_POLLS_S, POLL_STEPS_S, EventFeed, ExecutionWaiter, is_over, wait_for_execution


class Time:
    """A clock that moves only when somebody pauses."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


class Executions:
    """Statuses in the order they are looked at; the last one stays."""

    def __init__(self, *statuses: str, stream: Any = None) -> None:
        self.statuses = list(statuses)
        self.looks = 0
        self.stream = stream

    def get_by_id(self, id: str, params: Any = None, **_: Any) -> Any:
        self.looks += 1
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return None if status == "gone" else SimpleNamespace(id=id, status=status)


class Stream:
    """Events a test lets through."""

    def __init__(self, produce: Callable[[Callable[[Any], None]], Iterator[tuple[str, Any]]]) -> None:
        self.produce = produce
        self.asked: dict[str, Any] = {}

    def listen_named(self, events: Any, on_open: Any = None, **asked: Any) -> Iterator[tuple[str, Any]]:
        self.asked = {"events": events, **asked}
        return self.produce(on_open)


def waiter(executions: Any, time: Time, **options: Any) -> ExecutionWaiter:
    return ExecutionWaiter(executions, "e", clock=time.clock, pause=time.pause, **options)


def test_short_execution__is_noticed_by_the_first_polls() -> None:
    time = Time()
    assert waiter(Executions("running", "running", "succeeded"), time).wait().status == "succeeded"
    assert time.pauses == list(FIRST_POLLS_S[:3])


def test_without_stream__steps_grow() -> None:
    time = Time()
    rounds = len(FIRST_POLLS_S) + len(POLL_STEPS_S)
    waiter(Executions(*["running"] * rounds, "failed"), time).wait()
    assert time.pauses[: rounds + 1] == [*FIRST_POLLS_S, *POLL_STEPS_S, POLL_STEPS_S[0]]


@pytest.mark.parametrize("status", ["succeeded", "failed", "timeout", "canceled", "abandoned", "pending", "paused", "pausing"])
def test_statuses_that_end_the_wait(status: str) -> None:
    assert is_over(status, 0.0)


def test_delayed__is_waited_for_as_long_as_upstream_would_not_see_it() -> None:
    assert not is_over("delayed", 1.5)
    assert is_over("delayed", 2.0)


def test_timeout_and_unknown_execution() -> None:
    with pytest.raises(TimeoutError, match="still running"):
        waiter(Executions("running"), Time()).wait(timeout_s=0.5)
    with pytest.raises(LookupError, match="e not found"):
        waiter(Executions("gone"), Time()).wait()


def test_stream__the_final_event_ends_the_wait() -> None:
    looked = threading.Event()

    def produce(on_open: Callable[[Any], None]) -> Iterator[tuple[str, Any]]:
        on_open(SimpleNamespace(close=lambda: None))
        yield "st2.execution__update", {"id": "other", "status": "failed"}
        yield "st2.execution__update", {"id": "e", "status": "running"}
        looked.wait(5)
        executions.statuses = ["succeeded"]
        yield "st2.execution__update", {"id": "e", "status": "succeeded"}

    stream = Stream(produce)
    executions = Executions("running", stream=stream)
    ticks: list[float] = []

    def tick(execution: Any, waited_s: float) -> None:
        ticks.append(waited_s)
        if executions.looks > len(FIRST_POLLS_S):
            looked.set()

    assert waiter(executions, Time(), on_tick=tick, tick_s=0.01).wait().status == "succeeded"
    assert stream.asked["execution_ids"] == "e" and stream.asked["end_execution_id"] == "e"
    assert ticks


def test_stream__that_breaks__polling_goes_on() -> None:
    def produce(on_open: Callable[[Any], None]) -> Iterator[tuple[str, Any]]:
        raise OSError("no stream")
        yield

    executions = Executions(*["running"] * (len(FIRST_POLLS_S) + 3), "succeeded", stream=Stream(produce))
    time = Time()
    assert waiter(executions, time).wait().status == "succeeded"
    assert len(time.pauses) > len(FIRST_POLLS_S)


def test_feed__close_lets_go_of_the_stream() -> None:
    closed = threading.Event()

    def produce(on_open: Callable[[Any], None]) -> Iterator[tuple[str, Any]]:
        on_open(SimpleNamespace(close=closed.set))
        closed.wait(5)
        return iter(())

    feed = EventFeed(produce)
    assert feed.get(5) is EventFeed.OPENED
    feed.close()
    assert closed.wait(5)
    assert feed.get(5) is EventFeed.ENDED
    assert feed.get(0) is None


def test_library__wait() -> None:
    assert wait_for_execution(Executions("running", "succeeded"), "e", timeout_s=5).status == "succeeded"


def test_feed__close_does_not_wait_for_a_silent_stream(clean_environment: Any) -> None:
    """A stream may say nothing for half a minute; who gives up waiting must not wait for its next word."""
    silent = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n")
        silent.wait(20)
        connection.close()

    threading.Thread(target=accept, daemon=True).start()
    client = Client(stream_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    feed = EventFeed(lambda on_open: client.managers["Stream"].listen_named(["x"], on_open=on_open))
    assert feed.get(5) is EventFeed.OPENED
    feed.close()
    assert feed.get(5) is EventFeed.ENDED
    silent.set()
    listener.close()
