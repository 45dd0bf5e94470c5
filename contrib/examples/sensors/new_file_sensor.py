"""examples.NewFileSensor: a polling sensor that remembers what it saw in the datastore."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from st2reactor.sensor.base import PollingSensor

SEEN = "seen"


class NewFileSensor(PollingSensor):
    """Dispatches ``examples.new_file`` once for each new file of the folder ``inbox`` (pack configuration)."""

    def setup(self) -> None:
        self._logger = self.sensor_service.get_logger(name=type(self).__name__)
        self._inbox = Path(self.config.get("inbox", "/tmp/st2-examples/inbox"))
        self._seen: set[str] = set(json.loads(self.sensor_service.get_value(SEEN) or "[]"))

    def poll(self) -> None:
        try:
            present = {entry.name: entry for entry in self._inbox.iterdir() if entry.is_file()}
        except FileNotFoundError:
            present = {}
        for name in sorted(present.keys() - self._seen):
            self._logger.debug("New file %s", name)
            size = present[name].stat().st_size
            self.sensor_service.dispatch(trigger="examples.new_file", payload={"path": str(present[name]), "name": name, "size": size})
        if present.keys() != self._seen:
            self._seen = set(present)
            self.sensor_service.set_value(SEEN, json.dumps(sorted(self._seen)))

    def cleanup(self) -> None:
        """Nothing to give back."""

    def add_trigger(self, trigger: dict[str, Any]) -> None:
        """The trigger type has no parameters: there is one trigger, and it needs no preparation."""

    def update_trigger(self, trigger: dict[str, Any]) -> None:
        """See add_trigger."""

    def remove_trigger(self, trigger: dict[str, Any]) -> None:
        """See add_trigger."""
