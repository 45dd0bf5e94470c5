"""Lists: filters, pages, order, attributes (api.md 2.4), on executions and on content."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.api.conftest import Api


@pytest.fixture(scope="module")
def runs(api: Api) -> Iterator[dict[str, Any]]:
    """An action of one's own with five executions in a known order; the last one is a child of the first."""
    name = f"listed_{uuid.uuid4().hex}"
    api("POST", "/actions", {"name": name, "pack": "default", "runner_type": "noop", "parameters": {"n": {"type": "integer"}}})
    ref = f"default.{name}"
    ids: list[str] = []
    for n in range(5):
        context = {"parent": {"execution_id": ids[0]}} if n == 4 else {}
        answer = api("POST", "/executions", {"action": ref, "parameters": {"n": n}, "context": context})
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
    for id in ids:
        api.result_of(id)
    yield {"ref": ref, "ids": ids}
    api("DELETE", f"/actions/{ref}")


def ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer.json()]


def test_newest_first_and_pages(api: Api, runs: dict[str, Any]) -> None:
    answer = api("GET", f"/executions?action={runs['ref']}")
    assert ids(answer) == runs["ids"][::-1]
    assert (answer.headers["X-Total-Count"], answer.headers["X-Limit"]) == ("5", "100")
    answer = api("GET", f"/executions?action={runs['ref']}&limit=2&offset=1")
    assert ids(answer) == runs["ids"][::-1][1:3]
    assert (answer.headers["X-Total-Count"], answer.headers["X-Limit"]) == ("5", "2")
    assert ids(api("GET", f"/executions?action={runs['ref']}&offset=50")) == []
    assert "X-Limit" not in api("GET", f"/executions?action={runs['ref']}&limit=-1").headers


def test_oldest_first(api: Api, runs: dict[str, Any]) -> None:
    assert ids(api("GET", f"/executions?action={runs['ref']}&sort_asc=1")) == runs["ids"]
    assert ids(api("GET", f"/executions?action={runs['ref']}&timestamp_gt=2020-01-01T00:00:00Z")) == runs["ids"]
    assert ids(api("GET", f"/executions?action={runs['ref']}&timestamp_gt=2020-01-01T00:00:00Z&sort_desc=1")) == runs["ids"][::-1]
    assert ids(api("GET", f"/executions?action={runs['ref']}&timestamp_lt=2020-01-01T00:00:00Z")) == []


def test_by_relation(api: Api, runs: dict[str, Any]) -> None:
    first, last = runs["ids"][0], runs["ids"][-1]
    assert ids(api("GET", f"/executions?parent={first}")) == [last]
    assert last not in ids(api("GET", f"/executions?action={runs['ref']}&parent=NULL"))
    assert ids(api("GET", f"/executions?id={first},{last},nonsense")) == [last, first]
    liveaction = api("GET", f"/executions/{first}").json()["liveaction"]["id"]
    assert ids(api("GET", f"/executions?liveaction={liveaction}")) == [first]
    assert ids(api("GET", f"/executions/{first}/children")) == [last]
    assert ids(api("GET", f"/executions/{first}/children?depth=0")) == []


def test_first_page_sees_every_change(api: Api, runs: dict[str, Any]) -> None:
    before = int(api("GET", "/executions?limit=1").headers["X-Total-Count"])
    id = api("POST", "/executions", {"action": runs["ref"], "delay": 400}).json()["id"]
    shape = "&include_attributes=status"
    answer = api("GET", f"/executions?limit=1{shape}")
    assert answer.json() == [{"id": id, "status": "delayed"}]
    assert int(answer.headers["X-Total-Count"]) == before + 1
    api.result_of(id)
    assert api("GET", f"/executions?limit=1{shape}").json() == [{"id": id, "status": "succeeded"}]
    assert api("GET", "/executions/last").json()["id"] == id


def test_attributes(api: Api, runs: dict[str, Any]) -> None:
    path = f"/executions?id={runs['ids'][1]}"
    assert set(api("GET", f"{path}&include_attributes=parameters,action.ref").json()[0]) == {"id", "parameters", "action"}
    assert "result" not in api("GET", f"{path}&exclude_attributes=result,status").json()[0]
    for wrong in (
        "include_attributes=zzz",
        "exclude_attributes=context",
        "include_attributes=result.x",
        "include_attributes=id&exclude_attributes=status",
    ):
        assert api("GET", f"{path}&{wrong}").status_code == 400, wrong
    one = api("GET", "/rules?limit=1&include_attributes=enabled").json()[0]
    assert set(one) == {"id", "ref", "enabled"}


@pytest.mark.parametrize("query", ["limit=0", "limit=-2", "limit=1.5", "offset=2147483648", "offset=-1", "limit=x", "timestamp=yesterday"])
def test_wrong_parameters(api: Api, query: str) -> None:
    name = query.partition("=")[0]
    answer = api("GET", f"/executions?{query}")
    assert answer.status_code == 400
    assert name == "timestamp" or name in answer.json()["faultstring"].lower()


def test_sort(api: Api) -> None:
    up = [item["name"] for item in api("GET", "/runnertypes?sort=name&include_attributes=name").json()]
    down = [item["name"] for item in api("GET", "/runnertypes?sort=-name,zzz&include_attributes=name").json()]
    assert up == sorted(up) and down == up[::-1]


def test_filter_values(api: Api, runs: dict[str, Any]) -> None:
    found = api("GET", "/executions/views/filters?types=action,status").json()
    assert set(found) == {"action", "status"}
    assert runs["ref"] in found["action"] and "succeeded" in found["status"]


def test_methods_and_paths_that_are_not_there(api: Api) -> None:
    for method, path in (("PATCH", "/actions"), ("HEAD", "/actions"), ("POST", "/keys"), ("GET", "/nosuch"), ("DELETE", "/packs/core")):
        assert api(method, path).status_code == 404, (method, path)
    assert api("OPTIONS", "/anything").status_code == 200


def test_alias_paths(api: Api, runs: dict[str, Any]) -> None:
    id = runs["ids"][0]
    for path in (f"/v1/actionexecutions/{id}", f"/executions/{id}", f"/v1/executions/{id}/"):
        assert api._session.get(f"{api.url}{path}", timeout=30).json()["id"] == id
