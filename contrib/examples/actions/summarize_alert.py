"""examples.summarize_alert: a Python action that leaves the thinking to a library of its pack (actions/lib)."""

from typing import Any

from alertmanager import Notification
from st2common.runners.base_action import Action


class SummarizeAlertAction(Action):
    def run(self, alert: dict[str, Any]) -> tuple[bool, Any]:
        """Returns ``(True, summary)``, or ``(False, reason)`` when the body is no Alertmanager notification."""
        try:
            notification = Notification.parse(alert)
        except ValueError as error:
            return False, str(error)
        self.logger.info("%d alert(s) from %s", len(notification.alerts), notification.receiver)
        return True, notification.summary()
