"""`st2 run`: what is asked of the server, and what is printed (cli.md 4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .answering_server import AnsweringServer, Request

ID = "6b02efd8acea043771a47de9"
ACTION = {
    "id": "6b02e4db560fca4c7ce40ae6",
    "ref": "core.local",
    "pack": "core",
    "name": "local",
    "description": "Action that executes an arbitrary Linux command on the localhost.",
    "runner_type": "local-shell-cmd",
    "parameters": {"cmd": {"type": "string", "required": True, "description": "Command."}, "sudo": {"immutable": True}},
}
RUNNER = {
    "name": "local-shell-cmd",
    "runner_parameters": {"timeout": {"type": "integer", "default": 60}, "cmd": {"type": "string"}, "sudo": {"type": "boolean"}},
}
RESULT = {"succeeded": True, "failed": False, "return_code": 0, "stdout": "hi", "stderr": ""}


def an_execution(status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "status": status,
        "action": {"ref": "core.local", "runner_type": "local-shell-cmd"},
        "context": {"user": "root"},
        "parameters": {"cmd": "echo hi"},
        "start_timestamp": "2026-11-22T13:36:24.413746Z",
        "end_timestamp": "2026-11-22T13:36:25.699138Z",
        "result": RESULT,
        **fields,
    }


@pytest.fixture
def platform(server: AnsweringServer) -> AnsweringServer:
    """Accepts executions; the first look finds them running, the second over."""
    looks = iter(("requested", "running"))

    def get(_: Request) -> tuple[int, Any]:
        return 200, an_execution(next(looks, "succeeded"))

    server.on("GET", "/actions/core.local", 200, ACTION)
    server.on("GET", "/runnertypes", 200, [RUNNER])
    server.on("POST", "/executions", 201, an_execution("requested"))
    server.routes[("GET", f"/executions/{ID}")] = get
    return server


def test_run__prints_labels_in_order(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    result = st2("run", "core.local", "cmd=echo hi")
    assert result.code == 0
    assert result.out == (
        f"\nid: {ID}\naction.ref: core.local\ncontext.user: root\nparameters:\n  cmd: echo hi\nstatus: succeeded\n"
        "start_timestamp: Sun, 22 Nov 2026 13:36:24 UTC\nend_timestamp: Sun, 22 Nov 2026 13:36:25 UTC\n"
        "result:\n  failed: false\n  return_code: 0\n  stderr: ''\n  stdout: hi\n  succeeded: true\n"
    )
    assert platform.last("POST").json == {"action": "core.local", "parameters": {"cmd": "echo hi"}, "user": None}


def test_run__json_has_the_same_attributes_nested(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    result = st2("run", "core.local", "cmd=echo hi", "-j")
    printed = json.loads(result.out)
    assert sorted(printed) == ["action", "context", "end_timestamp", "id", "parameters", "result", "start_timestamp", "status"]
    assert printed["action"] == {"ref": "core.local"}
    assert result.out.startswith('\n{\n    "action"')


def test_run__words_without_equals_become_cmd_and_options_mix(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    result = st2("run", "core.local", "echo", "a", "b", "-k", "stdout", "--trace-tag", "t1")
    assert result.out.strip() == "hi"
    assert platform.last("POST").json["parameters"] == {"cmd": "echo a b"}
    assert platform.last("POST").json["context"] == {"trace_context": {"trace_tag": "t1"}}


def test_run__after_a_double_dash_options_belong_to_the_command(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    st2("run", "core.local", "-j", "--", "ls", "-l", "--all")
    assert platform.last("POST").json["parameters"] == {"cmd": "ls -l --all"}


def test_run__failed_exits_one_and_timeout_zero(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    for status, code in (("failed", 1), ("timeout", 0), ("canceled", 0), ("pending", 0), ("paused", 0), ("abandoned", 0)):
        platform.on("GET", f"/executions/{ID}", 200, an_execution(status))
        result = st2("run", "core.local", "cmd=x", "--attr", "status")
        assert (result.code, result.out) == (code, f"\nstatus: {status}\n")


def test_run__async_says_how_to_go_on(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    result = st2("run", "core.local", "cmd=x", "-a")
    assert result.out == (
        f"To get the results, execute:\n st2 execution get {ID}\n\nTo view output in real-time, execute:\n st2 execution tail {ID}\n"
    )
    assert st2("action", "execute", "core.local", "cmd=x").out == result.out


def test_run__unknown_action_names_the_nearest(st2: Callable[..., Any], server: AnsweringServer) -> None:
    server.on("GET", "/actions", 200, [{"ref": "core.local"}, {"ref": "core.local_sudo"}, {"ref": "chatops.match"}])
    result = st2("run", "core.locl")
    assert result.code == 1
    assert result.out.startswith('ERROR: Resource with id or reference "core.locl" doesn\'t exist. Did you mean core.local')


def test_run__server_message_is_shown(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    platform.on("POST", "/executions", 400, {"faultstring": "'cmd' is a required property"})
    result = st2("run", "core.local")
    assert result.code == 1
    assert "ERROR: 400 Client Error: Bad Request\nMESSAGE: 'cmd' is a required property for url: http://" in result.out


def test_run__missing_file(st2: Callable[..., Any], platform: AnsweringServer, tmp_path: Path) -> None:
    path = tmp_path / "none.txt"
    assert st2("run", "core.local", f"@cmd={path}").out == f'ERROR: File "{path}" doesn\'t exist\n\n'


def test_run__help_of_an_action_hides_immutable_parameters(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    out = st2("run", "core.local", "-h").out
    assert out == (
        "\nAction that executes an arbitrary Linux command on the localhost.\n\n"
        "Required Parameters:\n    cmd\n        Command.\n        Type: string\n\n"
        "Optional Parameters:\n    timeout\n        Type: integer\n        Default: 60\n\n"
    )


def test_run__display_options_exclude_each_other(st2: Callable[..., Any]) -> None:
    result = st2("run", "core.local", "--attr", "id", "--detail")
    assert result.code == 2
    assert "argument -d/--detail: not allowed with argument --attr" in result.err


def test_run__show_tasks_of_a_plain_action(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    result = st2("run", "core.local", "--show-tasks")
    assert (result.code, result.out) == (1, "ERROR: --show-tasks option can only be used with workflow actions\n\n")
    assert not [request for request in platform.requests if request.method == "POST"]


def test_run__workflow_shows_its_tasks(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    workflow = an_execution(action={"ref": "default.wf", "runner_type": "orquesta"}, result={"output": {"greeting": "bob"}}, log=[])
    child = an_execution(id="6b02efe34a17f51002d80c56", parent=ID, context={"orquesta": {"task_name": "t1"}})
    platform.on("GET", "/actions/default.wf", 200, {**ACTION, "ref": "default.wf", "pack": "default", "name": "wf", "runner_type": "orquesta"})
    platform.on("GET", f"/executions/{ID}", 200, workflow)
    platform.on("GET", f"/executions/{ID}/children", 200, [child])
    result = st2("run", "default.wf", "cmd=1")
    assert [line.split(":")[0] for line in result.out.splitlines() if line and line[0] not in " |+"] == [
        "id", "action.ref", "parameters", "status", "start_timestamp", "end_timestamp", "log", "result",
    ]  # fmt: skip
    assert "| 6b02efe34a17f51002d80c56 | succeeded (1s elapsed) | t1   | core.local | Sun, 22 Nov     |" in result.out
    documents = st2("run", "default.wf", "-j").out
    decoder, rest = json.JSONDecoder(), documents.strip()
    root, end = decoder.raw_decode(rest)
    tasks, _ = decoder.raw_decode(rest[end:].strip())
    assert "context" not in root
    assert tasks == [
        {
            "action": "core.local",
            "id": "6b02efe34a17f51002d80c56",
            "start_timestamp": "2026-11-22T13:36:24.413746Z",
            "status": "succeeded (1s elapsed)",
            "task": "t1",
        }
    ]


def test_re_run__tasks_without_those_not_to_reset(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    platform.on("POST", f"/executions/{ID}/re_run", 201, an_execution())
    platform.on("GET", f"/executions/{ID}", 200, an_execution())
    st2("execution", "re-run", ID, "--tasks", "a", "b", "--no-reset", "b", "-a")
    assert platform.last("POST").json == {"parameters": {}, "tasks": ["a", "b"], "reset": ["a"], "delay": 0}
    result = st2("execution", "re-run", ID, "--tasks", "a", "--no-reset", "c")
    assert result.out.startswith("ERROR: List of tasks to reset does not match the tasks to rerun.")


def test_tail__finished_execution(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    platform.on("GET", f"/executions/{ID}", 200, an_execution())
    platform.on("GET", f"/executions/{ID}/output", 200, "hi\n")
    assert st2("execution", "tail", ID).out == f"hi\n\nExecution {ID} has completed (status=succeeded).\n"


def test_tail__running_execution_follows_the_stream(st2: Callable[..., Any], platform: AnsweringServer) -> None:
    platform.on(
        "GET",
        f"/executions/{ID}/output",
        200,
        '\nevent: st2.execution.output__create\ndata: {"data": "tailed\\n", "output_type": "stdout", "timestamp": "T"}\n\nevent: EOF\ndata: \'\'\n\n',
    )
    result = st2("execution", "tail", ID, "--include-metadata")
    assert result.out == f"Execution {ID} has started.\n\n[T][stdout] tailed\n\nExecution {ID} has completed (status=succeeded).\n"
