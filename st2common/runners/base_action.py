"""The class that Python actions of packs derive from (runners.md section 5.5). On the porch: imports in milliseconds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from st2common.runners.utils import get_logger_for_python_runner_action

__all__ = ["Action"]


class Action(ABC):
    """A Python action: ``run`` gets the action parameters by name and returns the result.

    ``run`` returns any JSON value, or ``(True | False, value)`` to decide about success itself.

    Args:
        config: the pack's configuration.
        action_service: access to the datastore.
    """

    description: str | None = None

    def __init__(self, config: dict[str, Any] | None = None, action_service: Any = None) -> None:
        self.config = {} if config is None else config
        self.action_service = action_service
        self.logger = get_logger_for_python_runner_action(type(self).__name__)

    @abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work."""
