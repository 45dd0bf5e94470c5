"""Tables: many rows, and the properties of one object (cli.md 3.2 and 3.3).

Output that is piped or captured is the ASCII grid that scripts know from upstream. At a terminal `rich` draws and fits the same cells.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from st2client.utils import color, jsutil, terminal

MIN_ID_WIDTH = 26
STATUS_WIDTH = 24
MIN_LAST_WIDTH = 5
DEFAULT_WIDTH = 28
PROPERTY_WIDTH, VALUE_WIDTH = 20, 60

SECRET_PARAMETERS = frozenset({"password", "private_key"})
MASK = "********"

NO_ITEMS = "No matching items found"

Transform = Callable[[Any], Any]


def display_width(text: str) -> int:
    """Columns a text takes on screen: wide characters take two."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _wrap(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, width, replace_whitespace=False) or [""]
    return lines


def render_grid(header: Sequence[str], rows: Sequence[Sequence[str]], max_widths: Sequence[int]) -> str:
    """ASCII grid; each column is as wide as its content up to its maximum, never narrower than its title."""
    widths = []
    for index, title in enumerate(header):
        content = max((display_width(line) for row in rows for line in row[index].split("\n")), default=0)
        widths.append(max(display_width(title), min(content, max_widths[index])))
    border = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [border, _grid_line(header, widths), border]
    for row in rows:
        cells = [_wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(len(cell) for cell in cells)):
            lines.append(_grid_line([cell[number] if number < len(cell) else "" for cell in cells], widths))
    lines.append(border)
    return "\n".join(lines)


def _grid_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f" {cell}{' ' * (width - display_width(cell))} " for cell, width in zip(cells, widths, strict=True))
    return "|" + "|".join(padded) + "|"


def render_rich(header: Sequence[str], rows: Sequence[Sequence[str]], *, max_widths: Sequence[int | None] | None = None) -> str:
    """The same table drawn for the terminal at hand."""
    import io

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ROUNDED, header_style="bold blue" if color.is_enabled() else None)
    for index, title in enumerate(header):
        table.add_column(Text(title), overflow="fold", no_wrap=title in ("id", "status"), max_width=max_widths[index] if max_widths else None)
    for row in rows:
        table.add_row(*(_styled(title, cell) for title, cell in zip(header, row, strict=True)))
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=True, width=terminal.columns(), no_color=not color.is_enabled(), highlight=False)
    console.print(table)
    return buffer.getvalue().rstrip("\n")


def _styled(title: str, cell: str) -> Any:
    from rich.text import Text

    if title == "status" and cell:
        return Text(cell, style=color.STATUS_STYLES[color.status_code(cell)])
    return Text(cell)


def unescape(text: str) -> str:
    r"""Text for people: `\n` and `\"` written as two characters become one, carriage returns go (as recorded)."""
    return text.replace("\\n", "\n").replace("\\r", "").replace("\r", "").replace('\\"', '"')


def cell_text(value: Any, *, dotted: bool) -> str:
    """A value in a cell of a table with many rows."""
    if value is None:
        return "" if dotted else "None"
    if value == [] or (dotted and value == {}):
        return ""
    if isinstance(value, list) and isinstance(value[0], str):
        return unescape(", ".join(str(item) for item in value))
    return unescape(value) if isinstance(value, str) else str(value)


def _row_value(entry: dict[str, Any], attribute: str) -> str:
    if attribute in entry:
        return cell_text(entry[attribute], dotted=False)
    if "." not in attribute:
        return ""
    return cell_text(jsutil.get_value(entry, attribute), dotted=True)


def masked_parameters(value: Any) -> Any:
    """Parameters without the values of those named `password` or `private_key` (cli.md 3.4)."""
    if not isinstance(value, dict):
        return value
    return {name: MASK if name in SECRET_PARAMETERS else item for name, item in value.items()}


