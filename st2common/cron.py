"""Cron fields of timer triggers (reactor.md 4). The expression grammar and its errors are APScheduler's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any

from apscheduler.triggers.cron import CronTrigger

from st2common.exceptions import Invalid

CRON_FIELDS = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
"""From coarse to fine. A field that is not given is ``*`` if it is coarser than the finest one given (and ``week`` and
``day_of_week`` always), else it takes its minimum."""


def cron_trigger(parameters: Mapping[str, Any], zone: tzinfo = UTC) -> CronTrigger:
    """The APScheduler trigger for cron parameters; null is absent, what is no cron field is ignored.

    Args:
        parameters: of a rule or trigger.
        zone: in which the fields are read.

    Raises:
        Invalid: a field's expression is wrong; ``path`` names the field where the parser does not.
    """
    fields = {name: parameters[name] for name in CRON_FIELDS if parameters.get(name) is not None}
    for name, expression in fields.items():
        try:
            CronTrigger(**{name: expression}, timezone=UTC)
        except (ValueError, TypeError, OverflowError) as error:
            raise Invalid(str(error), name) from error
    return CronTrigger(**fields, timezone=zone)
