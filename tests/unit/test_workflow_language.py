"""Reading definitions, inline parameters, places of findings, contexts, and action chains."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.expressions.evaluate import evaluate
from st2common.expressions.scope import Scope, Variables
from st2common.workflows import DefinitionError, inspect_text, parse
from st2common.workflows.chain import ChainFinished, ChainPaused, ChainRun, RunTask, Surroundings, Wait
from st2common.workflows.chain import parse as parse_chain
from st2common.workflows.contexts import Contexts
from st2common.workflows.errors import ChainError
from st2common.workflows.inline import parse_parameters, split_action
from st2common.workflows.transitions import CANCEL, PAUSE, TASK_DONE, TASK_FAILED, TASK_PAUSED, TASK_PENDING, TASK_RETRYING, Facts, advance
from st2common.workflows.values import as_json, merged


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('cmd="echo a; sleep 1" timeout=50', [("cmd", "echo a; sleep 1"), ("timeout", 50)]),
        ("l=[1, 2] d='{\"a\": 1}' t=TRUE n=null f=-1.5 w=plain", [("l", [1, 2]), ("d", {"a": 1}), ("t", True), ("n", None), ("f", -1.5)]),
        ("x=<% ctx().a b=1 %> y={{ z }}", [("x", "<% ctx().a b=1 %>"), ("y", "{{ z }}")]),
        ("nothing here", []),
    ],
)
def test_inline_parameters__each_form__typed(text: str, expected: list[Any]) -> None:
    assert parse_parameters(text) == expected


def test_inline_action__expression_with_blanks_in_its_name__stays_whole() -> None:
    assert split_action("core.<% ctx().x %> message=hi n=1") == ("core.<% ctx().x %>", {"n": 1})
    assert split_action("core.noop") == ("core.noop", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The spec cannot be type of None."),
        ("just words", "The spec is not type of json or yaml."),
        ("[1, 2]", "The spec is not type of json or yaml."),
        ("tasks: {a: {action: x.y, action: x.z}}", 'Failed to load workflow definition because found duplicate key "action".'),
    ],
)
def test_load__no_structure__upstreams_text(text: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    assert caught.value.message == message


def test_load__broken_yaml__line_and_column_of_the_break() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse("version: 1.0\ntasks:\n  t1: {action: core.noop\nx: ]\n")
    assert caught.value.line == 4 and caught.value.message.startswith("Failed to load workflow definition because ")


def test_inspect__finding__line_and_column_of_the_offending_key() -> None:
    text = "version: 1.0\ntasks:\n  t1:\n    action: core.noop\n    next:\n      - when: <% ctx().x %>\n        do: [t9]\n  t2:\n    foo: 1\n"
    places = {(finding.type, finding.line, finding.column) for finding in inspect_text(text)}
    assert places == {("context", 6, 9), ("semantic", 7, 9), ("syntax", 8, 3)}


def test_inspect__malformed_structures__entries_instead_of_a_crash() -> None:
    for text in ("version: 1.0", "tasks: []", "tasks: {a: null}", "tasks: {a: {}}", "tasks: {'a b': {action: x.y}}", "tasks: {a: {next: [{do: 5}]}}"):
        findings = inspect_text(text, {}.get)
        assert any(finding.type == "syntax" for finding in findings), text
        assert all(finding.to_dict(places=True)["line"] >= 1 for finding in findings)


def test_inspect__input_that_is_no_mapping__only_its_syntax_is_wrong() -> None:
    actions = {"core.local": {"cmd": {"type": "string", "required": True}}}.get
    text = "tasks: {{a: {{action: core.local, input: {}}}}}"
    assert [finding.type for finding in inspect_text(text.format("[{cmd: date}, 5]"), actions) if finding.spec_path != "version"] == ["syntax"]
    assert [finding.message for finding in inspect_text("version: 1.0\n" + text.format("{env: {}}"), actions)] == [
        'Action "core.local" is missing required input "cmd".',
        'Action "core.local" has unexpected input "env".',
    ]
    assert inspect_text("version: 1.0\n" + text.format("<% ctx().st2 %>"), actions) == []


def test_inspect__items_written_with_many_blanks__answers_at_once() -> None:
    assert inspect_text("tasks: {a: {action: x.y, with: '" + " " * 5000 + "x'}}")


def test_inspect__join__sees_the_union_of_its_branches() -> None:
    text = """
tasks:
  a: {action: x.y, next: [{publish: [{p: 1}], do: j}]}
  b: {action: x.y, next: [{publish: [{q: 1}], do: j}]}
  j: {join: all, action: x.y, input: {m: <% ctx().p + ctx().q + ctx().r %>}}
