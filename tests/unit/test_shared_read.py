"""One read for all who ask at the same time."""

from __future__ import annotations

import threading
import time

import pytest

from st2common.shared_read import SharedRead


def test_who_comes_during_a_read__gets_the_next_one() -> None:
    value, reads = [0], []

    def read() -> int:
        seen = value[0]
        reads.append(seen)
        time.sleep(0.1)
        return seen

    shared = SharedRead(read)
    answers: list[tuple[int, int]] = []

    def ask() -> None:
        before = value[0]
        answers.append((before, shared.get()))

    threads = []
    for number in range(20):
        value[0] = number
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
        time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert all(answer >= before for before, answer in answers), "nobody gets what was read before it asked"
    assert len(reads) < 8
    assert not shared.is_busy


def test_a_read_that_fails__fails_for_its_own_thread_only() -> None:
    first = threading.Event()

    def read() -> str:
        if not first.is_set():
            first.set()
            time.sleep(0.1)
            raise OSError("away")
        return "there"

    shared = SharedRead(read)
    answers: list[str] = []
    thread = threading.Thread(target=lambda: first.wait() and answers.append(shared.get()))
    thread.start()
    with pytest.raises(OSError, match="away"):
        shared.get()
    thread.join()
    assert answers == ["there"]
