"""Two workflow engines over one database: messages twice, late, lost or to the other engine; crashes between two steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from st2actions.workflows import WorkflowEngine
from st2common import states
from st2common.config import load_config
from st2common.execution.request import Request
from st2common.models.fields import unpack_json
from st2common.packs.registrar import Registrar
from st2common.platform import Platform
from st2common.store.executions import packed

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
_WORKFLOWS = {
    "two": """\
version: 1.0
tasks:
  one: {action: core.noop, next: [{when: <% succeeded() %>, publish: [{x: <% result().n %>}], do: two}]}
  two: {action: core.noop, next: [{publish: [{y: <% result().n %>}]}]}
output: [{x: <% ctx(x) %>}, {y: <% ctx(y) %>}]
""",
    "items": """\
version: 1.0
tasks:
  each:
    with:
      items: n in <% [0, 1, 2, 3] %>
      concurrency: 2
    action: core.noop
    next:
      - publish:
          - all: <% result().select($.n) %>
output:
  - all: <% ctx(all) %>
""",
    "broken": """\
version: 1.0
tasks:
  one: {action: core.noop, next: [{do: nowhere}]}
""",
}
_CHAINS = {
    "inner": """\
chain:
  - {name: one, ref: core.noop, on-success: two}
  - {name: two, ref: core.noop}
""",
    "outer": """\
chain:
  - {name: sub, ref: engines.inner, on-success: after}
  - {name: after, ref: core.noop}
""",
    "refused": """\
chain:
  - {name: bad, ref: core.local, parameters: {nothing: 1}, on-failure: handled}
  - {name: handled, ref: core.noop}
""",
    "uncastable": """\
chain:
  - {name: fine, ref: core.noop, on-success: bad}
  - {name: bad, ref: core.local, parameters: {cmd: date, env: word}, on-failure: fine}
