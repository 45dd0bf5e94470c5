"""Filters and events of the stream, without servers."""

from __future__ import annotations

import orjson

from st2api.stream.events import StreamEvent, liveaction_form, output_events
from st2api.stream.filters import DEFAULT_EVENTS, Filter, parse_filter


def _event(name: str, **more: str) -> StreamEvent:
    return StreamEvent(name, b"", **more)


def test_parse__empty_counts_as_absent__blanks_and_repeats_go() -> None:
    assert parse_filter({"events": "", "action_refs": " "}) == Filter()
    assert parse_filter({"events": "st2.a, st2.b,st2.a"}).events == ("st2.a", "st2.b")
    assert parse_filter({"action_refs": "b.b,a.a"}) == parse_filter({"action_refs": "a.a,b.b"})


def test_defaults__neither_output_nor_aliases() -> None:
    usual = Filter()
    for name in ("st2.announcement__hubot", "st2.execution__update", "st2.liveaction__delete"):
        assert usual.passes(_event(name))
    for name in ("st2.execution.output__create", "st2.actionalias__create", "st2.execution__other"):
        assert not usual.passes(_event(name))
    assert usual.events == DEFAULT_EVENTS


def test_globs__as_the_shell_reads_them__case_counts() -> None:
    assert Filter(("st2.execution__[cu]*",)).passes(_event("st2.execution__create"))
    assert not Filter(("st2.execution__[cu]*",)).passes(_event("st2.execution__delete"))
    assert not Filter(("ST2.*",)).passes(_event("st2.execution__create"))


def test_end__only_that_event_about_that_execution_when_completed() -> None:
    filter = Filter(end_execution_id="e", end_event="st2.execution__update")
    assert filter.ends_with(_event("st2.execution__update", about="e", status="succeeded"))
    assert not filter.ends_with(_event("st2.execution__update", about="e", status="running"))
    assert not filter.ends_with(_event("st2.execution__update", about="x", status="succeeded"))
    assert not filter.ends_with(_event("st2.execution__create", about="e", status="succeeded"))
    assert "st2.execution__update" in filter.watched
    assert not Filter().ends_with(_event("st2.execution__update", status="succeeded"))


def test_output__a_line_each__only_newlines_divide() -> None:
    events = list(output_events("e", "p.a", "r", [[1, "stdout", "a\u2028b\r\nc\x0bd"], [1, "stderr", ""], [2, "stdout", "\n\n"]]))
    data = [orjson.loads(event.frame.split(b"data: ")[1]) for event in events]
    assert [item["data"] for item in data] == ["a\u2028b\r\n", "c\x0bd", "\n", "\n"]
    assert len({event.key for event in events}) == 4 and all(len(event.key or "") == 24 for event in events)
    again = list(output_events("e", "p.a", "r", [[1, "stdout", "a\u2028b\r\nc\x0bd"]]))
    assert [event.key for event in again] == [event.key for event in events[:2]]


def test_working_record__result_as_text__no_end_before_the_end() -> None:
    form = {"id": "e", "status": "running", "start_timestamp": "t", "liveaction": {"id": "l", "action": "p.a"}}
    assert liveaction_form(form) == {"id": "l", "action": "p.a", "status": "running", "start_timestamp": "t", "context": {}}
    done = liveaction_form({**form, "end_timestamp": "u", "result": {"a": [1]}})
    assert done["end_timestamp"] == "u" and done["result"] == '{"a":[1]}'
