"""`st2 stream`: live events (our addition)."""

from __future__ import annotations

import json
import sys
from typing import Any

from st2client.commandline import Command, words
from st2client.commands import output, resource
from st2client.utils import color


def describe(name: str, data: dict[str, Any]) -> str:
    """One line about an event."""
    action = data.get("action") or data.get("action_ref") or ""
    ref = action.get("ref", "") if isinstance(action, dict) else action
    parts = [color.paint(name, color.NAME), data.get("id") or "", ref]
    if data.get("status"):
        parts.append(color.paint_status(data["status"]))
    if "payload" in data:
        parts.append(json.dumps(data["payload"], ensure_ascii=False))
    if "data" in data:
        parts += [data.get("execution_id") or "", repr(data["data"])]
    return " ".join(part for part in parts if part)


def _stream(session: Any, args: Any) -> None:
    events = (
        session.connect(args)
        .managers["Stream"]
        .listen_named(
            list(args.events) or None,
            action_refs=",".join(args.action_refs) or None,
            execution_ids=",".join(args.execution_ids) or None,
        )
    )
    print("Connected, waiting for events (Ctrl-C ends).", file=sys.stderr)
    for name, data in events:
        if args.json:
            print(json.dumps({"event": name, "data": data}))  # one per line, for pipes
        elif args.yaml:
            output.print_doc(args, [{"event": name, "data": data}])
        else:
            print(describe(name, data) if isinstance(data, dict) else f"{name} {data}")
        sys.stdout.flush()


stream = Command(
    "stream",
    _stream,
    [
        words("--events", metavar="NAME...", help="Only these (globs such as 'st2.execution__*'); default: the server's choice."),
        words("--action-refs", metavar="REF...", help="Only events of these actions."),
        words("--execution-ids", metavar="ID...", help="Only events of these executions."),
        *resource.common_options(),
    ],
    "Follow live events.",
)

__all__ = ["stream"]
