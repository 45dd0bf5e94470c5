"""Inquiries: a question that waits for somebody's response (runners.md section 6, execution.md section 13)."""

from __future__ import annotations

from st2common import states
from st2common.runners.contract import Job, Outcome, Runner

_FIELDS = ("schema", "roles", "users", "route", "ttl")


class InquirerRunner(Runner):
    """Leaves the execution pending with the question as its result. Whoever stores the status announces the inquiry afterwards, so
    that a rule which answers it finds it there."""

    name = "inquirer"

    def run(self, job: Job) -> Outcome:
        return Outcome(states.PENDING, {field: job.runner_parameters.get(field) for field in _FIELDS})
