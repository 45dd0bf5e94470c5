"""The runner that does nothing (runners.md section 6)."""

from __future__ import annotations

from st2common import states
from st2common.runners.contract import Job, Outcome, Runner


class NoopRunner(Runner):
    """Succeeds at once, whatever the parameters."""

    name = "noop"

    def run(self, job: Job) -> Outcome:
        return Outcome(states.SUCCEEDED, {"failed": False, "succeeded": True, "return_code": 0})
