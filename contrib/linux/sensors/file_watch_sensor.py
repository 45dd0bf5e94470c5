"""linux.FileWatchSensor: follow files and dispatch ``linux.file_watch.line`` for each new line."""

from __future__ import annotations

import os
import threading
from typing import Any, BinaryIO

from st2reactor.sensor.base import Sensor

READ_SIZE = 64 * 1024
LONGEST_LINE = 1024 * 1024


class FollowedFile:
    """One file, read on from where the last reading stopped; survives rotation, truncation and absence.

    Args:
        path: absolute path of the file.
        at_end: start at the end of the file as it is now (a file that appears later is read from its beginning).
    """

    def __init__(self, path: str, at_end: bool = True) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._open(at_end)

    def _open(self, at_end: bool) -> None:
        try:
            self._file = open(self.path, "rb")
        except FileNotFoundError:
            return
        if at_end:
            self._file.seek(0, os.SEEK_END)

    def _replaced(self) -> bool:
        """Whether the path now names another file than the open one."""
        assert self._file is not None
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return False
        then = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino)

    def new_lines(self) -> list[str]:
        """Complete lines since the last call; a line without its end is kept for later."""
        if self._file is None:
            self._open(at_end=False)
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._rest = b""
        lines = self._read()
        if self._replaced():
            if self._rest:
                lines.append(self._text(self._rest))
            self.close()
            self._open(at_end=False)
            lines += self._read()
        return lines

    def _read(self) -> list[str]:
        lines: list[str] = []
        while self._file is not None and (chunk := self._file.read(READ_SIZE)):
            *complete, self._rest = (self._rest + chunk).split(b"\n")
            lines += [self._text(line) for line in complete]
            if len(self._rest) > LONGEST_LINE:
                lines.append(self._text(self._rest))
                self._rest = b""
        return lines

    @staticmethod
    def _text(line: bytes) -> str:
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self._rest = b""


class FileWatchSensor(Sensor):
    """Watches the files that the triggers of ``linux.file_watch.line`` name."""

    interval = 1.0  # seconds between two looks at the files

    def __init__(self, sensor_service: Any, config: dict[str, Any] | None = None) -> None:
        super().__init__(sensor_service=sensor_service, config=config)
        self.logger = self.sensor_service.get_logger(name=type(self).__name__)
        self._files: dict[str, FollowedFile] = {}
        self._watchers: dict[str, tuple[str, str]] = {}  # trigger id -> (trigger ref, file path)
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def setup(self) -> None:
        """Nothing to prepare: files are opened as triggers arrive."""

    def run(self) -> None:
        while not self._stopped.wait(self.interval):
            self.look()

    def look(self) -> None:
        """Read every watched file once and dispatch its new lines."""
        with self._lock:
            files = list(self._files.items())
            watchers = list(self._watchers.values())
        for path, followed in files:
            try:
                lines = followed.new_lines()
            except OSError as error:
                self.logger.warning("Cannot read %s: %s", path, error)
                continue
            refs = [ref for ref, watched in watchers if watched == path]
            for line in lines:
                payload = {"file_path": path, "file_name": os.path.basename(path), "line": line}
                for ref in refs:
                    self.sensor_service.dispatch(trigger=ref, payload=payload)

    def cleanup(self) -> None:
        self._stopped.set()
        with self._lock:
            for followed in self._files.values():
                followed.close()
            self._files.clear()
            self._watchers.clear()

    def add_trigger(self, trigger: dict[str, Any]) -> None:
        path = (trigger.get("parameters") or {}).get("file_path")
        if not path:
            self.logger.error("Trigger %s has no file_path: nothing to watch", trigger.get("ref"))
            return
        with self._lock:
            self._watchers[trigger["id"]] = (trigger["ref"], path)
            if path not in self._files:
                self._files[path] = FollowedFile(path)
        self.logger.info("Watching %s for trigger %s", path, trigger["ref"])

    def update_trigger(self, trigger: dict[str, Any]) -> None:
        self.remove_trigger(trigger)
        self.add_trigger(trigger)

    def remove_trigger(self, trigger: dict[str, Any]) -> None:
        with self._lock:
            watcher = self._watchers.pop(trigger["id"], None)
            if watcher is None:
                return
            path = watcher[1]
            if all(watched != path for _, watched in self._watchers.values()):
                followed = self._files.pop(path, None)
                if followed is not None:
                    followed.close()
        self.logger.info("No longer watching %s for trigger %s", path, watcher[0])