""",
}


class World:
    """A database, a bus and two engines that do only what they are told."""

    def __init__(self, root: Path, database: str, bus: str) -> None:
        pack = root / "packs" / "engines"
        (pack / "actions" / "workflows").mkdir(parents=True)
        (pack / "pack.yaml").write_text("name: engines\nref: engines\nversion: 1.0.0\nauthor: t\nemail: t@example.com\ndescription: t\n")
        for runner, definitions in (("orquesta", _WORKFLOWS), ("action-chain", _CHAINS)):
            for name, text in definitions.items():
                (pack / "actions" / "workflows" / f"{name}.yaml").write_text(text)
                (pack / "actions" / f"{name}.yaml").write_text(f"name: {name}\nrunner_type: {runner}\nentry_point: workflows/{name}.yaml\n")
        conf = root / "st2.conf"
        name = f"w{ObjectId()}"
        conf.write_text(
            f"[system]\nbase_path = {root}\n[database]\nhost = {database}\ndb_name = {name}\n[messaging]\nurl = {bus}\nprefix = {name}\n"
            f"[content]\nsystem_packs_base_path = {root / 'packs'}\npacks_base_paths = {CONTRIB}\n[workflow_engine]\nsweep_idle_sec = 0\n"
        )
        self.config = load_config([str(conf)], environ={})
        self.platforms = [Platform(self.config) for _ in range(2)]
        self.store = self.platforms[0].store
        self.store.ensure_indexes()
        self.platforms[0].bus.declare()
        registrar = Registrar(self.store, pack_paths=[root / "packs", CONTRIB], base_path=root)
        registrar.register(["runners", "actions"], ["core", "engines"])
        self.first, self.second = (WorkflowEngine(platform) for platform in self.platforms)

    def close(self) -> None:
        self.store.executions.collection.database.client.drop_database(self.config.database.db_name)
        for platform in self.platforms:
            platform.close()

    def ask(self, workflow: str) -> str:
        return str(self.platforms[0].requests.submit(Request(action=f"engines.{workflow}", user="t"))["_id"])

    def children(self, id: str) -> list[dict[str, Any]]:
        return self.store.executions.children(id)

    def end(self, child: dict[str, Any], n: int, status: str = states.SUCCEEDED) -> tuple[ObjectId, list[dict[str, Any]]]:
        """End a child as a worker does; gives what the engine is told."""
        assert self.store.executions.transition(child["_id"], status, sources=[states.SCHEDULED], fields=packed(result={"n": n}))
        return ObjectId(child["workflow_execution"]), [{"child": str(child["_id"]), "status": status, "run": child["task_run"], "end_us": 1}]

    def status(self, id: str) -> str:
        document = self.store.executions.get(id)
        assert document is not None
        return str(document["status"])

    def result(self, id: str) -> Any:
        return unpack_json((self.store.executions.get(id) or {})["result"])

    def output(self, id: str) -> Any:
        document = self.store.executions.get(id)
        assert document is not None and document["status"] == states.SUCCEEDED, document
        return unpack_json(document["result"])["output"]


@pytest.fixture
def world(tmp_path: Path, database_url: str, valkey_url: str) -> Iterator[World]:
    made = World(tmp_path, database_url, valkey_url)
    yield made
    made.close()


def _failing_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """The next call meets a database that just went away."""
    real: Callable[..., Any] = getattr(owner, name)

    def fail(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        raise AutoReconnect("the database went away")

    monkeypatch.setattr(owner, name, fail)


def test_started_twice_by_two_engines(world: World) -> None:
    id = world.ask("two")
    for engine in (world.first, world.second, world.first, world.second):
        engine._start(id)
    assert len(world.children(id)) == 1
    assert world.status(id) == states.RUNNING


def test_engines_take_turns_on_one_run(world: World) -> None:
    id = world.ask("two")
    world.first._start(id)
    one = world.children(id)[0]
    news = world.end(one, 1)
    world.second.children_changed(*news)
    world.first.children_changed(*news)  # late and twice, to an engine whose memory is old
    assert len(world.children(id)) == 2
    two = next(child for child in world.children(id) if child["_id"] != one["_id"])
    world.first.children_changed(*world.end(two, 2))  # of a run that the first engine has never seen
    assert world.output(id) == {"x": 1, "y": 2}
    assert len(world.children(id)) == 2


def test_requests_reach_a_run_whatever_an_engine_remembers(world: World) -> None:
    id = world.ask("two")
    world.first._start(id)
    control = world.platforms[0].control
    control.pause(world.store.executions.get(id) or {}, "t")
    world.second.request(id)
    world.second.children_changed(*world.end(world.children(id)[0], 1))
    assert world.status(id) == states.PAUSED
    control.resume(world.store.executions.get(id) or {}, "t")
    world.first.request(id)  # this engine thinks that it runs
    assert world.status(id) == states.RUNNING and len(world.children(id)) == 2
    world.second.request(id)
    assert world.status(id) == states.RUNNING and len(world.children(id)) == 2


def test_paused_before_there_is_a_run(world: World) -> None:
    id = world.ask("two")
    assert world.store.executions.transition(id, states.RUNNING, sources=[states.SCHEDULED])
    world.platforms[0].control.pause(world.store.executions.get(id) or {}, "t")
    world.first.request(id)
    world.first._start(id)
    assert world.status(id) == states.PAUSING and len(world.children(id)) == 1
    world.first.children_changed(*world.end(world.children(id)[0], 1))
    assert world.status(id) == states.PAUSED and len(world.children(id)) == 1


def test_crash_between_step_and_what_follows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    id = world.ask("two")
    _failing_once(monkeypatch, world.first.steps.children, "request")
    with pytest.raises(AutoReconnect):
        world.first._start(id)
    assert world.children(id) == []
    world.first._start(id)
    assert len(world.children(id)) == 1
    news = world.end(world.children(id)[0], 1)
    _failing_once(monkeypatch, world.first.steps.children, "request")
    with pytest.raises(AutoReconnect):
        world.first.children_changed(*news)
    world.second.children_changed(*news)
    assert len(world.children(id)) == 2


def test_an_outage_inside_an_expression_is_not_the_workflows_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    id = world.ask("two")
    world.first._start(id)
    news = world.end(world.children(id)[0], 1)
    _failing_once(monkeypatch, world.first.steps.children, "result")
    with pytest.raises(AutoReconnect):
        world.first.children_changed(*news)
    assert world.status(id) == states.RUNNING
    world.first.children_changed(*news)
    assert len(world.children(id)) == 2


def test_sweeper_finds_what_was_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = world.second._sweeper.sweep
    monkeypatch.setattr(world.platforms[1].bus, "depth", lambda channel: 0)  # the messages wait here for ever, as nobody reads them
    id = world.ask("items")
    world.first._start(id)
    for n in range(4):
        open_children = [child for child in world.children(id) if child["status"] == states.SCHEDULED]
        assert len(open_children) == (2 if n < 3 else 1)
        world.end(min(open_children, key=lambda child: child["task_run"][1]), n)
        sweep()  # nobody told the engines
    assert world.output(id) == {"all": [0, 1, 2, 3]}


def test_sweeper_gives_an_execution_the_end_of_its_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.platforms[1].bus, "depth", lambda channel: 0)
    id = world.ask("two")
    world.first._start(id)
    news = world.end(world.children(id)[0], 1, states.FAILED)
    _failing_once(monkeypatch, world.first.steps.children._platform.store.executions, "transition")
    with pytest.raises(AutoReconnect):
        world.first.children_changed(*news)
    assert world.status(id) == states.RUNNING
    world.second._sweeper.sweep()
    assert world.status(id) == states.FAILED


def test_a_run_that_cannot_go_on_is_failed_with_the_reason(world: World) -> None:
    id = world.ask("two")
    world.first._start(id)
    workflow = world.store.workflows.by_execution(id)
    assert workflow is not None
    world.store.workflows.collection.update_one({"_id": workflow}, {"$set": {"definition": "gone"}, "$inc": {"rev": 1}})
    world.first._tell(world.end(world.children(id)[0], 1))
    document = world.store.executions.get(id) or {}
    assert document["status"] == states.FAILED
    assert "could not go on" in unpack_json(document["result"])["errors"][0]["message"]


def test_cancelled_before_it_began(world: World) -> None:
    id = world.ask("two")
    world.platforms[0].control.cancel(world.store.executions.get(id) or {}, "t")
    world.first.request(id)
    world.second._start(id)
    assert world.status(id) == states.CANCELED and world.children(id) == []


def test_rerun_of_tasks_that_has_nothing_to_go_on_with(world: World) -> None:
    def again(id: str) -> str:
        document = world.platforms[0].control.rerun(world.store.executions.get(id) or {}, user="t", parameters={}, tasks=["one"], reset=[])
        world.first._start(str(document["_id"]))
        ended = world.store.executions.get(document["_id"]) or {}
        assert ended["status"] == states.FAILED
        return str(unpack_json(ended["result"])["errors"][0]["message"])

    never_began = world.ask("broken")
    world.first._start(never_began)
    assert world.status(never_began) == states.FAILED
    assert again(never_began) == "Unable to rerun workflow execution because workflow_execution_id is not provided."
    purged = world.ask("two")
    world.first._start(purged)
    world.first.children_changed(*world.end(world.children(purged)[0], 1, states.FAILED))
    workflow = world.children(purged)[0]["workflow_execution"]
    world.store.workflows.collection.delete_one({"_id": ObjectId(workflow)})
    assert again(purged) == f'Unable to rerun workflow execution "{workflow}" because it does not exist.'


def _tell(world: World, id: str) -> None:
    """Bring the parent of a sub-workflow the news of its status."""
    child = world.store.executions.get(id) or {}
    world.first.children_changed(ObjectId(child["workflow_execution"]), [{"child": id}])


def _paused_sub_chain(world: World) -> tuple[str, str]:
    """A chain whose sub-chain was paused alone after its first task."""
    outer = world.ask("outer")
    world.first._start(outer)
    inner = str(world.children(outer)[0]["_id"])
    world.first._start(inner)
    world.platforms[0].control.pause(world.store.executions.get(inner) or {}, "t")
    world.first.request(inner)
    world.first.children_changed(*world.end(world.children(inner)[0], 1))
    assert world.status(inner) == states.PAUSED and [row["name"] for row in world.result(inner)["tasks"]] == ["one"]
    return outer, inner


def _resume(world: World, id: str) -> None:
    world.platforms[0].control.resume(world.store.executions.get(id) or {}, "t")
    world.second.request(id)


def _end_of_inner(world: World, inner: str) -> None:
    last = next(child for child in world.children(inner) if child["status"] == states.SCHEDULED)
    world.second.children_changed(*world.end(last, 2))
    assert world.status(inner) == states.SUCCEEDED
    _tell(world, inner)


def test_chain_stays_paused_when_only_its_sub_chain_is_resumed(world: World) -> None:
    outer, inner = _paused_sub_chain(world)
    _tell(world, inner)
    assert world.status(outer) == states.PAUSED
    [row] = world.result(outer)["tasks"]
    assert row["state"] == states.PAUSED and len(row["result"]["tasks"]) == 1
    _resume(world, inner)
    _end_of_inner(world, inner)
    assert world.status(outer) == states.PAUSED and world.result(outer)["tasks"] == [row] and len(world.children(outer)) == 1
    _resume(world, outer)
    assert world.status(outer) == states.RUNNING and len(world.children(outer)) == 2
    after = next(child for child in world.children(outer) if str(child["_id"]) != inner)
    world.first.children_changed(*world.end(after, 3))
    assert world.status(outer) == states.SUCCEEDED
    assert [(entry["state"], len(entry["result"].get("tasks", []))) for entry in world.result(outer)["tasks"]] == [("succeeded", 2), ("succeeded", 0)]


def test_chain_that_is_resumed_takes_its_sub_chain_with_it(world: World) -> None:
    outer, inner = _paused_sub_chain(world)
    _tell(world, inner)
    _resume(world, outer)
    assert world.status(inner) == states.RESUMING and world.status(outer) == states.RUNNING
    world.first.request(inner)
    _end_of_inner(world, inner)
    assert world.status(outer) == states.RUNNING and len(world.children(outer)) == 2


def test_chain_goes_on_when_its_sub_chain_did_before_the_pause_was_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    outer, inner = _paused_sub_chain(world)
    transition = world.first.platform.store.executions.transition

    def slow(id: Any, to: str, **given: Any) -> bool:
        if str(id) == outer and to == states.PAUSED and world.status(inner) == states.PAUSED:
            _resume(world, inner)  # an answer to an inquiry would find the outer chain running
        return transition(id, to, **given)

    monkeypatch.setattr(world.first.platform.store.executions, "transition", slow)
    _tell(world, inner)
    assert world.status(outer) == states.RUNNING
    _end_of_inner(world, inner)
    assert world.status(outer) == states.RUNNING and len(world.children(outer)) == 2


def test_chain_task_whose_action_refuses_its_parameters_has_failed(world: World) -> None:
    id = world.ask("refused")
    world.first._start(id)
    [child] = world.children(id)
    world.first.children_changed(*world.end(child, 1))
    assert world.status(id) == states.SUCCEEDED
    bad, handled = world.result(id)["tasks"]
    assert bad["state"] == states.FAILED and bad["execution_id"] is None and bad["result"]["error"].startswith('Task "bad" failed: ')
    assert handled["execution_id"] == str(child["_id"])


def test_chain_parameter_that_cannot_be_cast_ends_the_chain(world: World) -> None:
    id = world.ask("uncastable")
    world.first._start(id)
    world.first.children_changed(*world.end(world.children(id)[0], 1))
    assert world.status(id) == states.FAILED
    result = world.result(id)
    assert result.keys() == {"error", "traceback"}
    assert result["error"].startswith('Failed to cast value "word" (type: str) for parameter "env" of type "object": ')
