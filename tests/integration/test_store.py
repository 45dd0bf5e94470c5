"""The store against a real database: atomic changes, races, idempotent inserts, leases under a clock that moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymongo
import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from st2common import states
from st2common.clock import Clock
from st2common.exceptions import Conflict, Invalid
from st2common.models import RuleEnforcement, TriggerInstance
from st2common.models.fields import unpack_json
from st2common.refs import derived_id
from st2common.store import Store
from st2common.store.executions import OWED, NewExecution, packed
from st2common.store.query import Query


class MovableClock(Clock):
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.offset_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.offset_us

    def move(self, seconds: float) -> None:
        self.offset_us += int(seconds * 1_000_000)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(database_url: str, clock: MovableClock, request: pytest.FixtureRequest) -> Iterator[Store]:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(database_url, retryWrites=False)
    name = f"s{ObjectId()}"
    made = Store(client[name], clock)
    made.ensure_indexes()
    yield made
    client.drop_database(name)
    client.close()


def an_execution(**values: Any) -> NewExecution:
    named: dict[str, Any] = {
        "action_ref": "core.noop", "runner_name": "noop", "action_snapshot": "a", "runner_snapshot": "r", "parameters": {}, "context": {},
        "user": "u", "trace_id": str(ObjectId()), "status": states.SCHEDULED,
    }  # fmt: skip
    return NewExecution(**{**named, **values})


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work`` in as many threads, started at once."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        barrier.wait(10)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


# -- executions ------------------------------------------------------------------------------------------------------------------


def test_request__same_id_twice__is_stored_once(store: Store) -> None:
    id = ObjectId()
    first, created = store.executions.request(an_execution(id=id, parameters={"n": 1}))
    again, created_again = store.executions.request(an_execution(id=id, parameters={"n": 2}))
    assert (created, created_again) == (True, False)
    assert unpack_json(again["parameters"], {}) == unpack_json(first["parameters"], {}) == {"n": 1}
    assert store.executions.collection.count_documents({}) == 1


def test_claim__eight_workers_at_once__one_has_it(store: Store) -> None:
    for _ in range(5):
        document, _ = store.executions.request(an_execution())
        claimed = together(8, lambda number, id=document["_id"]: store.executions.claim(id, f"w{number}", {"pid": number}, f"t{number}"))
        winners = [row for row in claimed if row is not None]
        assert len(winners) == 1
        stored = store.executions.get(document["_id"])
        assert stored is not None
        assert (stored["status"], stored["owner"]) == (states.RUNNING, winners[0]["owner"])
        assert [status for _, status in stored["log"]] == ["requested", "scheduled", "running"]


def test_claim__cancelled_meanwhile__is_refused(store: Store) -> None:
    document, _ = store.executions.request(an_execution())
    assert store.executions.transition(document["_id"], states.CANCELED)
    assert store.executions.claim(document["_id"], "w", {}, None) is None


def test_finish__only_by_the_owner__only_once(store: Store) -> None:
    document, _ = store.executions.request(an_execution())
    id = document["_id"]
    store.executions.claim(id, "w1", {}, "hash")
    end = packed(result={"x": 1})
    assert not store.executions.transition(id, states.SUCCEEDED, owner="w2", fields=end)
    done = together(4, lambda _: store.executions.transition(id, states.SUCCEEDED, owner="w1", fields=end))
    assert sorted(done) == [False, False, False, True]
    stored = store.executions.get(id)
    assert stored is not None
    assert "owner" not in stored
    assert stored["end_us"] >= stored["start_us"]
    assert unpack_json(stored["result"]) == {"x": 1}


def test_cancel_and_finish__at_once__exactly_one_wins(store: Store) -> None:
    for _ in range(10):
        document, _ = store.executions.request(an_execution())
        id = document["_id"]
        store.executions.claim(id, "w", {}, None)
        done = together(
            2, lambda number, id=id: store.executions.transition(id, (states.SUCCEEDED, states.TIMEOUT)[number], sources=[states.RUNNING], owner="w")
        )
        assert sorted(done) == [False, True]


def test_service_token__valid_while_the_execution_runs(store: Store) -> None:
    document, _ = store.executions.request(an_execution())
    store.executions.claim(document["_id"], "w", {}, "hash")
    found = store.executions.by_token("hash")
    assert found is not None and found["_id"] == document["_id"]
    store.executions.transition(document["_id"], states.SUCCEEDED)
    assert store.executions.by_token("hash") is None
    assert store.executions.by_token("other") is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(states.STATUSES), max_size=8), begin=st.sampled_from([states.REQUESTED, states.SCHEDULED, states.DELAYED]))
def test_transitions__any_order__stay_within_the_table(store: Store, steps: list[str], begin: str) -> None:
    document, _ = store.executions.request(an_execution(status=begin))
    id, current = document["_id"], begin
    logged = [status for _, status in document["log"]]
    for to in steps:
        allowed = to in states.TRANSITIONS[current]
        assert store.executions.transition(id, to) is allowed
        if allowed:
            current = to
            logged.append(to)
    stored = store.executions.get(id)
    assert stored is not None
    assert stored["status"] == current
    assert [status for _, status in stored["log"]] == logged
    assert ("end_us" in stored) is (current in states.FINAL)


def test_transitions__final_is_final() -> None:
    assert all(not states.TRANSITIONS[status] for status in states.FINAL)
    reachable = {states.REQUESTED}
    for _ in states.STATUSES:
        reachable |= {to for status in reachable for to in states.TRANSITIONS[status]}
    assert reachable == set(states.STATUSES)
    for status in set(states.STATUSES) - states.FINAL:
        assert states.TRANSITIONS[status] & states.FINAL, f"{status} must be able to end"


def test_waiting__is_first_come_first_served(store: Store, clock: MovableClock) -> None:
    ids = []
    for _ in range(5):
        document, _ = store.executions.request(an_execution(status=states.DELAYED))
        ids.append(document["_id"])
        clock.move(0.001)
    with_delay, _ = store.executions.request(an_execution(status=states.DELAYED, due_us=clock.now_us() + 10**9))
    assert [row["_id"] for row in store.executions.waiting("core.noop", 3)] == ids[:3]
    assert with_delay["_id"] not in [row["_id"] for row in store.executions.waiting("core.noop", 99)]


def test_due__a_delayed_execution_appears_when_its_time_has_come(store: Store, clock: MovableClock) -> None:
    document, _ = store.executions.request(an_execution(status=states.DELAYED, due_us=clock.now_us() + 60_000_000))
    assert store.executions.due(clock.now_us()) == []
    clock.move(61)
    assert [row["_id"] for row in store.executions.due(clock.now_us())] == [document["_id"]]


def test_unannounced__old_ones_only__and_not_again_soon(store: Store, clock: MovableClock) -> None:
    document, _ = store.executions.request(an_execution())
    assert store.executions.unannounced(states.SCHEDULED, 30) == []
    clock.move(31)
    assert [row["_id"] for row in store.executions.unannounced(states.SCHEDULED, 30)] == [document["_id"]]
    store.executions.mark_announced([document["_id"]])
    assert store.executions.unannounced(states.SCHEDULED, 30) == []
    clock.move(31)
    assert len(store.executions.unannounced(states.SCHEDULED, 30)) == 1


def test_debt__stays_until_it_is_settled(store: Store, clock: MovableClock) -> None:
    document, _ = store.executions.request(an_execution())
    id = document["_id"]
    store.executions.claim(id, "w", {}, None)
    store.executions.transition(id, states.SUCCEEDED, fields={"after_us": clock.now_us()}, new_link=OWED)
    assert store.executions.owed(20) == []
    clock.move(21)
    assert [row["_id"] for row in store.executions.owed(20)] == [id]
    assert store.executions.settle(id)
    assert not store.executions.settle(id)
    assert store.executions.owed(20) == []


def test_children__found_by_parent_and_workflow(store: Store) -> None:
    parent, workflow = str(ObjectId()), str(ObjectId())
    ids = {store.executions.request(an_execution(parent=parent, workflow_execution=workflow))[0]["_id"] for _ in range(3)}
    store.executions.request(an_execution())
    assert {row["_id"] for row in store.executions.children(parent)} == ids
    assert {row["_id"] for row in store.executions.of_workflow(workflow)} == ids
    assert set(store.executions.child_ids([parent, str(ObjectId())])[parent]) == {str(id) for id in ids}


def test_page__newest_first__counts_all(store: Store, clock: MovableClock) -> None:
    ids = []
    for _ in range(7):
        ids.append(store.executions.request(an_execution())[0]["_id"])
        clock.move(0.01)
    page = store.executions.page(Query(sort=[("start_us", -1)], limit=3, offset=2))
    assert ([row["_id"] for row in page.documents], page.total) == ([ids[4], ids[3], ids[2]], 7)
    newest = store.executions.newest()
    assert newest is not None and newest["_id"] == ids[-1]


@pytest.mark.parametrize("limit", [2, None])
def test_page__beyond_the_end__is_empty_and_counts_all(store: Store, limit: int | None) -> None:
    for _ in range(3):
        store.executions.request(an_execution())
    page = store.executions.page(Query(limit=limit, offset=50))
    assert (page.documents, page.total) == ([], 3)


def test_page__old_executions__are_found_beyond_every_window(store: Store, clock: MovableClock) -> None:
    clock.move(-400 * 86400)
    old = store.executions.request(an_execution())[0]["_id"]
    clock.move(400 * 86400)
    new = store.executions.request(an_execution())[0]["_id"]
    page = store.executions.page(Query(sort=[("start_us", -1)], limit=10))
    assert [row["_id"] for row in page.documents] == [new, old]


# -- events and enforcements -------------------------------------------------------------------------------------------------------


def an_event(id: ObjectId | None = None) -> TriggerInstance:
    return TriggerInstance.from_mongo(
        {"_id": id or ObjectId(), "trigger": "core.x", "occurrence_time": Clock().now_us(), "status": "pending", "open": Clock().now_us()}
    )


def test_events__a_message_that_comes_twice__is_stored_once(store: Store) -> None:
    first, second, third = an_event(), an_event(), an_event()
    assert store.instances.add_many([first, second]) == set()
    assert store.instances.add_many([second, third]) == {second.id}
    assert store.instances.collection.count_documents({}) == 3
    assert store.instances.add_many([]) == set()


def test_events__unfinished_ones_are_found_after_a_while(store: Store, clock: MovableClock) -> None:
    done, lost = an_event(), an_event()
    store.instances.add_many([done, lost])
    store.instances.finish([done.id], "processed")
    assert store.instances.stale(30) == []
    clock.move(31)
    assert [item.id for item in store.instances.stale(30)] == [lost.id]
    assert store.instances.statuses([done.id]) == {done.id: "processed"}


def test_enforcements__rule_and_event__once(store: Store) -> None:
    event = ObjectId()
    id = derived_id(event, "rule", "examples.r")
    assert id == derived_id(event, "rule", "examples.r") != derived_id(event, "rule", "examples.q")

    def add(_: int) -> bool:
        values = {"_id": id, "rule_id": "r", "rule_ref": "examples.r", "trigger_instance_id": str(event), "enforced_at": 1, "status": "succeeded"}
        return store.enforcements.add(RuleEnforcement.from_mongo(values))

    assert sorted(together(8, add)) == [False] * 7 + [True]


# -- leases, revisions, keys ---------------------------------------------------------------------------------------------------------


def test_lease__eight_at_once__one_holds_it(store: Store) -> None:
    for number in range(5):
        taken = together(8, lambda owner, name=f"l{number}": store.leases.take(name, f"o{owner}", 30))
        assert sum(taken) == 1


def test_lease__expires__and_then_belongs_to_whoever_takes_it(store: Store, clock: MovableClock) -> None:
    assert store.leases.take("timer", "a", 10, kind="timer", info={"n": 1})
    assert not store.leases.take("timer", "b", 10)
    clock.move(6)
    assert store.leases.take("timer", "a", 10, kind="timer"), "renewed"
    clock.move(6)
    assert not store.leases.take("timer", "b", 10), "the renewal counts from when it was made"
    assert [holder["owner"] for holder in store.leases.holders("timer")] == ["a"]
    clock.move(5)
    assert store.leases.holders("timer") == []
    assert store.leases.take("timer", "b", 10, kind="timer")
    assert not store.leases.take("timer", "a", 10)
    assert not store.leases.release("timer", "a"), "no longer its own"
    assert store.leases.release("timer", "b")
    assert store.leases.take("timer", "a", 10)


def test_lease__expired__eight_at_once__one_gets_it(store: Store, clock: MovableClock) -> None:
    for number in range(5):
        store.leases.take(f"l{number}", "dead", 1)
        clock.move(2)
        assert sum(together(8, lambda owner, name=f"l{number}": store.leases.take(name, f"o{owner}", 30))) == 1


def test_revisions__many_writers__none_is_lost(store: Store) -> None:
    store.revisions.bump("rule")
    together(8, lambda _: [store.revisions.bump("rule", "trigger") for _ in range(5)])
    assert store.revisions.read() == {"rule": 41, "trigger": 40}


def test_keys__set_keeps_the_id__expires_by_the_clock(store: Store, clock: MovableClock) -> None:
    first, old = store.keys.set("st2kv.system", "k", "1", ttl_s=60)
    assert old is None
    assert store.keys.read("st2kv.system", "k") == "1"
    second, old = store.keys.set("st2kv.system", "k", "2", ttl_s=60)
    assert second.id == first.id and old is not None and old.value == "1"
    clock.move(61)
    assert store.keys.get("st2kv.system", "k") is None
    assert store.keys.read("st2kv.system", "k") is None
    third, old = store.keys.set("st2kv.system", "k", "3")
    assert old is None and third.value == "3"
    clock.move(10_000)
    assert store.keys.read("st2kv.system", "k") == "3"
    assert store.keys.delete("st2kv.system", "k") is not None
    assert store.keys.delete("st2kv.system", "k") is None


def test_keys__eight_writers_at_once__one_document(store: Store) -> None:
    together(8, lambda number: store.keys.set("st2kv.system", "k", str(number)))
    assert store.keys.collection.count_documents({"name": "k"}) == 1


# -- catalog -------------------------------------------------------------------------------------------------------------------------


def a_rule(name: str = "r") -> dict[str, Any]:
    return {"name": name, "pack": "examples", "trigger": {"type": "core.x", "ref": "core.x"}, "action": {"ref": "core.noop"}, "criteria": {}}


def test_catalog__same_name_twice__is_a_conflict_that_names_the_holder(store: Store) -> None:
    before = store.revisions.read().get("rule", 0)
    first = store.catalog.insert("rule", a_rule())
    with pytest.raises(Conflict) as caught:
        store.catalog.insert("rule", a_rule())
    assert caught.value.conflict_id == str(first.id)
    assert store.revisions.read()["rule"] == before + 1


def test_catalog__upsert_by_eight_at_once__one_document(store: Store) -> None:
    together(8, lambda _: store.catalog.upsert("rule", a_rule()))
    assert len(store.catalog.find_all("rule")) == 1


def test_catalog__a_value_of_the_wrong_type__is_refused(store: Store) -> None:
    with pytest.raises(Invalid):
        store.catalog.insert("rule", {**a_rule(), "description": ["no", "text"]})
    assert store.catalog.by_ref_or_id("rule", "examples.r") is None


def test_triggers__shared_by_equal_parameters__gone_with_the_last_rule(store: Store) -> None:
    parameters = {"url": "/alerts/"}
    first = store.triggers.for_rule("core.st2.webhook", parameters)
    second = store.triggers.for_rule("core.st2.webhook", dict(parameters))
    assert first.id == second.id
    assert [item.id for item in store.triggers.by_hook("alerts")] == [first.id]
    assert store.triggers.release(first.ref) is None
    assert store.triggers.release(first.ref) is not None
    assert store.triggers.by_hook("alerts") == []


def test_indexes__are_made_once_and_used_by_the_hot_paths(store: Store) -> None:
    store.ensure_indexes()
    indexes = store.executions.collection.index_information()
    assert {tuple(name for name, _ in index["key"]) for index in indexes.values()} == {
        ("_id",), ("start_us",), ("action_ref", "start_us"), ("status", "start_us"), ("links",),
    }  # fmt: skip
