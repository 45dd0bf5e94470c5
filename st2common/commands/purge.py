"""``st2-purge-executions`` and its siblings: remove records older than a moment (operations.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
from pymongo.errors import PyMongoError

from st2common import retention
from st2common.clock import to_us
from st2common.commands.options import configuration, fail, load
from st2common.log import getLogger
from st2common.store import connect
from st2common.util import isotime

LOG = getLogger("st2common.commands.purge")
_HELP = {"help_option_names": ["-h", "--help"]}

_timestamp = click.option(
    "--timestamp", metavar="MOMENT", help="Remove what is older, ISO 8601 in UTC: 2015-03-13T19:01:27.255542Z. A window cannot be given."
)
_incomplete = click.option("--purge-incomplete", is_flag=True, help="Remove those that never ended, too. What still runs loses its record.")


def _purge(what: str, kind: retention.Kind, options: dict[str, Any], *, also: dict[str, Any] | None = None) -> None:
    config = load(options["config_file"], options["config_dir"], options["verbose"])
    moment = _moment(options["timestamp"])
    store = connect(config)
    try:
        count = retention.remove_older(store, kind, to_us(moment), incomplete=options.get("purge_incomplete", False), also=also)
    except PyMongoError as error:
        fail(f"The database refused: {str(error)[:300]}")
    finally:
        store.close()
    LOG.info("All %s older than %s were deleted.", what, isotime.format(moment, offset=False))
    click.echo(f"Deleted {count} {what}.")


def _moment(text: str | None) -> datetime:
    if not text:
        fail("Please supply a timestamp for purging models (--timestamp). Aborting.")
    try:
        return isotime.parse(text)
    except ValueError:
        fail(f'"{text}" is not a moment such as 2015-03-13T19:01:27.255542Z.')


def _command(what: str, kind: retention.Kind, text: str, *, incomplete: bool = False) -> Callable[..., Any]:
    def run(**options: Any) -> None:
        _purge(what, kind, options)

    run.__doc__ = text
    decorated = configuration(_timestamp(_incomplete(run) if incomplete else run))
    return click.command(context_settings=_HELP)(decorated)


@click.command(context_settings=_HELP)
@_timestamp
@click.option("--action-ref", metavar="REF", help="Only executions of this action.")
@_incomplete
@configuration
def executions(action_ref: str | None, **options: Any) -> None:
    """Remove executions, with their output, that ended before a moment."""
    _purge("executions", retention.EXECUTIONS, options, also={"action_ref": action_ref} if action_ref else None)


trigger_instances = _command("trigger instances", retention.TRIGGER_INSTANCES, "Remove trigger instances that occurred before a moment.")
rule_enforcements = _command("rule enforcements", retention.RULE_ENFORCEMENTS, "Remove rule enforcements made before a moment.")
tokens = _command("tokens", retention.TOKENS, "Remove access tokens that expired before a moment.")
workflows = _command(
    "workflow executions", retention.WORKFLOWS, "Remove workflow executions, with their tasks, that ended before a moment.", incomplete=True
)
