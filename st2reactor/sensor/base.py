"""The classes that sensors of packs derive from (reactor.md section 2). On the porch: imports in milliseconds."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from typing import Any

__all__ = ["PollingSensor", "Sensor"]

Trigger = dict[str, Any]


class BaseSensor(ABC):
    """What all sensors have.

    Args:
        sensor_service: dispatches triggers; gives loggers and the datastore.
        config: the pack's configuration.
    """

    def __init__(self, sensor_service: Any, config: dict[str, Any] | None = None) -> None:
        self._sensor_service = sensor_service
        self.sensor_service = sensor_service
        self._config = config or {}
        self.config = self._config

    @abstractmethod
    def setup(self) -> None:
        """Prepare; called once, before ``run``."""

    @abstractmethod
    def run(self) -> None:
        """Watch until the process ends. Returning ends the sensor; an exception does too, and it is started again."""

    @abstractmethod
    def cleanup(self) -> None:
        """Give back what ``setup`` took; called when the process ends."""

    @abstractmethod
    def add_trigger(self, trigger: Trigger) -> None:
        """A trigger of the sensor's types exists (at the start) or was made (``id uid ref name pack type parameters description``)."""

    @abstractmethod
    def update_trigger(self, trigger: Trigger) -> None:
        """A trigger seen before was changed."""

    @abstractmethod
    def remove_trigger(self, trigger: Trigger) -> None:
        """A trigger seen before was deleted."""


class Sensor(BaseSensor):
    """A passive sensor: ``run`` waits for events of its own accord."""


class PollingSensor(BaseSensor):
    """An active sensor: ``poll`` is called again and again.

    Args:
        poll_interval: seconds between two polls.
    """

    def __init__(self, sensor_service: Any, config: dict[str, Any] | None = None, poll_interval: float | None = 5) -> None:
        super().__init__(sensor_service=sensor_service, config=config)
        self._poll_interval = poll_interval or 5

    @abstractmethod
    def poll(self) -> None:
        """Look once. An exception ends the process."""

    def run(self) -> None:
        """Poll for ever."""
        while True:
            self.poll()
            _sleep(self.get_poll_interval())

    def get_poll_interval(self) -> float:
        """Seconds between two polls."""
        return self._poll_interval

    def set_poll_interval(self, poll_interval: float) -> None:
        """Change the interval, from the next pause on."""
        self._poll_interval = poll_interval


def _sleep(seconds: float) -> None:
    """Pause; where the sensor brought eventlet along, its green threads go on meanwhile."""
    eventlet = sys.modules.get("eventlet")
    if eventlet is not None:
        eventlet.sleep(seconds)
    else:
        time.sleep(seconds)
