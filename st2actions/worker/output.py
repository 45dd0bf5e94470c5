"""Output of running actions: collected per execution, written and announced in batches."""

from __future__ import annotations

import threading
from typing import Any

from pymongo.errors import PyMongoError

from st2common.bus import EVENTS
from st2common.log import getLogger
from st2common.platform import Platform

LOG = getLogger("st2actions.worker.output")
_FLUSH_S = 0.2
_TAIL_BYTES = 64 * 1024


class OutputLog:
    """Output of one execution that is not in the database yet."""

    def __init__(self, execution_id: str, action_ref: str, runner_ref: str) -> None:
        self.execution_id = execution_id
        self.action_ref = action_ref
        self.runner_ref = runner_ref
        self._lock = threading.Lock()
        self._chunks: list[list[Any]] = []
        self._size = 0
        self.sequence = 0
        self.since_us = 0
        """When the oldest piece in hand came."""

    def add(self, moment_us: int, kind: str, text: str) -> None:
        """Keep a piece of output."""
        with self._lock:
            if not self._chunks:
                self.since_us = moment_us
            self._chunks.append([moment_us, kind, text])
            self._size += len(text)

    def take(self) -> list[list[Any]]:
        """What was collected since the last time."""
        with self._lock:
            chunks, self._chunks, self._size = self._chunks, [], 0
            return chunks

    def give_back(self, chunks: list[list[Any]]) -> None:
        """Put chunks back in front (the write failed)."""
        with self._lock:
            self._chunks[:0] = chunks

    @property
    def is_large(self) -> bool:
        """Whether what is held is too much to store inside the execution."""
        return self._size > _TAIL_BYTES

    def event(self, chunks: list[list[Any]]) -> dict[str, Any]:
        """What the event stream is told."""
        return {
            "event": "st2.execution.output__create", "execution_id": self.execution_id, "action_ref": self.action_ref,
            "runner_ref": self.runner_ref, "chunks": chunks,
        }  # fmt: skip


class OutputWriter:
    """Flushes the output of long-running actions. Short ones store theirs together with their end."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._open: dict[str, OutputLog] = {}
        self._work = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)

    def start(self) -> None:
        """Begin to flush."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; logs still open are flushed by their ``close``."""
        self._stop.set()
        self._work.set()

    def open(self, execution_id: str, action_ref: str, runner_ref: str) -> OutputLog:
        """A log for an execution that begins."""
        return OutputLog(execution_id, action_ref, runner_ref)

    def add(self, log: OutputLog, kind: str, text: str) -> None:
        """Take output from a runner (any thread)."""
        log.add(self._platform.clock.now_us(), kind, text)
        with self._lock:
            self._open[log.execution_id] = log
        self._work.set()

    def close(self, log: OutputLog) -> list[list[Any]]:
        """The execution ended: returns what still has to be stored with it."""
        with self._lock:
            self._open.pop(log.execution_id, None)
        if log.is_large:
            self._flush(log)
        return log.take()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._work.wait()
            self._stop.wait(_FLUSH_S)
            self._work.clear()
            before = self._platform.clock.now_us() - int(_FLUSH_S * 1_000_000)
            with self._lock:
                # What an action said only just now is mostly its last word, and is stored with its end.
                logs = [log for log in self._open.values() if log.since_us <= before]
                for log in logs:
                    del self._open[log.execution_id]
                if self._open:
                    self._work.set()
            for log in logs:
                self._flush(log)

    def _flush(self, log: OutputLog) -> None:
        chunks = log.take()
        if not chunks:
            return
        try:
            self._platform.store.outputs.add(log.execution_id, log.sequence, chunks)
            log.sequence += 1
        except PyMongoError as error:
            LOG.warning("output of %s kept until the database is back: %s", log.execution_id, str(error)[:200])
            log.give_back(chunks)
            return
        self._platform.bus.announce(EVENTS, log.event(chunks))
