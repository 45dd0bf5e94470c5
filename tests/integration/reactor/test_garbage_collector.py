"""The garbage collector over a real database, with a clock that can be moved (reactor.md section 8)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from st2common.clock import Clock
from st2common.config import Config
from st2common.exceptions import ConfigError
from st2common.models.fields import pack_json
from st2common.packs.registrar import Registrar
from st2common.platform import Platform
from st2common.store import Store
from st2common.store.workflows import StoredWorkflow
from st2reactor.garbage_collector import GarbageCollector
from st2reactor.garbage_collector.service import KINDS
from tests.running import RunningPlatform, wait_until

DAY_US = 86_400 * 1_000_000


class MovedClock(Clock):
    """The machine's clock, some days ahead."""

    def __init__(self) -> None:
        self.days = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(days=self.days)

    def now_us(self) -> int:
        return super().now_us() + int(self.days * DAY_US)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def made(database: Store, database_url: str, valkey_url: str, clock: MovedClock) -> Iterator[Callable[..., GarbageCollector]]:
    """Makes a collector with options of ``[garbagecollector]`` over an empty database."""
    platforms = []

    def make(**options: Any) -> GarbageCollector:
        config = Config()
        config.database.host, config.database.db_name = database_url, database.database.name
        config.messaging.url, config.messaging.prefix = valkey_url, database.database.name
        config.garbagecollector.sleep_delay = 0
        config.garbagecollector.action_executions_output_ttl = 0
        for name, value in options.items():
            section = config.workflow_engine if name == "gc_max_idle_sec" else config.garbagecollector
            assert hasattr(section, name)
            setattr(section, name, value)
        platform = Platform(config, clock)
        platforms.append(platform)
        return GarbageCollector(platform)

    yield make
    for platform in platforms:
        platform.close()


