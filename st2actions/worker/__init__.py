"""The action runner service: claims scheduled executions, runs them, stores how they ended."""

from st2actions.worker.service import Worker

__all__ = ["Worker"]
