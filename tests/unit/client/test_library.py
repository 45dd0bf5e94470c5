"""The library as packs use it (pyclient.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import requests

from st2client import models
from st2client.client import Client
from st2client.models.core import iter_event_data

from .answering_server import AnsweringServer


@pytest.fixture
def client(server: AnsweringServer, clean_environment: Path) -> Client:
    return Client(api_url=f"{server.url}/v1", auth_url=server.url, stream_url=f"{server.url}/v1")


def test_client__urls(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().endpoints == {
        "base": "http://127.0.0.1",
        "exp": "http://127.0.0.1:9101/exp",
        "api": "http://127.0.0.1:9101/v1",
        "auth": "http://127.0.0.1:9100",
        "stream": "http://127.0.0.1:9102/v1",
    }
    monkeypatch.setenv("ST2_BASE_URL", "http://h")
    monkeypatch.setenv("ST2_API_URL", "https://h/api/v1")
    endpoints = Client(api_version="v2").endpoints
    assert (endpoints["api"], endpoints["stream"]) == ("https://h/api/v1", "http://h:9102/v2")


def test_client__all_managers_are_there(client: Client) -> None:
    assert sorted(client.managers) == sorted(
        "Action ActionAlias ActionAliasExecution ApiKey Config ConfigSchema Execution Inquiry KeyValuePair LiveAction Pack Policy PolicyType Role "
        "Rule RuleEnforcement RunnerType Sensor ServiceRegistryGroups ServiceRegistryMembers Stream Timer Token Trace Trigger TriggerInstance "
        "TriggerType UserRoleAssignment Webhook Workflow".split()
    )
    assert client.managers["LiveAction"] is client.managers["Execution"] is client.executions
    with pytest.warns(DeprecationWarning):
        assert client.liveactions is client.executions


def test_client__credentials_go_to_the_environment(server: AnsweringServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ST2_AUTH_TOKEN", "")
    server.on("GET", "/actions", 200, [])
    Client(api_url=f"{server.url}/v1", token="tok")
    assert os.environ["ST2_AUTH_TOKEN"] == "tok"
    client.actions.get_all()
    assert server.last("GET").headers["x-auth-token"] == "tok"
    client.actions.get_all(token="other", api_key="k")
    assert (server.last("GET").headers["x-auth-token"], server.last("GET").headers["st2-api-key"]) == ("other", "k")


def test_client__refuses_bad_settings(clean_environment: Path) -> None:
    with pytest.raises(ValueError, match=r'CA cert file "/none\.pem" does not exist'):
        Client(cacert="/none.pem")
    with pytest.raises(ValueError, match="username:password"):
        Client(basic_auth="nocolon")


def test_basic_auth__not_on_the_token_request(server: AnsweringServer, clean_environment: Path) -> None:
    client = Client(api_url=f"{server.url}/v1", auth_url=server.url, basic_auth="proxy:a:b")
    server.on("GET", "/actions", 200, [])
    server.on("POST", "/tokens", 201, {"token": "t", "user": "u", "expiry": "e"})
    client.actions.get_all()
    assert server.last("GET").headers["authorization"] == "Basic cHJveHk6YTpi"
    assert client.tokens.create(models.Token(ttl=5), auth=("u", "p")).token == "t"
    assert server.last("POST").headers["authorization"] == "Basic dTpw"


def test_get_all__query_and_unknown_keyword(server: AnsweringServer, client: Client) -> None:
    server.on("GET", "/actions", 200, [{"name": "noop", "pack": "core", "enabled": True, "runner_type": "noop"}])
    (action,) = client.actions.get_all(pack="core", limit=5, params={"tags": "x"})
    assert server.last("GET").query == {"pack": "core", "limit": "5", "tags": "x"}
    assert repr(action) == "<Action name=noop,pack=core,enabled=True,runner_type=noop>"
    with pytest.raises(TypeError):
        client.actions.get_all(nope=1)


def test_query__slash_before_the_question_mark_and_values_as_text(server: AnsweringServer, client: Client) -> None:
    server.on("GET", "/rules", 200, [{"name": "r"}])
    rules, count = client.rules.query_with_count(enabled=True, params={"pack": "a b"}, missing=None)
    assert count == 1 and rules[0].name == "r"
    assert server.last("GET").raw_path == "/v1/rules/"
    assert server.last("GET").query == {"enabled": "True", "pack": "a b"}
    assert client.policies.query(pack="none") == []  # 404
    with pytest.raises(Exception, match="Query parameter is not provided"):
        client.rules.query()


def test_get_by_name__several(server: AnsweringServer, client: Client) -> None:
    server.on("GET", "/runnertypes", 200, [{"name": "a"}, {"name": "a"}])
    with pytest.raises(Exception, match='More than one runnertype named "a" are found'):
        client.runners.get_by_name("a")
    server.on("GET", "/runnertypes", 200, [])
    assert client.runners.get_by_name("a") is None


def test_errors__are_those_of_requests(server: AnsweringServer, client: Client) -> None:
    server.on("GET", "/actions/a.b", 403, {"faultstring": "No."})
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        client.actions.get_by_id("a.b")
    assert str(caught.value) == f"403 Client Error: Forbidden\nMESSAGE: No. for url: {server.url}/v1/actions/a.b"
    assert caught.value.response.status_code == 403
    assert caught.value.response.json() == {"faultstring": "No."}
    server.on("GET", "/actions/a.b", 502, "<html>")
    with pytest.raises(requests.exceptions.HTTPError, match="could not be read"):
        client.actions.get_by_id("a.b")
    server.on("GET", "/actions/a.b", 500, {})
    with pytest.raises(requests.exceptions.HTTPError, match=r"^500 Server Error: Internal Server Error for url: "):
        client.actions.get_by_id("a.b")
    with pytest.raises(requests.exceptions.ConnectionError, match="port=1"):
        Client(api_url="http://127.0.0.1:1/v1").actions.get_all()


def test_redirect__is_followed(server: AnsweringServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    import st2client.utils.httpclient as transport

    server.on("GET", "/actions/a.b", 200, {"name": "b"})
    real = transport._light_request

    def moved(method: str, url: str, *rest: Any) -> Any:
        response = real(method, url, *rest)
        response.status_code = 302
        return response

    monkeypatch.setattr(transport, "_light_request", moved)
    assert client.actions.get_by_id("a.b").name == "b"
    assert len(server.requests) == 2


def test_proxy_of_the_environment__is_used(server: AnsweringServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.on("GET", "/actions", 200, [])
    assert Client(api_url="http://api.example.invalid/v1").actions.get_all() == []
    assert server.last("GET").headers["host"] == "api.example.invalid"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert client.actions.get_all() == []


def test_delete__of_what_is_not_there(server: AnsweringServer, client: Client) -> None:
    assert client.rules.delete(models.Rule(id="x")) is True
    assert client.rules.delete_by_id("x") == {"faultstring": "Resource /rules/x not found"}
    server.on("DELETE", "/rules/y", 204)
    assert client.rules.delete_by_id("y") is True


def test_keys__patterns_of_packs(server: AnsweringServer, client: Client) -> None:
    server.routes[("GET", "/keys/x")] = lambda request: (200, {"name": "x", "value": "1", "id": "6b02e4db560fca4c7ce40af7"})
    server.routes[("PUT", "/keys/n")] = lambda request: (200, request.json)
    server.on("DELETE", "/keys/x", 204)
    assert client.keys.get_by_name(name="x", decrypt=True).value == "1"
    assert (server.last("GET").raw_path, server.last("GET").query) == ("/v1/keys/x/", {"decrypt": "True"})
    assert client.keys.get_by_name("missing") == []
    pair = models.KeyValuePair(name="n", value="v")
    pair.id = "ignored"
    pair.ttl = 10
    assert client.keys.update(pair).id == "n"
    assert server.last("PUT").json == {"name": "n", "value": "v", "ttl": 10}
    assert client.keys.delete(client.keys.get_by_name("x"), params={"scope": "st2kv.user"})
    assert server.last("DELETE").query == {"scope": "st2kv.user"}


def test_executions__create_re_run_and_change(server: AnsweringServer, client: Client) -> None:
    server.routes[("POST", "/executions")] = lambda request: (201, {**request.json, "id": "1", "status": "requested"})
    server.on("POST", "/executions/1/re_run", 201, {"id": "2"})
    server.routes[("PUT", "/executions/1")] = lambda request: (200, {"id": "1", **request.json})
    server.on("GET", "/executions/1/children", 200, [{"id": "3"}])
    assert client.executions.create(models.LiveAction(action="core.noop", parameters={})).id == "1"
    client.executions.re_run(execution_id="1", tasks=["a", "b"], no_reset=["a"])
    assert server.last("POST").json == {"parameters": {}, "tasks": ["a", "b"], "reset": ["b"], "delay": 0}
    with pytest.raises(ValueError):
        client.executions.re_run("1", no_reset=["a"])
    assert client.executions.pause("1").status == "pausing"
    assert client.executions.resume("1").status == "resuming"
    assert [child.id for child in client.executions.get_children("1")] == ["3"]
    assert server.last("GET").query == {"depth": "-1"}


def test_aliases_inquiries_packs_workflows(server: AnsweringServer, client: Client) -> None:
    server.on("POST", "/actionalias/match", 200, {"actionalias": {"name": "al", "id": "1"}, "display": "d", "representation": "r"})
    alias, representation = client.managers["ActionAlias"].match(models.ActionAliasMatch(command="c"))
    assert (alias.name, representation) == ("al", "r")
    server.on("POST", "/aliasexecution/match_and_execute", 201, {"results": [{"execution": {"id": "e"}, "actionalias": {}, "message": "m"}]})
    assert client.managers["ActionAliasExecution"].match_and_execute(models.ActionAliasExecution(command="c")).execution["id"] == "e"
    server.routes[("PUT", "/inquiries/1")] = lambda request: (200, request.json)
    assert client.inquiries.respond(inquiry_id="1", inquiry_response={"a": 1}).response == {"a": 1}
    server.on("POST", "/packs/install", 202, {"execution_id": "e"})
    assert client.packs.install(["a"]).execution_id == "e"
    assert server.last("POST").json == {"packs": ["a"], "force": False, "skip_dependencies": False}
    with pytest.raises(TypeError):
        client.workflows.inspect({})  # type: ignore[arg-type]
    server.on("POST", "/webhooks/st2", 202, {"trigger": "t"})
    assert client.webhooks.post_generic_webhook("t", {"a": 1}, trace_tag="x") == {"trigger": "t"}
    assert server.last("POST").headers["st2-trace-tag"] == "x"
    server.on("GET", "/user", 200, {"username": "u"})
    assert client.get_user_info() == {"username": "u"}
    server.on("PUT", "/configs/p", 200, {"pack": "p", "values": {"a": 1}})
    client.managers["Config"].update(models.Config(pack="p", values={"a": 1}))
    assert server.last("PUT").json == {"a": 1}


def test_models__bags_of_attributes() -> None:
    action = models.Action(name="a", _private=1)
    assert action.serialize() == {"name": "a"}
    assert models.Action.deserialize('{"name": "b", "x": 1}').to_dict(exclude_attributes=["x"]) == {"name": "b"}
    with pytest.raises(AttributeError):
        _ = action.description


def test_stream__credentials_in_the_query(server: AnsweringServer, client: Client) -> None:
    server.on("GET", "/stream", 200, '\n\nevent: a\ndata: {"n": 1}\n\n\nevent: b\ndata: {"n":\ndata: 2}\n\n')
    events = list(client.managers["Stream"].listen(["a", "b"], token="t", api_key="k", end_event="b", end_execution_id="1"))
    assert events == [{"n": 1}, {"n": 2}]
    request = server.last("GET")
    assert request.query == {"x-auth-token": "t", "st2-api-key": "k", "events": "a,b", "end_event": "b", "end_execution_id": "1"}
    assert "x-auth-token" not in request.headers


def test_event_data__keep_alives_are_skipped() -> None:
    lines = iter([b"", b": comment", b"", b"event:x", b"data:1", b"", b"data: 2"])
    assert list(iter_event_data(lines)) == [("x", "1")]


def test_names_packs_import() -> None:
    from st2client.commands.action import LIVEACTION_COMPLETED_STATES, LIVEACTION_STATUS_TIMED_OUT
    from st2client.commands.resource import ResourceNotFoundError
    from st2client.config import get_config, set_config
    from st2client.exceptions.base import StackStormCLIBaseException
    from st2client.exceptions.operations import OperationFailureException
    from st2client.models.action_alias import ActionAlias, ActionAliasMatch
    from st2client.models.aliasexecution import ActionAliasExecution
    from st2client.models.core import ConfigManager, ResourceManager
    from st2client.models.keyvalue import KeyValuePair
    from st2client.shell import Shell
    from st2client.utils.httpclient import HTTPClient

    assert LIVEACTION_STATUS_TIMED_OUT == "timeout" and "canceled" in LIVEACTION_COMPLETED_STATES
    assert issubclass(OperationFailureException, StackStormCLIBaseException)
    assert all((ResourceNotFoundError, ActionAlias, ActionAliasMatch, ActionAliasExecution, ConfigManager, ResourceManager, KeyValuePair, Shell))
    assert all(hasattr(HTTPClient, name) for name in ("get", "post", "put", "delete"))
    set_config({"a": {}})
    assert get_config() == {"a": {}}
