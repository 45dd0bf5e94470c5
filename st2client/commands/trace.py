"""`st2 trace` (cli.md 5.8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from st2client.commandline import Argument, Command, Group, flag, number, value
from st2client.commands import output, resource
from st2client.commands.execution import SORT_CHOICES, sort_query
from st2client.commands.resource import ID_ONLY, Noun
from st2client.formatters import text
from st2client.utils import date

NOUN = Noun("Trace", identifier="id", known_by=ID_ONLY)

LIST_ATTRIBUTES = ["id", "uid", "trace_tag", "start_timestamp"]
DETAIL_ATTRIBUTES = ("id", "trace_tag", "action_executions", "rules", "trigger_instances", "start_timestamp")
LABELS = ("id", "trace_tag", "start_timestamp")
COMPONENT_ATTRIBUTES = ("id", "type", "ref", "updated_at")

KINDS = {"trigger_instances": "trigger-instance", "rules": "rule", "action_executions": "execution"}
"""Lists of a trace, and what their members are called in the table."""

Trace = dict[str, Any]
Component = dict[str, Any]


def _find(trace: Trace, cause_id: str) -> tuple[str, Component] | None:
    """Component of that id; `rule id:trigger instance id` names a rule by what it was caused by."""
    object_id, _, caused_by = cause_id.partition(":")
    for kind in KINDS:
        for component in trace.get(kind) or []:
            if component["object_id"] == object_id and (not caused_by or (component.get("caused_by") or {}).get("id") == caused_by):
                return kind, component
    return None


def chain_of_causes(trace: Trace, kind: str, object_id: str) -> Trace:
    """The trace with only one component and what it was caused by, up to the beginning.

    Raises:
        ValueError: the trace has no such component.
    """
    start = next((item for item in trace.get(kind) or [] if item["object_id"] == object_id), None)
    if start is None:
        raise ValueError(f'{KINDS[kind]} "{object_id}" is not part of this trace.')
    kept: dict[str, list[Component]] = {name: [] for name in KINDS}
    found: tuple[str, Component] | None = (kind, start)
    while found is not None:
        kind, component = found
        if component in kept[kind]:
            break  # a cycle would be an error of the data; do not follow it
        kept[kind].insert(0, component)
        cause = (component.get("caused_by") or {}).get("id")
        found = _find(trace, cause) if cause else None
    return {**trace, **kept}


def without_noop_triggers(trace: Trace) -> Trace:
    """The trace without trigger instances that no rule was caused by."""
    causes = {(rule.get("caused_by") or {}).get("id") for rule in trace.get("rules") or []}
    return {**trace, "trigger_instances": [item for item in trace.get("trigger_instances") or [] if item["object_id"] in causes]}


def only_kinds(trace: Trace, kinds: Iterable[str]) -> Trace:
    """The trace with only these lists filled; all of them when none is named."""
    wanted = set(kinds)
    return {**trace, **{kind: [] for kind in KINDS if wanted and kind not in wanted}}


def component_rows(trace: Trace) -> list[Component]:
    """All components by time."""
    rows = [
        {"id": item["object_id"], "type": title, "ref": item["ref"], "updated_at": item["updated_at"]}
        for kind, title in KINDS.items()
        for item in trace.get(kind) or []
    ]
    return sorted(rows, key=lambda row: row["updated_at"])


def _print_detail(args: Any, trace: Trace, attributes: Iterable[str]) -> None:
    attributes = list(trace) if "all" in attributes else list(attributes)
    if output.structured(args):
        output.print_doc(args, output.selected(trace, attributes))
        return
    print(text.labels(trace, [name for name in LABELS if name in attributes]))
    rows = component_rows(trace)
    if rows:
        output.print_many(args, rows, COMPONENT_ATTRIBUTES)


def _list(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    query = {
        "trace_tag": args.trace_tag,
        "execution": args.execution,
        "rule": args.rule,
        "trigger_instance": args.trigger_instance,
        **sort_query(args.sort),
    }
    traces, total = manager.query_with_count(limit=args.last, **query)
    if len(traces) == 1:
        _print_detail(args, traces[0].to_dict(), DETAIL_ATTRIBUTES)
    else:
        output.print_many(args, traces, args.attr, transforms={"start_timestamp": date.format_isodate_for_user_timezone})
    output.print_more_results_note(args, args.last, total, "trace", "traces")


def _get(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    for identifier in args.id:
        try:
            trace = resource.fetch(manager, identifier).to_dict()
        except resource.ResourceNotFoundError:
            resource.print_not_found(manager, identifier)
            raise
        for kind, object_id in (
            ("action_executions", args.execution),
            ("rules", args.rule),
            ("trigger_instances", args.trigger_instance),
        ):
            if object_id:
                trace = chain_of_causes(trace, kind, object_id)
        if args.hide_noop_triggers:
            trace = without_noop_triggers(trace)
        shown = {
            "action_executions": args.show_executions,
            "rules": args.show_rules,
            "trigger_instances": args.show_trigger_instances,
        }
        _print_detail(args, only_kinds(trace, [kind for kind, wanted in shown.items() if wanted]), args.attr)


def _component_options(verb: str) -> list[Any]:
    return [
        value("-e", "--execution", group="component", metavar="ID", help=f"{verb} this execution."),
        value("-r", "--rule", group="component", metavar="ID", help=f"{verb} this rule."),
        value("-g", "--trigger-instance", group="component", metavar="ID", help=f"{verb} this trigger instance."),
    ]


group = Group(
    "trace",
    [
        Command(
            "list",
            _list,
            [
                number("-n", "--last", default=50, metavar="N", help="How many (50; -1: all)."),
                value("-s", "--sort", type=click.Choice(SORT_CHOICES), default="descending", help="Order of start."),
                value("-c", "--trace-tag", group="component", metavar="TAG", help="Only with this tag."),
                *_component_options("Only with"),
                *resource.list_options(LIST_ATTRIBUTES),
                *resource.common_options(),
            ],
            "List traces; a single one is shown in detail.",
        ),
        Command(
            "get",
            _get,
            [
                Argument("id", nargs="+", help="Which ones."),
                resource.attribute_option(DETAIL_ATTRIBUTES),
                *_component_options("Only the causes of"),
                flag("--show-executions", help="Show executions (and nothing not asked for)."),
                flag("--show-rules", help="Show rules (and nothing not asked for)."),
                flag("--show-trigger-instances", help="Show trigger instances (and nothing not asked for)."),
                flag("-n", "--hide-noop-triggers", help="Hide trigger instances that caused nothing."),
                *resource.common_options(),
            ],
            "Show what belongs to a trace.",
        ),
    ],
    "Traces: what belongs to one event.",
)
