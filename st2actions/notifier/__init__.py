"""The notifier service: what follows the end of an execution, for those who asked."""

from st2actions.notifier.service import Notifier

__all__ = ["Notifier"]
