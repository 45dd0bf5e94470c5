"""``GET /stream`` over a real database and every broker (api.md section 5)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import requests

from st2common.states import DELAYED
from tests.integration.service_process import ServiceProcess
from tests.integration.stream.conftest import Source

Listen = Callable[..., Any]
MARK = "st2.announcement__mark"


def test_headers__first_bytes_are_a_newline(stream: ServiceProcess) -> None:
    with requests.get(stream.url + "/stream", stream=True, timeout=10, headers={"X-Request-ID": "abc"}) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/event-stream; charset=UTF-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["X-Request-ID"] == "abc"
        assert answer.headers["Access-Control-Allow-Origin"]
        assert next(answer.iter_content(None)) == b"\n"


def test_unrouted__404__options__200(stream: ServiceProcess) -> None:
    for method, path in (("GET", "/"), ("GET", "/v1/nosuch"), ("POST", "/v1/stream"), ("PUT", "/v1/executions/x/output")):
        answer = requests.request(method, stream.url + path, timeout=10)
        assert (answer.status_code, answer.json()) == (404, {"faultstring": "The resource could not be found."})
    assert requests.options(stream.url + "/v1/nosuch", timeout=10).status_code == 200
    assert requests.get(stream.url + "/healthz", timeout=10).json()["status"] == "ok"


def test_execution_events__full_and_masked__with_the_working_record(listen: Listen, source: Source) -> None:
    with listen() as reader:
        id = source.execution(parameters={"cmd": "x", "password": "hush"})
        source.say(id, "create")
        source.finish(id, {"stdout": "one"})
        name, created = reader.next()
        assert name == "st2.execution__create"
        assert created["id"] == id and created["action"]["ref"] == "core.local" and created["runner"]["name"] == "local-shell-cmd"
        assert created["parameters"] == {"cmd": "x", "password": "********"}
        name, old = reader.next()
        assert name == "st2.liveaction__create"
        assert old["action"] == "core.local" and old["status"] == "running" and old["id"] == created["liveaction"]["id"]
        assert old["parameters"]["password"] == "********" and "result" not in old
        ended, old = reader.until("st2.execution__update"), reader.until("st2.liveaction__update")
        assert ended["result"] == {"stdout": "one"} and ended["status"] == "succeeded"
        assert json.loads(old["result"]) == {"stdout": "one"} and old["end_timestamp"] == ended["end_timestamp"]


def test_defaults__output_and_aliases_must_be_asked_for(listen: Listen, source: Source) -> None:
    alias = {"event": "st2.actionalias__create", "form": {"name": "say"}}
    id = source.execution()
    with listen() as usual, listen(events="st2.actionalias__*,st2.execution.output__create") as special:
        source.publish(alias)
        source.output(id, [[1, "stdout", "a\nb\n"]], 0)
        source.announce("mark", n=1)
        assert usual.next() == (MARK, {"payload": {"n": 1}, "trace_context": None})
        assert special.next() == ("st2.actionalias__create", {"name": "say"})
        lines = [special.next(), special.next()]
        assert [data["data"] for _, data in lines] == ["a\n", "b\n"]
        assert lines[0][1]["timestamp"] == "1970-01-01T00:00:00.000001Z" and len({data["id"] for _, data in lines}) == 2


def test_action_refs__drops_other_actions_and_events_without_one(listen: Listen, source: Source) -> None:
    id = source.execution()
    with listen(action_refs="core.noop") as other, listen(action_refs="core.noop,core.local") as mine:
        source.announce("mark")
        source.say(id)
        assert [mine.next()[0], mine.next()[0]] == ["st2.execution__update", "st2.liveaction__update"]
        assert _is_silent(other)


def test_execution_ids__drops_working_records_and_announcements(listen: Listen, source: Source) -> None:
    id, stranger = source.execution(), source.execution()
    with listen(execution_ids=id, events="st2.*") as reader:
        source.announce("mark")
        source.say(stranger)
        source.say(id)
        source.output(id, [[1, "stdout", "x\n"]], 0)
        assert [reader.next()[0], reader.next()[0]] == ["st2.execution__update", "st2.execution.output__create"]


def test_end__after_the_completed_event__which_is_still_sent(listen: Listen, source: Source) -> None:
    id = source.execution()
    with listen(end_execution_id=id, end_event="st2.execution__update", events="st2.execution__update") as reader:
        source.say(id)
        source.finish(id, {})
        source.announce("mark")
        assert [data["status"] for _, data in reader.rest()] == ["running", "succeeded"]


def test_end__when_that_event_does_not_pass(listen: Listen, source: Source) -> None:
    id = source.execution()
    with listen(end_execution_id=id, end_event="st2.execution__update", events="st2.announcement__*") as reader:
        source.finish(id, {})
        assert reader.rest() == []


def test_heartbeat__newline_after_silence(stream: ServiceProcess) -> None:
    with requests.get(stream.url + "/v1/stream", params={"events": "st2.none"}, stream=True, timeout=20) as answer:
        pieces = answer.iter_content(None)
        assert [next(pieces), next(pieces)] == [b"\n", b"\n"]


def test_route_with_line_breaks__cannot_make_fields_of_its_own(listen: Listen, source: Source) -> None:
    with listen() as reader:
        source.announce("a\ndata: forged\n\nevent: b")
        source.announce("mark")
        assert reader.next()[0] == "st2.announcement__a data: forged  event: b"
        assert reader.next()[0] == MARK


def test_slow_reader__is_told_and_closed__others_get_everything(stream: ServiceProcess, listen: Listen, source: Source) -> None:
    slow = socket.create_connection(("127.0.0.1", stream.port))
    slow.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200" in slow.recv(64)
    with listen() as quick:
        for first in range(0, 800, 50):  # fewer at a time than the queue holds, so that only who does not read at all is too slow
            for number in range(first, first + 50):
                source.announce("mark", n=number, text="x" * 20_000)
            assert [quick.next()[1]["payload"]["n"] for _ in range(50)] == list(range(first, first + 50))
        slow.settimeout(15)
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            data = slow.recv(1 << 20)
            assert data, "closed without last words"
            received = received[-4096:] + data
        assert b"event: st2.stream__dropped\ndata: {" in received
    slow.close()


def test_children_of_a_workflow__are_in_its_events(listen: Listen, source: Source) -> None:
    parent, child = source.execution(), source.execution(status=DELAYED)
    executions = source.platform.store.executions
    executions.set_fields(parent, {"is_workflow": True})
    executions.set_fields(child, {"parent": parent, "links": [f"parent:{parent}"]})
    with listen() as reader:
        source.say(parent)
        assert reader.until("st2.execution__update")["children"] == [child]


def test_sigterm__ends_streams_and_process(database_url: str, valkey_url: str, tmp_path: Any) -> None:
    with ServiceProcess("st2api.stream.main", "stream", tmp_path, database_url, valkey_url, {"auth": {"enable": "false"}}) as service:
        with requests.get(service.url + "/v1/stream", stream=True, timeout=20) as answer:
            pieces = answer.iter_content(None)
            assert next(pieces) == b"\n"
            began = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - began < 8  # less than the grace period: nothing had to be cut off
            assert list(pieces) == []


def test_authentication__by_header_query_and_not_at_all(database_url: str, valkey_url: str, tmp_path: Any) -> None:
    from st2common.platform import Platform

    with ServiceProcess("st2api.stream.main", "stream", tmp_path, database_url, valkey_url) as service:
        platform = Platform(service.config)
        token, _ = platform.store.tokens.create("ann", 60)
        key, _ = platform.store.api_keys.create("ann")
        refused = requests.get(service.url + "/v1/stream", timeout=10)
        assert (refused.status_code, refused.json()) == (401, {"faultstring": "Unauthorized - One of Token or API key required."})
        assert requests.get(service.url + "/v1/executions/x/output", timeout=10).status_code == 401
        for query, headers in (({"x-auth-token": token}, {}), ({"st2-api-key": key}, {}), ({}, {"X-Auth-Token": token}), ({}, {"St2-Api-Key": key})):
            with requests.get(service.url + "/v1/stream", params=query, headers=headers, stream=True, timeout=10) as answer:
                assert answer.status_code == 200
        platform.store.database.client.drop_database(platform.config.database.db_name)
        platform.close()


def _is_silent(reader: Any) -> bool:
    import queue

    try:
        reader.next(0.5)
    except queue.Empty:
        return True
    return False