"""
    assert [finding.message for finding in inspect_text(text)] == ['Variable "r" is referenced before assignment.']


def test_merged__mappings_merge_and_anything_else_replaces() -> None:
    base = {"d": {"a": 1, "n": {"x": 1}}, "s": 1, "l": [1]}
    assert merged(base, {"d": {"n": {"y": 2}}, "s": {"z": 1}, "l": None}) == {"d": {"a": 1, "n": {"x": 1, "y": 2}}, "s": {"z": 1}, "l": None}
    assert base == {"d": {"a": 1, "n": {"x": 1}}, "s": 1, "l": [1]}


_VALUES = st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(), st.dictionaries(st.sampled_from("xy"), st.integers())), max_size=3)


@given(_VALUES, st.lists(_VALUES, max_size=4), st.lists(_VALUES, max_size=4), st.lists(_VALUES, max_size=3))
def test_contexts__join_of_two_branches__as_laying_every_entry_in_order(initial: Any, fork: Any, left: Any, right: Any) -> None:
    contexts = Contexts()
    contexts.add_initial(initial)

    def along(start: int, entries: list[Any]) -> list[int]:
        nodes = [start]
        for values in entries:
            nodes.append(contexts.extend(nodes[-1], values))
        return nodes

    stem = along(0, fork)
    one, other = along(stem[-1], left), along(stem[-1], right)
    joined = contexts.extend(contexts.join([one[-1], other[-1]]), {"end": 1})
    expected = initial
    for values in [*fork, *left, *fork, *right, {"end": 1}] if right or left else [*fork, {"end": 1}]:
        expected = merged(expected, values)
    again = Contexts.load(contexts.all_parts())
    assert contexts.variables(joined).plain == again.variables(joined).plain == expected


def test_as_json__tuples_sets_keys__become_json_data() -> None:
    assert as_json({None: (1, 2), True: {3}}) == {"null": [1, 2], "true": [3]}
    assert as_json({2: (1, [{3}])}) == {"2": [1, [[3]]]}
    value = {"a": [1, {"b": None}]}
    assert as_json(value) is value
    with pytest.raises(TypeError):
        as_json(object())


def test_jinja__template_that_changes_a_list__does_not_change_the_variables() -> None:
    values = {"l": [1]}
    scope = Scope(Variables(values))
    assert evaluate("{% set _ = ctx().l.append(2) %}{{ ctx().l }}", scope) == "[1, 2]"
    assert values == {"l": [1]}


def test_evaluate__value_that_names_itself__error_instead_of_endless() -> None:
    with pytest.raises(Exception, match="RecursionError"):
        evaluate("<% ctx().x %>", Scope(Variables({"x": "<% ctx().x %>"})))


@pytest.mark.parametrize(
    ("status", "event", "facts", "after"),
    [
        ("running", PAUSE, Facts(active=True), "pausing"),
        ("running", PAUSE, Facts(active=False), "paused"),
        ("paused", CANCEL, Facts(active=False), "canceled"),
        ("running", TASK_PAUSED, Facts(active=True), "running"),
        ("running", TASK_PAUSED, Facts(active=False, held=True), "paused"),
        ("running", TASK_PENDING, Facts(active=True, held=True), "pausing"),
        ("running", TASK_DONE, Facts(active=False, more=True), "running"),
        ("running", TASK_DONE, Facts(active=False), "succeeded"),
        ("running", TASK_DONE, Facts(active=True, held=True), "pausing"),
        ("running", TASK_DONE, Facts(active=True, canceled=True), "canceling"),
        ("pausing", TASK_DONE, Facts(active=True, canceled=True), "pausing"),
        ("pausing", TASK_DONE, Facts(active=True, canceled=True, remediated=True), "canceling"),
        ("pausing", TASK_DONE, Facts(active=False), "paused"),
        ("resuming", TASK_DONE, Facts(active=False), "succeeded"),
        ("canceling", TASK_FAILED, Facts(active=False), "canceled"),
        ("pausing", TASK_FAILED, Facts(active=True), "failed"),
        ("pausing", TASK_RETRYING, Facts(active=False, more=True), "paused"),
        ("failed", TASK_DONE, Facts(active=False), "failed"),
    ],
)
def test_advance__table_of_the_reference(status: str, event: str, facts: Facts, after: str) -> None:
    assert advance(status, event, facts) == after


CHAIN = """
vars: {v: 1}
chain:
  - {name: c1, ref: core.ask, publish: {p: "{{ c1.result.response.ok }}"}, on-success: c2, on-failure: c3}
  - {name: c2, ref: core.echo, parameters: {message: "{{ p }}{{ v }}", n: {deep: ["{{ v }}"]}, i: 5}}
  - {name: c3, ref: core.noop}
"""


def test_chain__inquiry__pauses_and_its_answer_is_under_result() -> None:
    run = ChainRun.start(parse_chain(CHAIN), Surroundings())
    assert isinstance(run.advance(), RunTask)
    with pytest.raises(ChainError, match='Either "params" or "parameters"'):
        parse_chain("chain: [{name: a, ref: x.y, params: {a: 1}, parameters: {b: 1}}]")
    row = {"id": "c1", "name": "c1"}
    run.definition = parse_chain(CHAIN.replace(', publish: {p: "{{ c1.result.response.ok }}"}', "").replace("{{ p }}", "{{ c1.result.response.ok }}"))
    assert run.task_ended("pending", {"schema": {}}, row) == ChainPaused()
    assert run.resume() == Wait()
    step = run.task_ended("succeeded", {"response": {"ok": True}}, row)
    assert isinstance(step, RunTask) and step.parameters == {"message": "True1", "n": {"deep": ["1"]}, "i": 5}
    done = run.task_ended("succeeded", {}, {"id": "c2", "name": "c2"})
    assert isinstance(done, ChainFinished) and done.status == "succeeded" and [entry["name"] for entry in done.result["tasks"]] == ["c1", "c2"]


NESTED = """
chain:
  - {name: sub, ref: x.chain, on-success: after, on-failure: rescue}
  - {name: after, ref: core.noop, parameters: {n: "{{ sub.result.n }}"}}
  - {name: rescue, ref: core.noop}
