"""The process of one sensor (reactor.md section 2.1).

Started by the container with the arguments below. Messages are JSON lines. On stdin come ``start`` (configuration, existing triggers, log
level) once, then ``add``, ``update``, ``remove`` (a trigger) and ``token`` (a new service token); the end of stdin is the end of the
container, and of the sensor. On stdout go ``dispatch`` messages and nothing else: what the sensor itself prints goes to stderr.

Only the standard library and the porch are imported, and eventlet only where the sensor brings it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from st2common.datastore_client import DatastoreClient
from st2reactor.sensor.base import PollingSensor
from st2reactor.sensor.service import SensorService

_REQUIRED = ("setup", "cleanup", "add_trigger", "update_trigger", "remove_trigger")
_CHUNK_BYTES = 65536
_LOG_FORMAT = "%(asctime)s %(levelname)s [-] %(name)s: %(message)s"


class Channel:
    """The two pipes to the container."""

    def __init__(self) -> None:
        self._in_fd = os.dup(0)
        self._out_fd = os.dup(1)
        self._rest = b""
        self._lock = threading.Lock()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)

    def send(self, message: dict[str, Any]) -> None:
        """Write one message; blocks while the container is busy."""
        data = memoryview(json.dumps(message, default=str).encode() + b"\n")
        with self._lock:
            while data:
                data = data[os.write(self._out_fd, data) :]

    def messages(self) -> Iterator[dict[str, Any]]:
        """Messages as they come, until the container closes its end."""
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                yield json.loads(line)
                continue
            self._wait()
            data = os.read(self._in_fd, _CHUNK_BYTES)
            if not data:
                return
            self._rest += data

    def _wait(self) -> None:
        if _has_green_threads():
            sys.modules["eventlet"].hubs.trampoline(self._in_fd, read=True)


def _has_green_threads() -> bool:
    """Whether the sensor had eventlet replace threads: then a blocking read would block all of them."""
    eventlet = sys.modules.get("eventlet")
    return eventlet is not None and eventlet.patcher.is_monkey_patched("thread")


class Triggers:
    """Tells the sensor about triggers; changes and deletions only of those it has seen."""

    def __init__(self, sensor: Any) -> None:
        self._sensor = sensor
        self._seen: set[str] = set()

    def add(self, trigger: dict[str, Any]) -> None:
        if trigger["id"] in self._seen:
            return
        self._seen.add(trigger["id"])
        self._sensor.add_trigger(trigger)

    def update(self, trigger: dict[str, Any]) -> None:
        if trigger["id"] in self._seen:
            self._sensor.update_trigger(trigger)
        else:
            self.add(trigger)

    def remove(self, trigger: dict[str, Any]) -> None:
        if trigger["id"] in self._seen:
            self._seen.discard(trigger["id"])
            self._sensor.remove_trigger(trigger)


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """The command line of a sensor process."""
    parser = argparse.ArgumentParser(description="Sensor runner wrapper")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--file-path", required=True)
    parser.add_argument("--class-name", required=True)
    parser.add_argument("--trigger-type-refs", default="")
    parser.add_argument("--poll-interval", type=float, default=None)
    parser.add_argument("--parent-args", default="[]")
    return parser.parse_args(argv)


def load_sensor_class(path: str, class_name: str) -> type:
    """The class ``class_name`` of the file ``path``.

    Raises:
        ImportError: the file has no such class.
        NotImplementedError: it lacks a method that sensors must have.
    """
    directory = os.path.dirname(path)
    if directory not in sys.path:
        sys.path.append(directory)
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f'"{path}" is not a Python file')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    sensor_class = getattr(module, class_name, None)
    if not isinstance(sensor_class, type):
        raise ImportError(f'File "{path}" has no class "{class_name}"')
    for method in (*_REQUIRED, "poll" if issubclass(sensor_class, PollingSensor) else "run"):
        found = getattr(sensor_class, method, None)
        if found is None or getattr(found, "__isabstractmethod__", False):
            raise NotImplementedError(f'Class "{class_name}" doesn\'t implement required "{method}" method from the base class')
    return sensor_class


def make_sensor(arguments: argparse.Namespace, config: dict[str, Any], service: SensorService) -> Any:
    """The sensor object."""
    sensor_class = load_sensor_class(arguments.file_path, arguments.class_name)
    keywords: dict[str, Any] = {"sensor_service": service, "config": config}
    if arguments.poll_interval is not None and issubclass(sensor_class, PollingSensor):
        keywords["poll_interval"] = arguments.poll_interval
    return sensor_class(**keywords)


def listen(channel: Channel, triggers: Triggers, datastore: DatastoreClient) -> None:
    """Follow the container's messages until it is gone; then this process ends too."""
    log = logging.getLogger(__name__)
    handlers = {"add": triggers.add, "update": triggers.update, "remove": triggers.remove}
    for message in channel.messages():
        try:
            if message["event"] == "token":
                datastore.set_token(message["token"])
                os.environ["ST2_ACTION_AUTH_TOKEN"] = message["token"]
            else:
                handlers[message["event"]](message["trigger"])
        except Exception:
            log.exception('The sensor failed to %s trigger "%s"', message.get("event"), message.get("trigger", {}).get("ref"))
    os.kill(os.getpid(), signal.SIGTERM)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _end_on_sigterm() -> None:
    """Have SIGTERM raise SystemExit where the sensor runs.

    With green threads the signal finds any of them at work, or the hub asleep: then the exit is scheduled for the main one, and a pipe
    wakes the hub.
    """
    if not _has_green_threads():
        signal.signal(signal.SIGTERM, _terminate)
        return
    eventlet, greenlet = sys.modules["eventlet"], sys.modules["greenlet"]
    main_greenlet = greenlet.getcurrent()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)

    def wait_for_signals() -> None:
        while True:
            eventlet.hubs.trampoline(reading, read=True)
            os.read(reading, 64)

    def terminate(number: int, frame: FrameType | None) -> None:
        if greenlet.getcurrent() is main_greenlet:
            raise SystemExit(0)
        eventlet.hubs.get_hub().schedule_call_global(0, main_greenlet.throw, SystemExit(0))

    eventlet.spawn(wait_for_signals)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, terminate)


def main() -> None:
    """Entry of the process."""
    arguments = parse_arguments(sys.argv[1:])
    channel = Channel()
    start = next(channel.messages())
    logging.basicConfig(stream=sys.stderr, format=_LOG_FORMAT, level=start.get("log_level", "INFO"))
    log = logging.getLogger(f"SensorWrapper.{arguments.pack}.{arguments.class_name}")
    datastore = DatastoreClient(
        arguments.pack,
        arguments.class_name,
        os.environ.get("ST2_ACTION_API_URL", ""),
        os.environ.get("ST2_ACTION_AUTH_TOKEN", ""),
        log,
    )
    service = SensorService(arguments.pack, arguments.class_name, channel.send, datastore)
    _end_on_sigterm()
    sensor = None
    try:
        sensor = make_sensor(arguments, start.get("config") or {}, service)
        _end_on_sigterm()
        sensor.setup()
        triggers = Triggers(sensor)
        for trigger in start.get("triggers") or []:
            triggers.add(trigger)
        threading.Thread(target=listen, args=(channel, triggers, datastore), name="container", daemon=True).start()
        log.info("Running sensor")
        sensor.run()
    except Exception:
        log.exception('Sensor "%s" run method raised an exception', arguments.class_name)
        sys.exit(1)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; the container has the stronger signal
        if sensor is not None:
            sensor.cleanup()


if __name__ == "__main__":
    # run by path: the platform's own directory must not stand before the pack's modules
    sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]
    main()
