"""Tables and text as recorded (cli.md 3 and 9)."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from st2client import config
from st2client.commands.execution_output import status_with_elapsed, task_rows, workflow_attributes
from st2client.formatters import doc, graph, table, text
from st2client.utils import color, date, jsutil, schema


@pytest.fixture(autouse=True)
def plain_terminal(clean_environment: Any) -> None:
    config.set_config({})


def test_many__recorded_execution_list() -> None:
    row = {
        "action": {"ref": "core.local"},
        "context": {"user": "root"},
        "start_timestamp": "2026-11-22T13:36:27Z",
        "end_timestamp": "2026-11-22T13:36:27Z",
    }
    entries = [
        {**row, "id": "6b02efdbacea043771a47df0", "status": "succeeded (0s elapsed)"},
        {**row, "id": "6b02efdeacea043771a47df5", "status": "succeeded (0s elapsed)"},
    ]
    times = dict.fromkeys(("start_timestamp", "end_timestamp"), date.format_isodate_for_user_timezone)
    names = ["id", "action.ref", "context.user", "status", "start_timestamp", "end_timestamp"]
    assert table.many(entries, names, transforms=times).splitlines()[:7] == [
        "+--------------------------+------------+--------------+------------------------+-----------------+---------------+",
        "| id                       | action.ref | context.user | status                 | start_timestamp | end_timestamp |",
        "+--------------------------+------------+--------------+------------------------+-----------------+---------------+",
        "| 6b02efdbacea043771a47df0 | core.local | root         | succeeded (0s elapsed) | Sun, 22 Nov     | Sun, 22 Nov   |",
        "|                          |            |              |                        | 2026 13:36:27   | 2026 13:36:27 |",
        "|                          |            |              |                        | UTC             | UTC           |",
        "| 6b02efdeacea043771a47df5 | core.local | root         | succeeded (0s elapsed) | Sun, 22 Nov     | Sun, 22 Nov   |",
    ]


def test_many__recorded_rule_list_breaks_at_hyphens() -> None:
    entry = {
        "ref": "default.sample",
        "trigger": {"ref": "core.b473deba-84c5-48e7-af68-6edf0777b2a1"},
        "action": {"ref": "core.local"},
        "enabled": True,
    }
    assert table.many([entry], ["ref", "trigger.ref", "action.ref", "enabled"]).splitlines()[3:5] == [
        "| default.sample | core.b473deba-84c5-48e7-af68-  | core.local | True    |",
        "|                | 6edf0777b2a1                   |            |         |",
    ]


def test_many__long_words_are_cut_and_dicts_are_python() -> None:
    entry = {
        "id": "6b02e4db560fca4c7ce40af7",
        "uid": "trigger:core:e45291af-4303-4ae7-95ef-",
        "pack": "core",
        "name": "e45291af",
        "type": "core.st2.IntervalTimer",
        "parameters": {"delta": 5, "unit": "hours"},
    }
    lines = table.many([entry], list(entry)).splitlines()
    assert lines[3] == "| 6b02e4db560fca4c7ce40af7 | trigger:core:e4 | core | e45291af | core.st2.Interv | {'delta': 5,    |"
    assert lines[4] == "|                          | 5291af-4303-    |      |          | alTimer         | 'unit':         |"


@pytest.mark.parametrize(
    ("value", "dotted", "shown"),
    [
        (None, False, "None"), (None, True, ""), ([], False, ""), (["a", "b"], False, "a, b"), ([1, 2], False, "[1, 2]"),
        ({"a": 1}, False, "{'a': 1}"), (True, False, "True"),
    ],
)  # fmt: skip
def test_cell_text(value: Any, dotted: bool, shown: str) -> None:
    assert table.cell_text(value, dotted=dotted) == shown


def test_many__widths() -> None:
    entries = [{"a": "x" * 40, "b": "y"}]
    assert table.column_widths(["a", "b"], entries, [10], 120) == [10, 10]
    assert table.column_widths(["a", "b"], entries, [10, 5], 120) == [10, 5]
    assert table.column_widths(["a", "b", "c"], entries, [10, 5], 120) == [28, 28, 28]
    assert table.column_widths(["id", "status", "b"], [{"id": "i" * 30}], None, 120) == [30, 24, 30]


def test_properties__display_order_first_then_by_name() -> None:
    entry = {"zeta": 1, "name": "n", "alpha": {"b": [1]}, "empty": {}, "none": None, "id": "i"}
    lines = table.properties(entry, ["all"], ["id", "name"]).splitlines()
    assert [line.split("|")[1].strip() for line in lines[3:-1]] == ["id", "name", "alpha", "", "", "", "", "empty", "none", "zeta"]
    assert lines[6:8] == ['|          |     "b": [ |', "|          |         1  |"]


def test_labels__nested_values_are_yaml_and_missing_is_none() -> None:
    entry = {"id": "1", "log": [{"status": "requested", "timestamp": "T"}], "result": "{'a': [1, 2]}", "parameters": {"password": "x", "n": 1}}
    assert text.labels(entry, ["id", "log", "result", "nope", "end_timestamp", "parameters"]) == (
        "id: 1\nlog:\n  - status: requested\n    timestamp: T\nresult:\n  a:\n  - 1\n  - 2\nnope: None\nend_timestamp: \n"
        "parameters:\n  n: 1\n  password: '********'"
    )


def test_key_of_result__dotted_and_indexed() -> None:
    entry = {"result": {"a": {"b": [{"c d": 1}, {"c d": 2}]}, "stdout": "hi"}}
    assert text.key_of_result(entry, "stdout") == "hi"
    assert text.key_of_result(entry, "a.b[1]['c d']") == "2"
    assert text.key_of_result(entry, "a.b[*]['c d']") == "[1, 2]"
    assert text.key_of_result(entry, "a.b[0]") == "{'c d': 1}"
    assert text.key_of_result(entry, "a.x") == "None"


def test_kvps__dotted_names_are_nested_and_nulls_left_out() -> None:
    document = {"a": {"b": 1, "c": None}, "d": None, "e": False}
    assert jsutil.get_kvps(document, ["a.b", "a.c", "d", "e", "f"]) == {"a": {"b": 1}, "e": False}


def test_documents__sorted_and_indented() -> None:
    assert doc.to_json({"b": "ä", "a": 1}) == '{\n    "a": 1,\n    "b": "\\u00e4"\n}'
    assert doc.to_yaml({"b": {"c": 1}, "a": [1]}) == "a:\n- 1\nb:\n    c: 1"
    assert doc.to_yaml({"out": "a\nb"}, for_people=True) == "out: |-\n    a\n    b"


def test_times__zone_of_the_configuration() -> None:
    config.set_config({"cli": {"timezone": "Asia/Tokyo"}})
    assert date.format_isodate_for_user_timezone("2026-11-22T13:02:55.123456Z") == "Sun, 22 Nov 2026 22:02:55 JST"
    config.set_config({"cli": {"timezone": "Nowhere/Land"}})
    with pytest.raises(ValueError, match="Nowhere/Land"):
        date.format_isodate_for_user_timezone("2026-11-22T13:02:55Z")


def test_status__elapsed_only_where_times_are_known() -> None:
    times = {"start_timestamp": "2026-11-22T13:00:00Z", "end_timestamp": "2026-11-22T13:00:02.9Z"}
    assert status_with_elapsed({"status": "succeeded", **times}) == "succeeded (2s elapsed)"
    assert status_with_elapsed({"status": "succeeded"}) == "succeeded"
    assert status_with_elapsed({"status": "paused", **times}) == "paused"


def test_task_rows__levels_and_marks() -> None:
    children = [
        {"id": "a", "parent": "root", "children": ["b"], "status": "running", "action": {"ref": "p.wf"}},
        {"id": "b", "parent": "a", "status": "running", "action": {"ref": "p.x"}, "context": {"chain": {"name": "c1"}}},
        {"id": "c", "parent": "root", "status": "running", "action": {"ref": "p.y"}, "context": {"orquesta": {"task_name": "t"}}},
    ]
    assert [(row["id"], row["task"]) for row in task_rows(children, "root")] == [("+ a", None), ("   b", "c1"), ("  c", "t")]


def test_workflow_attributes__error_and_last_task() -> None:
    start, end = ["id", "action.ref", "parameters", "status"], ["start_timestamp", "end_timestamp", "log"]
    entry, names = workflow_attributes({"status": "failed", "result": {"error": "boom", "traceback": "tb"}})
    assert names == [*start, "error", "traceback", *end, "result"]
    assert (entry["error"], entry["result"]) == ("boom", "See error and traceback.")
    task_result = {"stderr": "no such file", "failed": True}
    entry, names = workflow_attributes({"status": "failed", "result": {"tasks": [{"name": "x", "result": task_result}]}})
    assert names == [*start, "result_task", "result", "error", "traceback", "failed_on", *end]
    assert (entry["failed_on"], entry["error"], entry["traceback"], entry["result"]) == ("x", "no such file", None, task_result)
    entry, names = workflow_attributes({"status": "succeeded", "result": {"tasks": [{"name": "x", "result": 1}]}})
    assert (entry["result_task"], entry["result"], names) == ("x", 1, [*start, "result_task", "result", *end])
    assert workflow_attributes({"status": "canceled", "result": {"tasks": [{"name": "x", "result": None}]}})[1] == [*start, *end]


def test_escapes__undone_in_tables_and_text_as_recorded() -> None:
    entry = {"out": 'a\\nb "c"\r', "nested": {"cmd": 'echo "x"'}}
    assert "| nested   | {                     |" in table.properties(entry, ["all"])
    assert 'echo "x""' in table.properties(entry, ["all"])
    assert text.labels(entry, ["out"]) == 'out: a\nb "c"'


def test_many__all_columns_may_fill_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert "x" * 90 in table.many([{"a": "x" * 90, "b": "y"}], ["all"])
    assert "x" * 29 not in table.many([{"a": "x" * 90, "b": "y", "c": ""}], ["all", "b"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour__only_at_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert color.paint_status("failed") == "failed"
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert color.paint_status("failed (2s elapsed)") == "\x1b[91mfailed (2s elapsed)\x1b[0m"
    for variable in ("NO_COLOR", "ST2_COLORIZE"):
        monkeypatch.setenv(variable, "1")
        assert color.paint_status("failed") == "failed"
        monkeypatch.delenv(variable)


def test_table_at_a_terminal__fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stdout", Terminal())
    drawn = table.many([{"id": "6b02e4db560fca4c7ce40af7", "description": "word " * 30}], ["id", "description"])
    assert max(len(line) for line in drawn.splitlines()) <= 60
    assert "6b02e4db560fca4c7ce40af7" in drawn


def test_schema__suggested_from_a_result() -> None:
    assert schema.schema_of({"a": [1], "b": None}) == {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "b": {"type": "null"}},
    }
    box = schema.render_output_schema_from_output({"a": 1.5}).splitlines()
    assert box[0] == box[-1] and set(box[0]) == {"+", "-"}


GRAPH = {
    "nodes": [
        {"id": "a", "task": "a", "status": "succeeded", "type": "task", "execution_id": "1"},
        {"id": "b", "task": "b", "status": None, "type": "task", "execution_id": None},
        {"id": "c", "task": "c", "status": None, "type": "join", "execution_id": None},
    ],
    "edges": [
        {"source": "a", "target": "b", "condition": "<% succeeded() %>", "do": "b"},
        {"source": "a", "target": "c", "condition": None, "do": "c"},
        {"source": "b", "target": "c", "condition": None, "do": "c"},
    ],
}


def test_graph__text_draws_joins_once() -> None:
    assert graph.to_text(GRAPH) == "a [succeeded] 1\n├─ <% succeeded() %> → b\n│  └─→ c (join)\n└─→ c (join) …"


def test_graph__mermaid() -> None:
    assert graph.to_mermaid(GRAPH).splitlines() == [
        "flowchart TD",
        '    n0["a<br/>succeeded"]:::succeeded',
        '    n1["b"]',
        '    n2["c"]',
        '    n0 -->|"#60;% succeeded() %#62;"| n1',
        "    n0 --> n2",
        "    n1 --> n2",
        "    classDef succeeded fill:#d4edda,stroke:#28a745",
    ]
