"""``GET /executions/{id}/output`` of the stream service (api.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from st2common import states
from tests.integration.service_process import ServiceProcess
from tests.integration.stream.conftest import Source

Listen = Callable[..., Any]


def _path(id: str) -> str:
    return f"/v1/executions/{id}/output"


def _texts(events: list[tuple[str, Any]]) -> list[str]:
    assert events[-1] == ("EOF", "''")
    return [data["data"] for _, data in events[:-1]]


def test_finished__all_and_eof_at_once(listen: Listen, source: Source) -> None:
    id = source.execution()
    source.output(id, [[1, "stdout", "one\n"]], 0, is_told=False)
    source.finish(id, {}, output=[[2, "stderr", "two\nthree"]])
    with listen(_path(id)) as reader:
        events = reader.rest()
    assert _texts(events) == ["one\n", "two\n", "three"]
    assert {key: value for key, value in events[1][1].items() if key != "id"} == {
        "execution_id": id, "action_ref": "core.local", "runner_ref": "local-shell-cmd", "timestamp": "1970-01-01T00:00:00.000002Z",
        "output_type": "stderr", "data": "two\n",
    }  # fmt: skip


def test_running__what_was_then_what_comes__each_line_once(listen: Listen, source: Source) -> None:
    id = source.execution()
    source.output(id, [[1, "stdout", "a\n"], [1, "stdout", "a\n"]], 0, is_told=False)
    with listen(_path(id)) as reader:
        assert [reader.next()[1]["data"], reader.next()[1]["data"]] == ["a\n", "a\n"]
        source.publish({"event": "st2.execution.output__create", "execution_id": id, "chunks": [[1, "stdout", "a\n"], [1, "stdout", "a\n"]]})
        source.output(id, [[2, "stdout", "b\nc\n"]], 1)
        assert [reader.next()[1]["data"], reader.next()[1]["data"]] == ["b\n", "c\n"]
        source.finish(id, {}, output=[[3, "stdout", "d"]])
        assert _texts(reader.rest()) == ["d"]


def test_lost_message__costs_no_output(listen: Listen, source: Source) -> None:
    id = source.execution()
    with listen(_path(id)) as reader:
        source.output(id, [[1, "stdout", "a\n"]], 0, is_told=False)
        assert reader.next()[1]["data"] == "a\n"  # found at the heartbeat
        source.output(id, [[2, "stdout", "b\n"]], 1, is_told=False)
        source.finish(id, {})
        assert _texts(reader.rest()) == ["b\n"]


@pytest.mark.parametrize("status", [states.PAUSING, states.RESUMING])
def test_pausing_and_resuming__end_the_stream(listen: Listen, source: Source, status: str) -> None:
    id = source.execution()
    with listen(_path(id)) as reader:
        assert source.platform.store.executions.transition(id, status, sources=[states.RUNNING])
        source.say(id)
        assert _texts(reader.rest()) == []


def test_output_type_and_last(listen: Listen, source: Source) -> None:
    id = source.execution()
    source.finish(id, {}, output=[[1, "stdout", "out\n"], [2, "stderr", "err\n"]])
    with listen("/executions/last/output", output_type="stderr") as reader:
        assert _texts(reader.rest()) == ["err\n"]
    with listen("/executions/last/output", output_type="all") as reader:
        assert _texts(reader.rest()) == ["out\n", "err\n"]


@pytest.mark.parametrize("id", ["6b02e4d9560fca4c7ce40000", "nonsense"])
def test_unknown__404(stream: ServiceProcess, id: str) -> None:
    answer = requests.get(stream.url + _path(id), timeout=10)
    assert (answer.status_code, answer.json()) == (404, {"faultstring": f'Unable to identify resource with id "{id}".'})
