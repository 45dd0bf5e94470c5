"""Output of running actions, in batches."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from st2common.clock import Clock
from st2common.models import ExecutionOutput


class Outputs:
    """Batches of output; what was not flushed when an action ended is in the execution itself."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.collection = database[ExecutionOutput.collection_name()]
        self._clock = clock

    def add(self, execution_id: str, sequence: int, chunks: list[list[Any]]) -> None:
        """Store one batch: ``[[moment_us, type, text], ...]``."""
        batch = ExecutionOutput(execution_id=execution_id, sequence=sequence, moment=self._clock.now_us(), chunks=chunks)
        self.collection.insert_one(batch.to_mongo())

    def read(self, execution_id: str) -> list[list[Any]]:
        """All stored chunks in order."""
        rows = [ExecutionOutput.from_mongo(row) for row in self.collection.find({"execution_id": execution_id})]
        return [chunk for row in sorted(rows, key=lambda row: row.sequence) for chunk in row.chunks]
