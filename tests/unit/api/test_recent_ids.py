"""The newest ids of a collection, kept by a process."""

from __future__ import annotations

import threading
import time
from typing import Any

from bson import ObjectId

from st2common.store import Store, counts
from st2common.store.query import Query, run
from st2common.store.recent import Recent


def add(database: Store, moment: int) -> ObjectId:
    id = ObjectId()
    database.executions.collection.insert_one({"_id": id, "start_us": moment})
    return id


def now() -> int:
    return time.time_ns() // 1000


def test_sees_what_came_and_what_went(database: Store) -> None:
    recent = Recent(database.executions.collection, "start_us", {}, keep=5)
    assert recent.page(10) == ([], 0)
    ids = [add(database, now() + n) for n in range(4)]
    assert recent.page(10) == (ids[::-1], 4)
    assert recent.page(2, 1) == (ids[::-1][1:3], 4)
    late = add(database, now() - 100_000)
    assert set(recent.page(10)[0]) == {*ids, late}
    database.executions.collection.delete_one({"_id": late})
    recent.forget({late})
    assert recent.page(10) == (ids[::-1], 4)


def test_pages_beyond_what_is_kept_are_not_known(database: Store) -> None:
    recent = Recent(database.executions.collection, "start_us", {}, keep=5)
    start = now() - 1000
    recent.page(1)
    ids = [add(database, start + n) for n in range(30)]
    assert recent.page(5) == (ids[:-6:-1], 30)
    assert recent.page(5, 25) is None
    old = Recent(database.executions.collection, "start_us", {}, keep=5)
    assert old.page(5) == (ids[:-6:-1], 30)


def test_history_older_than_the_windows(database: Store) -> None:
    ids = [add(database, 1_000_000 + n) for n in range(3)]
    assert Recent(database.executions.collection, "start_us", {}).page(2) == (ids[:0:-1], 3)


def test_many_at_once(database: Store) -> None:
    recent = Recent(database.executions.collection, "start_us", {})
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(10):
            id = add(database, now())
            page = recent.page(200)
            if page is None or id not in page[0]:
                wrong.append(id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert recent.page(1) is not None and recent.page(1)[1] == 60  # type: ignore[index]


def test_only_those_that_match__each_filter_keeps_its_own(database: Store) -> None:
    executions = database.executions

    def of(action: str, parent: str | None = None) -> ObjectId:
        id = ObjectId()
        row = {"_id": id, "start_us": now(), "action_ref": action, "status": "running"}
        executions.collection.insert_one(row if parent is None else {**row, "parent": parent})
        return id

    first = of("core.noop")
    child = of("core.noop", "6b02e4d9560fca4c7ce40001")
    other = of("core.local")
    assert executions.recent(10, 0, {"action_ref": "core.noop"}) == ([child, first], 2)
    assert executions.recent(10, 0, {"parent": None}) == ([other, first], 2)
    late = of("core.noop")
    assert executions.recent(10, 0, {"action_ref": "core.noop"}) == ([late, child, first], 3)
    assert executions.recent(10, 0, {"action_ref": "core.noop", "parent": None}) == ([late, first], 2)
    assert executions.recent(10, 0) == ([late, other, child, first], 4)
    assert executions.recent(10, 0, {"status": "running"}) is None, "what changes is read anew"
    assert executions.recent(10, 0, {"action_ref": {"$in": ["core.noop"]}}) is None


def test_windows_grow_and_shrink__the_list_stays_right(database: Store) -> None:
    collection = database.executions.collection
    collection.insert_many([{"start_us": now() - n * 3_600_000_000, "status": "failed"} for n in range(60)])

    def newest(limit: int, offset: int = 0) -> list[int]:
        page = run(collection, Query({"status": "failed"}, sort=[("start_us", -1)], limit=limit, offset=offset))
        assert page.total == collection.count_documents({"status": "failed"})
        return [row["start_us"] for row in page.documents]

    def right(limit: int, offset: int = 0) -> list[int]:
        return sorted((row["start_us"] for row in collection.find({"status": "failed"})), reverse=True)[offset : offset + limit]

    assert newest(2) == right(2)
    assert newest(50) == right(50)
    collection.insert_many([{"start_us": now(), "status": "failed"} for _ in range(300)])
    assert newest(2) == right(2)
    assert newest(20) == right(20)
    assert newest(10, 350) == right(10, 350)
    assert newest(2) == right(2)


def test_slow_counts__are_shared_and_kept(database: Store) -> None:
    collection = database.executions.collection
    collection.insert_many([{"start_us": n, "status": "failed"} for n in range(7)])
    asked = []

    class Slow:
        full_name = f"{collection.full_name}.slow"

        def count_documents(self, criteria: dict[str, Any]) -> int:
            asked.append(criteria)
            time.sleep(0.1)
            return int(collection.count_documents(criteria))

    slow: Any = Slow()
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(counts.number(slow, {"status": "failed"}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [7] * 8
    assert len(asked) <= 2, "one that had begun, one for all who came meanwhile"
    collection.insert_one({"start_us": 8, "status": "failed"})
    assert counts.number(slow, {"status": "failed"}) == 7, "for a while"
    assert counts.number(collection, {"status": "failed"}) == 8, "a quick count is never kept"
