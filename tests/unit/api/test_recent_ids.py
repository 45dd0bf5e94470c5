"""The newest ids of a collection, kept by a process."""

from __future__ import annotations

import threading
import time
from typing import Any

from bson import ObjectId

from st2common.store import Store
from st2common.store.recent import Recent


def add(database: Store, moment: int) -> ObjectId:
    id = ObjectId()
    database.executions.collection.insert_one({"_id": id, "start_us": moment})
    return id


def now() -> int:
    return time.time_ns() // 1000


def test_sees_what_came_and_what_went(database: Store) -> None:
    recent = Recent(database.executions.collection, "start_us", keep=5)
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
    recent = Recent(database.executions.collection, "start_us", keep=5)
    start = now() - 1000
    recent.page(1)
    ids = [add(database, start + n) for n in range(30)]
    assert recent.page(5) == (ids[:-6:-1], 30)
    assert recent.page(5, 25) is None
    old = Recent(database.executions.collection, "start_us", keep=5)
    assert old.page(5) == (ids[:-6:-1], 30)


def test_history_older_than_the_windows(database: Store) -> None:
    ids = [add(database, 1_000_000 + n) for n in range(3)]
    assert Recent(database.executions.collection, "start_us").page(2) == (ids[:0:-1], 3)


def test_many_at_once(database: Store) -> None:
    recent = Recent(database.executions.collection, "start_us")
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