def execution(now: int, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    document = {
        "_id": ObjectId(), "status": status, "action_ref": "core.noop", "runner_name": "noop", "start_us": now, "end_us": now, "links": [], "log": [],
        "parameters": pack_json({}), "context": pack_json({"user": "x"}), "action_snapshot": "", "runner_snapshot": "",
    }  # fmt: skip
    return {**document, **more}


def left(collection: Any) -> set[ObjectId]:
    return {row["_id"] for row in collection.find({}, {"_id": 1})}


def test_nothing_by_default__but_output_after_a_week(database: Store, made: Callable[..., GarbageCollector], clock: MovedClock) -> None:
    assert Config().garbagecollector.action_executions_output_ttl == 7
    now = clock.now_us()
    kept = execution(now)
    database.executions.collection.insert_one(kept)
    database.outputs.add(str(kept["_id"]), 0, [[now, "stdout", "x"]])
    clock.days = 6.9
    assert made(action_executions_output_ttl=7).collect() == {"action_executions_output_ttl": 0}
    clock.days = 7.1
    assert made(action_executions_output_ttl=7).collect() == {"action_executions_output_ttl": 1}
    clock.days = 10_000
    assert made().collect() == {}
    assert left(database.executions.collection) == {kept["_id"]}


def test_executions__ended_ones__with_their_output(database: Store, made: Callable[..., GarbageCollector], clock: MovedClock) -> None:
    now = clock.now_us()
    gone = [execution(now, status) for status in ("succeeded", "failed", "timeout", "canceled")]
    stays = [execution(now, status) for status in ("abandoned", "running", "paused", "requested")]
    stays.append(execution(now, end_us=now + 3 * DAY_US))
    database.executions.collection.insert_many([*gone, *stays])
    for document in (*gone, *stays):
        database.outputs.add(str(document["_id"]), 0, [[now, "stdout", "x"]])
    clock.days = 2.5
    assert made(action_executions_ttl=2).collect() == {"action_executions_ttl": 4}
    assert left(database.executions.collection) == {document["_id"] for document in stays}
    assert {row["execution_id"] for row in database.outputs.collection.find()} == {str(document["_id"]) for document in stays}


@pytest.mark.parametrize(
    ("option", "collection", "field"),
    [
        ("trigger_instances_ttl", "trigger_instances", "occurrence_time"),
        ("tokens_ttl", "tokens", "expiry"),
        ("rule_enforcements_ttl", "rule_enforcements", "enforced_at"),
    ],
)
def test_by_moment(
    database: Store, made: Callable[..., GarbageCollector], clock: MovedClock, option: str, collection: str, field: str
) -> None:  # fmt: skip
    now = clock.now_us()
    documents = [{"_id": ObjectId(), field: now - days * DAY_US, "token_hash": str(days)} for days in (1, 2, 4, 5)]
    database.database[collection].insert_many(documents)
    assert made(**{option: 3}).collect() == {option: 2}
    assert left(database.database[collection]) == {document["_id"] for document in documents[:2]}
    clock.days = 10
    assert made(**{option: 3}).collect() == {option: 2}


def test_workflows__with_their_parts(database: Store, made: Callable[..., GarbageCollector], clock: MovedClock) -> None:
    runs = {}
    for status in ("succeeded", "running"):
        run = StoredWorkflow(ObjectId(), str(ObjectId()), "orquesta", status, "", {}, parts={"context": {"large": "x" * 20_000}})
        assert database.workflows.create(run)
        runs[status] = run
    clock.days = 3
    assert made(workflow_executions_ttl=2).collect() == {"workflow_executions_ttl": 1}
    assert left(database.workflows.collection) == {runs["running"].id}
    assert [row["workflow"] for row in database.database["workflow_parts"].find()] == [str(runs["running"].id)]


def test_inquiries__past_their_ttl__time_out(database: Store, made: Callable[..., GarbageCollector], clock: MovedClock) -> None:
    now = clock.now_us()
    asked = [execution(now, "pending", runner_name="inquirer", result=pack_json({"ttl": minutes, "route": ""})) for minutes in (60, 24 * 60 * 3, 0)]
    for document in asked:
        del document["end_us"]
    database.executions.collection.insert_many(asked)
    clock.days = 1
    made().collect()
    assert {row["status"] for row in database.executions.collection.find()} == {"pending"}, "switched off by default"
    made(purge_inquiries=True).collect()
    statuses = {row["_id"]: row["status"] for row in database.executions.collection.find()}
    assert [statuses[document["_id"]] for document in asked] == ["timeout", "pending", "pending"]


def test_orphaned_workflows__are_cancelled(database: Store, made: Callable[..., GarbageCollector], clock: MovedClock) -> None:
    now = clock.now_us()
    Registrar(database, pack_paths=[], base_path=None).register(types=["runners"])  # type: ignore[arg-type]
    idle, busy = (execution(now, "running", is_workflow=True, runner_name="orquesta") for _ in range(2))
    child = execution(now, "running")
    for document in (idle, busy, child):
        del document["end_us"]
    for document in (idle, busy):
        run = StoredWorkflow(ObjectId(), str(document["_id"]), "orquesta", "running", "", {})
        database.workflows.create(run)
        if document is busy:
            child["links"] = [f"workflow:{run.id}"]
    database.executions.collection.insert_many([idle, busy, child])
    clock.days = 0.5
    made().collect()
    assert {row["status"] for row in database.executions.collection.find()} == {"running"}
    made(gc_max_idle_sec=3600).collect()
    statuses = {row["_id"]: row["status"] for row in database.executions.collection.find()}
    assert [statuses[document["_id"]] for document in (idle, busy, child)] == ["canceling", "running", "running"]


def test_leases_of_the_dead__are_forgotten(database: Store, made: Callable[..., GarbageCollector], clock: MovedClock) -> None:
    for kind in ("service", "worker", "sensor", "sensor_node", "delivery"):
        database.leases.take(f"{kind}:x", "me", 1, kind=kind)
    database.leases.take("garbage", "me", 1)
    made().collect()
    assert database.database["leases"].count_documents({}) == 6
    clock.days = 1
    made().collect()
    assert [row["_id"] for row in database.database["leases"].find()] == ["garbage"]


def test_one_kind_fails__the_others_go_on(database: Store, made: Callable[..., GarbageCollector], monkeypatch: pytest.MonkeyPatch) -> None:
    from pymongo.errors import OperationFailure

    import st2reactor.garbage_collector.service as module

    database.tokens.collection.insert_one({"expiry": 0, "token_hash": "x"})
    real = module.remove_older

    def failing(store: Store, kind: Any, *arguments: Any, **more: Any) -> int:
        if kind is KINDS["trigger_instances_ttl"]:
            raise OperationFailure("no")
        return real(store, kind, *arguments, **more)

    monkeypatch.setattr(module, "remove_older", failing)
    assert made(trigger_instances_ttl=1, tokens_ttl=1).collect() == {"tokens_ttl": 1}


@pytest.mark.parametrize("option", KINDS)
def test_a_ttl_below_a_day__is_refused(made: Callable[..., GarbageCollector], option: str) -> None:
    with pytest.raises(ConfigError, match=f"Minimum possible TTL for {option} in days is 1"):
        made(**{option: -1})


def test_sigusr2__collects_now(platform: RunningPlatform) -> None:
    log = platform.data_dir / "logs" / "st2engines.log"

    def runs() -> int:
        return log.read_text(errors="replace").count("st2reactor.garbage_collector: collected")

    wait_until(lambda: runs() >= 1, 15, "the collector has run once, soon after the start")
    before = runs()
    os.kill(platform.pids("st2engines")[0], signal.SIGUSR2)
    wait_until(lambda: runs() > before, 15, "it runs again")
