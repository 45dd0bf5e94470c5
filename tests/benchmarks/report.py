"""Tables of a run: plain text for people, one JSON file for machines."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of the values do not exceed (nearest rank); nan when there are none."""
    if not values:
        return float("nan")
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, round(percent / 100 * len(ranked) + 0.5) - 1))]


def median_ms(seconds: Sequence[float]) -> float:
    """The median of durations, in milliseconds."""
    return statistics.median(seconds) * 1000 if seconds else float("nan")


@dataclass
class Table:
    """One table; ``columns`` begins with the name of what a row is about."""

    title: str
    columns: Sequence[str]
    notes: Sequence[str] = ()
    rows: list[Sequence[Any]] = field(default_factory=list)

    def add(self, *cells: Any) -> None:
        """Add a row: text, integers, floats; None for what was not measured."""
        self.rows.append(cells)

    def text(self) -> str:
        """The table as aligned text."""
        shown = [[str(column) for column in self.columns], *([_shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[column]) for row in shown) for column in range(len(self.columns))]
        lines = [self.title, "-" * len(self.title)]
        for row in shown:
            first, *others = (
                cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join([first, *others]).rstrip())
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def data(self) -> dict[str, Any]:
        """The table for JSON."""
        return {"title": self.title, "notes": list(self.notes), "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows]}


class Report:
    """Everything one run measured; tables are printed as soon as they are there."""

    def __init__(self, about: dict[str, Any]) -> None:
        self._about = about
        self._tables: dict[str, list[Table]] = {}

    def add(self, setting: str, *tables: Table) -> None:
        """Print tables measured in a setting ("embedded", "rabbitmq", "alone") and keep them."""
        for table in tables:
            self._tables.setdefault(setting, []).append(table)
            print(f"\n[{setting}] {table.text()}", flush=True)

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        tables = {setting: [table.data() for table in found] for setting, found in self._tables.items()}
        path.write_text(json.dumps({"about": self._about, "settings": tables}, indent=2, default=str) + "\n")


def _shown(cell: Any) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    return str(cell)
