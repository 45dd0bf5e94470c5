"""From a requested execution to its result: scheduler, worker, runners, workflows, notifier."""