def column_widths(attributes: Sequence[str], entries: Sequence[dict[str, Any]], given: Sequence[int] | None, total: int) -> list[int]:
    """Maximum width of each column (cli.md 3.2).

    Args:
        given: `--width` values.
        total: width of the terminal.
    """
    count = len(attributes)
    if given:
        return list(given) if len(given) == count else [given[0]] * count if len(given) == 1 else [DEFAULT_WIDTH] * count
    share = max(total // count, 1)
    widths = [share] * count
    if attributes[0] == "id":
        widths[0] = max(MIN_ID_WIDTH, max((len(str(entry.get("id", ""))) for entry in entries), default=0))
        share = max((total - widths[0]) // count, 1)
        widths[1:] = [share] * (count - 1)
    if "status" in attributes:
        index = attributes.index("status")
        surplus = STATUS_WIDTH - widths[index]
        widths[index] = STATUS_WIDTH
        if surplus > 0 and index != count - 1:
            widths[-1] = max(widths[-1] - surplus, MIN_LAST_WIDTH)
    return widths


def many(
    entries: Sequence[dict[str, Any]],
    attributes: Sequence[str],
    *,
    widths: Sequence[int] | None = None,
    transforms: Mapping[str, Transform] | None = None,
) -> str:
    """Table of many rows.

    Args:
        attributes: columns; `all`: those of the first entry, sorted.
        widths: `--width` values.
        transforms: how the values of some attributes are shown.
    """
    if "all" in attributes:
        if not widths and not terminal.is_interactive():
            # As recorded: the width is shared out among the names given, so with `all` alone every column may fill the line.
            widths = column_widths(attributes, entries, None, terminal.columns())
        attributes = sorted(entries[0]) if entries else []
    if not attributes:
        return NO_ITEMS
    prepared = [_transformed(entry, transforms or {}) for entry in entries]
    rows = [[_row_value(entry, attribute) for attribute in attributes] for entry in prepared]
    if terminal.is_interactive():
        return render_rich(attributes, rows, max_widths=column_widths(attributes, prepared, widths, 0) if widths else None)
    return render_grid(attributes, rows, column_widths(attributes, prepared, widths, terminal.columns()))


def _transformed(entry: dict[str, Any], transforms: Mapping[str, Transform]) -> dict[str, Any]:
    shown = dict(entry)
    for name, transform in transforms.items():
        if shown.get(name) is not None:
            shown[name] = transform(shown[name])
        elif name in shown:
            shown[name] = ""
    if "parameters" in shown:
        shown["parameters"] = masked_parameters(shown["parameters"])
    return shown


def property_text(value: Any) -> str:
    """A value in the table of one object."""
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, dict | list):
        return unescape(json.dumps(value, indent=4, default=str))
    return unescape(str(value))


def properties(entry: dict[str, Any], attributes: Sequence[str], display_order: Sequence[str] = ()) -> str:
    """Table of one object: the attributes in display order, then the others as they were asked for.

    Args:
        attributes: rows wanted; `all`: every attribute there is, by name. Names with dots look inside.
        display_order: the command's order.
    """
    names = sorted(entry) if "all" in attributes else list(attributes)
    ordered = [name for name in display_order if name in names] + [name for name in names if name not in display_order]
    rows = []
    for name in ordered:
        value = jsutil.get_value(entry, name)
        rows.append([name, property_text(masked_parameters(value) if name == "parameters" else value)])
    if terminal.is_interactive():
        return render_rich(["Property", "Value"], rows)
    return render_grid(["Property", "Value"], rows, [PROPERTY_WIDTH, VALUE_WIDTH])


def note(text: str) -> str:
    """A remark in a box."""
    border = "+" + "-" * (len(text) + 2) + "+"
    return f"{border}\n| {text} |\n{border}"


def more_results_note(limit: int, singular: str, plural: str) -> str:
    """What is said when a list shows only part of the matches (cli.md 3.7)."""
    if limit == 1:
        return note(f"Note: Only one {singular} is displayed. Use -n/--last flag for more results.")
    return note(f"Note: Only first {limit} {plural} are displayed. Use -n/--last flag for more results.")
