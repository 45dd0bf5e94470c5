"""The workflow engine service: feeds the conductor with what happened and carries out what it decides.

``engine`` reads the queues, ``steps`` does one load-advance-save step, ``children`` requests and controls child executions,
``orquesta`` and ``chains`` know the two languages, ``sweeper`` heals runs that lost a message.
"""

from st2actions.workflows.engine import WorkflowEngine

__all__ = ["WorkflowEngine"]