"""
ROW = {"id": "sub", "name": "sub"}


def _nested() -> ChainRun:
    run = ChainRun.start(parse_chain(NESTED), Surroundings())
    run.advance()
    return run


def test_chain__sub_workflow_resumed_alone__chain_stays_paused_with_the_old_entry() -> None:
    run = _nested()
    assert run.task_ended("paused", {"n": 0}, ROW) == ChainPaused()
    assert run.task_ended("succeeded", {"n": 1}, ROW) == Wait()
    run = ChainRun.load(run.definition, run.dump(), Surroundings())
    assert [(row["state"], row["result"]) for row in run.result()["tasks"]] == [("paused", {"n": 0})]
    step = run.resume()
    assert isinstance(step, RunTask) and step.parameters == {"n": "1"}
    assert [(row["state"], row["result"]) for row in run.result()["tasks"]] == [("succeeded", {"n": 1})]


def test_chain__resumed_before_its_sub_workflow_ends__goes_on_then() -> None:
    run = _nested()
    run.pause()
    run.task_ended("paused", {}, ROW)
    assert run.resume() == Wait()
    assert run.task_ended("paused", {"n": 0}, ROW) == ChainPaused()  # it waits again
    assert run.resume() == Wait()
    assert isinstance(run.task_ended("succeeded", {"n": 1}, ROW), RunTask)


def test_chain__paused_sub_workflow_canceled__ends_the_chain() -> None:
    run = _nested()
    run.task_ended("paused", {}, ROW)
    done = run.task_ended("canceled", {}, ROW)
    assert isinstance(done, ChainFinished) and done.status == "canceled"
    late = _nested()
    late.task_ended("paused", {}, ROW)
    late.task_ended("failed", {"n": 2}, ROW)
    done = late.cancel()
    assert isinstance(done, ChainFinished) and done.status == "canceled" and done.result["tasks"][0]["state"] == "failed"


def test_chain__action_refuses_its_parameters__the_task_failed_and_may_be_handled() -> None:
    run = _nested()
    step = run.request_refused("'cmd' is a required property", "  File", "2026-01-01T00:00:00+00:00")
    assert isinstance(step, RunTask) and step.name == "rescue"
    [row] = run.result()["tasks"]
    assert row["state"] == "failed" and row["execution_id"] is None
    assert row["result"] == {"error": "Task \"sub\" failed: 'cmd' is a required property", "traceback": "  File"}
    paused = _nested()
    paused.pause()
    assert paused.request_refused("no", "", "") == ChainPaused()
    rescue = paused.resume()
    assert isinstance(rescue, RunTask) and rescue.name == "rescue"
    assert run.cast_failed("bad") == ChainFinished("failed", {"error": "bad"})


def test_chain__timeout_without_on_failure__chain_times_out() -> None:
    run = ChainRun.start(parse_chain("chain: [{name: a, ref: x.y}]"), Surroundings(), display_published=False)
    run.advance()
    done = run.task_ended("timeout", {}, {"id": "a", "name": "a"})
    assert isinstance(done, ChainFinished) and done.status == "timeout" and "published" not in done.result


def test_chain__cancel__waits_for_the_running_task() -> None:
    run = ChainRun.start(parse_chain("chain: [{name: a, ref: x.y, on-success: b}, {name: b, ref: x.y}]"), Surroundings())
    run.advance()
    assert run.cancel() == Wait()
    done = run.task_ended("succeeded", {}, {"id": "a", "name": "a"})
    assert isinstance(done, ChainFinished) and done.status == "canceled"


def test_chain__keys_of_further_tasks_that_mean_nothing__ignored() -> None:
    text = "chain:\n  - {name: a, ref: x.y, on-success: b}\n  - {name: b, ref: x.z, description: why, params: null, on-failure: a}\n"
    assert parse_chain(text).nodes[1].to_dict() | {"name": "b", "ref": "x.z", "on_failure": "a"} == parse_chain(text).nodes[1].to_dict()
    for broken in (text.replace("ref: x.y,", "ref: x.y, description: d,"), text.replace(", ref: x.z", ""), text.replace("params: null", "params: 5")):
        with pytest.raises(ChainError):
            parse_chain(broken)


@pytest.mark.parametrize("text", ["chain: 5", "{}", "chain: [{name: a}]", "chain: []\nfoo: 1", "a: [", "chain: [{name: a, ref: x.y, on-success: q}]"])
def test_chain__broken__error_instead_of_a_run(text: str) -> None:
    with pytest.raises(ChainError):
        parse_chain(text)
