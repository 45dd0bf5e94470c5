"""The scheduler service: executions with a delay or a concurrency policy, and the sweeper that finds what was lost."""

from st2actions.scheduler.service import Scheduler

__all__ = ["Scheduler"]
