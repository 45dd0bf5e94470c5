"""Notifications of Prometheus Alertmanager (webhook receiver, version 4 of its payload)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SEVERITIES = ("none", "info", "warning", "critical")


@dataclass(frozen=True)
class Alert:
    """One alert of a notification."""

    name: str
    instance: str
    severity: str
    firing: bool

    @property
    def label(self) -> str:
        return f"{self.name} on {self.instance}" if self.instance else self.name


@dataclass(frozen=True)
class Notification:
    """What Alertmanager posts: a group of alerts."""

    receiver: str
    alerts: tuple[Alert, ...]

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Notification:
        """Read the body of the request. Raises ValueError when it holds no alerts."""
        alerts = body.get("alerts")
        if not isinstance(alerts, list) or not alerts:
            raise ValueError("The body holds no alerts: is it an Alertmanager notification?")
        common = body.get("commonLabels") or {}
        return cls(str(body.get("receiver", "")), tuple(cls._alert({**common, **(item.get("labels") or {})}, item) for item in alerts))

    @staticmethod
    def _alert(labels: dict[str, Any], item: dict[str, Any]) -> Alert:
        return Alert(
            name=str(labels.get("alertname", "unnamed alert")),
            instance=str(labels.get("instance", "")),
            severity=str(labels.get("severity", "none")),
            firing=item.get("status", "firing") == "firing",
        )

    def summary(self) -> dict[str, Any]:
        """``{"title", "severity", "firing": [label], "resolved": [label]}``; the severity is the worst of those that fire."""
        firing = [alert for alert in self.alerts if alert.firing]
        worst = max((alert.severity for alert in firing), key=lambda text: SEVERITIES.index(text) if text in SEVERITIES else 0, default="none")
        state = f"{len(firing)} firing" if firing else "all resolved"
        names = sorted({alert.name for alert in self.alerts})
        return {
            "title": f"{', '.join(names)}: {state}",
            "severity": worst,
            "firing": [alert.label for alert in firing],
            "resolved": [alert.label for alert in self.alerts if not alert.firing],
        }
