"""A platform under measurement: its API, and its database for looking on from outside without work for the API."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bson import ObjectId

from st2common import states
from st2common.config import load_config
from st2common.ctl.layout import Layout
from st2common.ctl.supervision import Supervisor
from st2common.platform import Platform
from tests.benchmarks.client import Client, wait_for
from tests.running import RabbitMq, RunningPlatform

_OPEN = sorted({states.REQUESTED, states.SCHEDULED, states.DELAYED, states.RUNNING, states.CANCELING})


class Setting:
    """A running platform.

    Attributes:
        name: "embedded" or "rabbitmq".
        platform: the bench process's own connections to database and broker.
    """

    def __init__(self, name: str, running: RunningPlatform) -> None:
        self.name = name
        self.running = running
        self.api_url = running.api_url
        self.config = load_config([str(Layout(running.data_dir).conf)], environ={})
        self.platform = Platform(self.config)
        self.executions = self.platform.store.executions.collection
        self.client = Client(self.api_url)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
        self.platform.close()

    # -- services ----------------------------------------------------------------------------------------------------

    def supervisor(self) -> Supervisor:
        """The process manager."""
        return Supervisor(Layout(self.running.data_dir))

    def stop_service(self, name: str) -> None:
        """Stop one process and wait for it."""
        self.supervisor().stop_program(name)

    def start_service(self, name: str) -> None:
        """Start one process."""
        self.supervisor().start_program(name)

    # -- looking on --------------------------------------------------------------------------------------------------

    def wait_final(self, id: str, seconds: float = 60, look_every_s: float = 0.001) -> dict[str, Any]:
        """Wait for one execution. Looking takes the database's time as well: whoever reads the times from the document may look less often."""
        key = ObjectId(id)
        deadline = time.monotonic() + seconds
        while True:
            found = self.executions.find_one({"_id": key}, {"status": 1})
            if found is not None and found["status"] in states.FINAL:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"execution {id} is still {found and found['status']}")
            time.sleep(look_every_s)

    def wait_all_final(self, expected: int, since_us: int, seconds: float = 300) -> list[dict[str, Any]]:
        """Wait until ``expected`` executions exist that began since then and all are final. They tell their own times."""

        def all_final() -> bool:
            if self.executions.find_one({"status": {"$in": _OPEN}}, ["_id"]) is not None:
                return False
            return self.executions.count_documents({"start_us": {"$gte": since_us}}) >= expected

        wait_for(all_final, seconds, f"{expected} executions are final", 0.5)
        return list(self.executions.find({"start_us": {"$gte": since_us}}, {"status": 1, "start_us": 1, "end_us": 1, "log": 1, "action_ref": 1}))

    def now_us(self) -> int:
        """Microseconds since the epoch, of the clock that executions are stamped with."""
        return self.platform.clock.now_us()


@contextlib.contextmanager
def start(name: str, options: dict[str, dict[str, Any]] | None = None) -> Iterator[Setting]:
    """Start a platform over the embedded servers, or over a RabbitMQ of its own, in a temporary folder."""
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="st2-bench-")))
        broker = None
        if name == "rabbitmq":
            (root / "rabbitmq").mkdir()
            broker = stack.enter_context(RabbitMq(root / "rabbitmq"))
        running = stack.enter_context(RunningPlatform(root / "data", messaging_url=broker.url if broker else None, options=options))
        setting = Setting(name, running)
        stack.callback(setting.close)
        yield setting
