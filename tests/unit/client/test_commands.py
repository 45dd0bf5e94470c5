"""Commands of the nouns: requests, output, exit codes (cli.md 1, 2 and 5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .answering_server import AnsweringServer, Request

RULE = {"id": "6b02efebacea043771a47e10", "ref": "default.r", "uid": "rule:default:r", "name": "r", "pack": "default", "enabled": False, "tags": []}
St2 = Callable[..., Any]


@pytest.fixture
def rules(server: AnsweringServer) -> AnsweringServer:
    server.on("GET", "/rules", 200, [RULE])
    server.on("GET", "/rules/default.r", 200, RULE)
    server.routes[("PUT", f"/rules/{RULE['id']}")] = lambda request: (200, {**RULE, **request.json})
    server.on("DELETE", f"/rules/{RULE['id']}", 204)
    server.on("POST", "/rules", 201, RULE)
    return server


def written(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_no_arguments__full_help_on_stderr(st2: St2) -> None:
    result = st2()
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("usage: st2")


def test_branch_without_subcommand__top_help_on_stdout(st2: St2) -> None:
    result = st2("action")
    assert (result.code, result.err) == (2, "")
    assert result.out.startswith("usage: st2") and "rule-enforcement" in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bogus"], "invalid choice: 'bogus'"),
        (["acton"], "did you mean 'action'"),
        (["action", "get"], "the following arguments are required: ref-or-id"),
        (["action", "clone", "a.b"], "the following arguments are required: dest-pack-name, dest-action-name"),
        (["rule", "list", "--enabled", "--disabled"], "argument --disabled: not allowed with argument --enabled"),
        (["key", "set", "a", "b", "-e", "--encrypted"], "argument --encrypted: not allowed with argument -e/--encrypt"),
        (["rule", "list", "-n", "x"], "argument -n/--last: invalid int value: 'x'"),
        (["rule", "list", "-n"], "argument -n/--last: expected one argument"),
        (["rule", "list", "-a"], "argument -a/--attr: expected at least one argument"),
        (["rule", "list", "--nope"], "unrecognized arguments: --nope"),
        (["rule", "list", "-j", "extra"], "unexpected extra argument"),
        (["-j", "rule", "list"], "unrecognized arguments: -j"),
        (["execution", "list", "--t"], "ambiguous option: --t could match"),
        (["key", "delete_by_prefix"], "the following arguments are required: -p/--prefix"),
        (["workflow", "inspect", "--file", "a", "--action", "b"], "not allowed with argument"),
    ],
)
def test_usage_errors__exit_two_on_stderr(st2: St2, words: list[str], message: str) -> None:
    result = st2(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("usage: st2")
    assert message.lower() in result.err.lower()


def test_options__prefixes_clusters_and_several_values(st2: St2, rules: AnsweringServer) -> None:
    result = st2("rule", "list", "-yj", "--pac", "default", "-n2", "--at", "ref", "enabled", "-w=10")
    assert json.loads(result.out) == [{"enabled": False, "ref": "default.r"}]
    query = rules.last("GET").query
    assert (query["pack"], query["limit"], query["include_attributes"]) == ("default", "2", "ref,enabled")


def test_version_and_print_config(st2: St2, clean_environment: Path) -> None:
    assert st2("--vers").out.startswith("st2 3.")
    (clean_environment / ".st2").mkdir()
    (clean_environment / ".st2/config").write_text("[cli]\ntimezone = Europe/Paris\ncache_token = False\n[credentials]\npassword = 50%\n")
    result = st2("--print-config")
    assert result.code == 3
    for line in ("[general]", "base_url = None", "timezone = Europe/Paris", "cache_token = False", "silence_schema_output = True", "password = 50%"):
        assert line in result.out.splitlines()


def test_config_file__named_and_missing(st2: St2) -> None:
    result = st2("--config-file", "/nonexistent/config", "rule", "list")
    assert (result.code, result.out) == (1, "")
    assert "/nonexistent/config" in result.err


def test_config_file__comes_before_the_environment(st2: St2, clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean_environment / ".st2").mkdir()
    (clean_environment / ".st2/config").write_text("[api]\nurl = http://127.0.0.1:1/v1\n")
    result = st2("rule", "list")
    assert result.code == 1 and "port=1" in result.out
    monkeypatch.setenv("ST2_CLI_SKIP_CONFIG", "1")
    assert "port=1" not in st2("rule", "list").out


def test_cacert__must_exist(st2: St2) -> None:
    assert st2("--cacert", "/nonexistent.pem", "rule", "list").out == 'ERROR: CA cert file "/nonexistent.pem" does not exist.\n\n'


def test_list__empty(st2: St2, server: AnsweringServer) -> None:
    for path in ("/actions", "/executions", "/rules"):
        server.on("GET", path, 200, [])
    assert st2("action", "list", "-j").out == "No matching items found\n"
    assert st2("execution", "list", "-j").out == "[]\n"
    assert "| id | action.ref | context.user | status | start_timestamp | end_timestamp |" in st2("execution", "list").out


def test_list__more_than_shown(st2: St2, rules: AnsweringServer) -> None:
    rules.total = 7
    assert "Note: Only one rule is displayed. Use -n/--last flag for more results." in st2("rule", "list", "-n", "1").err
    assert "Note: Only first 5 rules are displayed." in st2("rule", "list", "-n", "5").err
    assert st2("rule", "list", "-n", "5", "-j").err == ""


def test_rule_list__iftt_and_state(st2: St2, rules: AnsweringServer) -> None:
    assert "| ref       | trigger.ref | action.ref | enabled |" in st2("rule", "list", "--iftt", "--disabled").out
    assert rules.last("GET").query["enabled"] == "False"


def test_get__several_are_one_document_each(st2: St2, rules: AnsweringServer) -> None:
    out = st2("rule", "get", "default.r", "default.r", "-j", "-a", "ref").out
    assert out == '{\n    "ref": "default.r"\n}\n' * 2


def test_get__not_found(st2: St2, server: AnsweringServer) -> None:
    result = st2("rule", "get", "default.nope")
    assert (result.code, result.out) == (1, 'Rule "default.nope" is not found.\n\nERROR: Resource default.nope not found.\n\n')
    server.on("GET", "/rules/default.nope", 500, {"faultstring": "Internal Server Error"})
    assert "is not found" in st2("rule", "get", "default.nope").out
    server.on("GET", "/rules/default.nope", 403, {"faultstring": "No."})
    assert st2("rule", "get", "default.nope").out.startswith("ERROR: 403 Client Error: Forbidden\nMESSAGE: No. for url:")


def test_create__failures_exit_two(st2: St2, rules: AnsweringServer, tmp_path: Path) -> None:
    assert st2("rule", "create", "none.yaml").out == 'ERROR: File "none.yaml" does not exist.\n'
    bad = written(tmp_path, "a.txt", "x")
    result = st2("rule", "create", bad)
    assert (result.code, result.out) == (2, f"ERROR: Unsupported meta type .txt, file {bad}. Allowed: ['.json', '.yaml', '.yml']\n")
    rules.on("POST", "/rules", 409, {"faultstring": "Tried to save duplicate unique keys.", "conflict-id": "1"})
    result = st2("rule", "create", written(tmp_path, "r.yaml", "name: r\n"))
    assert result.code == 2 and result.out.startswith("ERROR: 409 Client Error: Conflict\nMESSAGE: Tried to save duplicate")
    result = st2("rule", "create", written(tmp_path, "broken.yaml", "a: [\n"))
    assert result.code == 2 and "is not valid" in result.out


def test_update__keeps_the_id_and_refuses_another(st2: St2, rules: AnsweringServer, tmp_path: Path) -> None:
    assert st2("rule", "update", "default.r", written(tmp_path, "r.yaml", "name: r\nenabled: true\n"), "-j").code == 0
    assert rules.last("PUT").json == {"name": "r", "enabled": True, "id": RULE["id"]}
    result = st2("rule", "update", "default.r", written(tmp_path, "i.yaml", "id: other\n"))
    assert result.code == 1
    assert "ERROR: The value for the rule id in the JSON/YAML file does not match the ID provided in the command line arguments." in result.out


def test_enable__sends_the_object_without_ref(st2: St2, rules: AnsweringServer) -> None:
    assert json.loads(st2("rule", "enable", "default.r", "-j").out)["enabled"] is True
    assert "ref" not in rules.last("PUT").json


def test_delete__and_not_there(st2: St2, rules: AnsweringServer) -> None:
    assert st2("rule", "delete", "default.r").out == 'Resource with id "default.r" has been successfully deleted.\n'
    result = st2("rule", "delete", "default.nope")
    assert (result.code, result.out) == (2, 'Rule "default.nope" is not found.\n\n')
    assert st2("action", "delete", "default.nope").code == 0


def test_clone__of_other_nouns(st2: St2) -> None:
    result = st2("rule", "clone", "a", "b")
    assert (result.code, result.out) == (1, "ERROR: clone 'rule' is not implemented.\n\n")


def test_key_set__asks_for_a_value_and_sends_what_was_given(st2: St2, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.routes[("PUT", "/keys/a.b")] = lambda request: (200, {**request.json, "scope": "st2kv.system", "id": "x", "secret": True})
    monkeypatch.setattr("builtins.input", lambda prompt: print(prompt, end="") or "typed")
    result = st2("key", "set", "a.b", "-e", "-l", "60", "-j")
    assert result.out.startswith('Please insert value for key: {\n    "name": "a.b"')
    assert server.last("PUT").json == {"name": "a.b", "value": "typed", "scope": "system", "user": None, "secret": True, "ttl": 60}


def test_key_load__prints_what_was_sent(st2: St2, server: AnsweringServer, tmp_path: Path) -> None:
    server.routes[("PUT", "/keys/k")] = lambda request: (200, request.json)
    path = written(tmp_path, "m.yaml", "name: k\nvalue: {a: [1, true]}\n")
    assert "ERROR: Item 'k' has a value that is not a string." in st2("key", "load", path).out
    assert json.loads(st2("key", "load", "-c", path, "-j").out) == [{"name": "k", "scope": "system", "value": '{"a": [1, true]}'}]


def test_key_list__json_runs_the_other_way_round(st2: St2, server: AnsweringServer) -> None:
    server.on("GET", "/keys", 200, [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}])
    assert [pair["name"] for pair in json.loads(st2("key", "list", "-j").out)] == ["b", "a"]
    assert server.last("GET").query["scope"] == "all"


def test_key_delete_by_prefix(st2: St2, server: AnsweringServer) -> None:
    server.on("GET", "/keys", 200, [{"name": "p.a", "value": "1"}, {"name": "p.b", "value": "2"}])
    for name in ("p.a", "p.b"):
        server.on("DELETE", f"/keys/{name}", 204)
    assert st2("key", "delete_by_prefix", "-p", "p.").out == "Deleted 2 keys\nDeleted key ids: p.a, p.b\n"


def test_execution_cancel__prints_what_the_server_says(st2: St2, server: AnsweringServer) -> None:
    server.on("DELETE", "/executions/1", 200, {"id": "1", "status": "canceling"})
    server.on("DELETE", "/executions/2", 200, {"faultstring": "Action cannot be canceled. State = succeeded."})
    result = st2("execution", "cancel", "1", "2")
    assert (result.code, result.out) == (
        0,
        "action execution with id 1 canceled.\nAction cannot be canceled. State = succeeded.\n",
    )


def test_webhook_list__url_of_the_parameters_sorted(st2: St2, server: AnsweringServer) -> None:
    server.on("GET", "/webhooks", 200, [{"type": "core.st2.webhook", "parameters": {"url": url}} for url in ("b/c", "/a")])
    rows = [line.split("|")[1].strip() for line in st2("webhook", "list").out.splitlines()[3:-1]]
    assert rows == ["a", "b/c"]


def test_whoami(st2: St2, server: AnsweringServer) -> None:
    assert st2("whoami").out == "Unable to retrieve currently logged-in user\n"
    authentication = {"method": "authentication token", "location": "header", "token_expire": "2026-11-23T13:37:18Z"}
    server.on("GET", "/user", 200, {"username": "u", "authentication": authentication, "rbac": {"enabled": False, "roles": ["admin", "x"]}})
    assert st2("whoami").out == (
        'Currently logged in as "u".\n\nAuthentication method: authentication token\n'
        "Authentication token expire time: 2026-11-23T13:37:18Z\n\nRBAC:\n - Enabled: False\n - Roles: admin, x\n"
    )


def test_trace_list__single_hit_is_shown_in_detail(st2: St2, server: AnsweringServer) -> None:
    trace = {
        "id": "t1", "uid": "u", "trace_tag": "tag", "start_timestamp": "2026-11-22T13:37:10Z", "rules": [], "trigger_instances": [],
        "action_executions": [{"object_id": "e1", "ref": "core.noop", "updated_at": "2026-11-22T13:37:11Z", "caused_by": {}}],
    }  # fmt: skip
    server.on("GET", "/traces", 200, [trace])
    out = st2("trace", "list", "-c", "tag").out
    assert out.startswith("id: t1\ntrace_tag: tag\nstart_timestamp: Sun, 22 Nov 2026 13:37:10 UTC\n+")
    assert "| id | type      | ref       | updated_at           |" in out
    assert sorted(json.loads(st2("trace", "list", "-j").out)) == [
        "action_executions", "id", "rules", "start_timestamp", "trace_tag", "trigger_instances",
    ]  # fmt: skip


def test_workflow_inspect(st2: St2, server: AnsweringServer, tmp_path: Path) -> None:
    path = written(tmp_path, "w.yaml", "version: 1.0\n")
    server.on("POST", "/workflows/inspect", 200, [])
    assert st2("workflow", "inspect", "--file", path).out == "No errors found in workflow definition.\n"
    assert server.last("POST").headers["content-type"] == "text/plain" and server.last("POST").body == b"version: 1.0\n"
    server.on("POST", "/workflows/inspect", 200, [{"type": "syntax", "message": "m", "spec_path": "tasks.t1"}])
    assert st2("workflow", "inspect", "--file", path).out == "- message: m\n  spec_path: tasks.t1\n  type: syntax\n"
    assert st2("workflow", "inspect", "--action", "a.b").out == 'ERROR: Unable to identify action "a.b".\n\n'


def test_workflow_graph__of_an_execution_and_of_an_action(st2: St2, server: AnsweringServer) -> None:
    found = {"nodes": [{"id": "t1", "task": "t1", "status": "running", "type": "task"}], "edges": []}
    server.on("GET", f"/executions/{'a' * 24}/graph", 200, found)
    server.on("POST", "/workflows/graph", 200, found)
    assert st2("workflow", "graph", "a" * 24).out == "t1 [running]\n"
    assert (
        st2("workflow", "graph", "examples.wf", "--mermaid").out
        == 'flowchart TD\n    n0["t1<br/>running"]:::running\n    classDef running fill:#fff3cd,stroke:#ffc107\n'
    )
    assert server.last("POST").json == {"action": "examples.wf"}


def test_pack_register__counts(st2: St2, server: AnsweringServer) -> None:
    server.on("POST", "/packs/register", 200, {"actions": 16, "runners": 14})
    out = st2("pack", "register", "core", "--types", "actions").out
    assert "| actions  | 16    |" in out
    assert server.last("POST").json == {"packs": ["core"], "types": ["actions"]}


def test_pack_install__failure_shows_tasks_and_execution(st2: St2, server: AnsweringServer) -> None:
    execution = {"id": "e" * 24, "status": "failed", "action": {"ref": "packs.install", "runner_type": "orquesta"}, "result": {"output": None}}
    tasks = [
        {"id": f"{index}" * 24, "status": status, "parent": "e" * 24, "action": {"ref": "x.y"}, "context": {"orquesta": {"task_name": name}}}
        for index, (status, name) in enumerate((("succeeded", "init_task"), ("failed", "download_pack")))
    ]
    server.on("POST", "/packs/install", 202, {"execution_id": "e" * 24})
    server.on("GET", f"/executions/{'e' * 24}", 200, execution)
    server.on("GET", f"/executions/{'e' * 24}/children", 200, tasks)
    result = st2("pack", "install", "file:///nonexistent-pack")
    assert result.code == 1
    assert "\t[     succeeded      ] init_task\n\t[       failed       ] download_pack\n" in result.out
    assert "action.ref: packs.install" in result.out and "| id" in result.out


def test_debug__prints_curl_lines_without_secrets(st2: St2, rules: AnsweringServer) -> None:
    out = st2("--debug", "rule", "get", "default.r", "-t", "0123456789abcdef", "-j", "-a", "ref").out
    assert "# -------- begin" in out and "curl -X GET -H  'X-Auth-Token: ********' " in out
    assert "0123456789abcdef" not in out
    failing = st2("--debug", "rule", "update", "default.nope", "x.yaml").out
    assert "CLI settings:" in failing and "ST2_API_URL: http://" in failing and "Traceback" in failing


def test_stream__prints_events(st2: St2, server: AnsweringServer) -> None:
    server.on("GET", "/stream", 200, '\nevent: st2.announcement__chat\ndata: {"payload": {"message": "x"}}\n\n')
    assert st2("stream", "--events", "st2.announcement__*").out == 'st2.announcement__chat {"message": "x"}\n'
    assert server.last("GET").query == {"events": "st2.announcement__*"}
    assert json.loads(st2("stream", "-j").out) == {"event": "st2.announcement__chat", "data": {"payload": {"message": "x"}}}


def test_action_alias_update__looks_by_name_first(st2: St2, server: AnsweringServer, tmp_path: Path) -> None:
    alias = {"id": "1" * 24, "name": "al", "ref": "default.al"}

    def listed(request: Request) -> tuple[int, Any]:
        return 200, [alias] if request.query.get("name") == "al" else []

    server.routes[("GET", "/actionalias")] = listed
    server.on("PUT", f"/actionalias/{'1' * 24}", 200, alias)
    assert st2("action-alias", "update", "al", written(tmp_path, "a.json", '{"name": "al"}')).code == 0
    assert "doesn't exist" in st2("action-alias", "update", "other", written(tmp_path, "a.json", "{}")).out
