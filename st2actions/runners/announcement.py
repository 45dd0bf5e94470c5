"""Announcements: an action's parameters on the stream (runners.md section 6)."""

from __future__ import annotations

from st2common import states
from st2common.exceptions import RunnerFailed
from st2common.runners.contract import Job, Outcome, Runner
from st2common.runners.runner_types import runner_parameter_names

_OWN = runner_parameter_names("announcement")


class AnnouncementRunner(Runner):
    """Publishes the action parameters under a route; the result repeats them."""

    name = "announcement"

    def run(self, job: Job) -> Outcome:
        if not job.runner_parameters.get("experimental"):
            raise RunnerFailed(f"Experimental flag is missing for action {job.action['ref']}")
        names = dict.fromkeys([*job.action_parameters, *(job.action.get("parameters") or {})])
        payload = {name: job.action_parameters.get(name) for name in names if name not in _OWN}
        job.announce(job.runner_parameters.get("route") or "general", {"payload": payload, "trace_context": job.context.get("trace_context")})
        return Outcome(states.SUCCEEDED, {"output": payload, **payload})
