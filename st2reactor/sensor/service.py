"""``sensor_service``: what a sensor may ask of the platform (reactor.md section 2)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from st2common.datastore_client import DatastoreClient, KeyValue
from st2common.trace_context import TraceContext

Send = Callable[[dict[str, Any]], None]


class SensorService:
    """Dispatches triggers through the container and reaches the datastore through the API.

    Args:
        pack: the sensor's pack.
        class_name: the sensor's class.
        send: takes one message for the container.
        datastore: client with the sensor's service token.
    """

    def __init__(self, pack: str, class_name: str, send: Send, datastore: DatastoreClient) -> None:
        self._name = f"{pack}.{class_name}"
        self._send = send
        self._datastore = datastore

    @property
    def datastore_service(self) -> DatastoreClient:
        """The object behind the datastore methods; has ``get_api_client()``."""
        return self._datastore

    def get_logger(self, name: str) -> logging.Logger:
        """Logger ``SensorWrapper.<pack>.<Class>.<name>``."""
        return logging.getLogger(f"SensorWrapper.{self._name}.{name}")

    def dispatch(self, trigger: str | dict[str, Any], payload: dict[str, Any] | None = None, trace_tag: str | None = None) -> None:
        """Tell of an event.

        Args:
            trigger: reference of a trigger, or of a trigger type without parameters; or a trigger object.
            payload: what happened; must be JSON (other objects become their text).
            trace_tag: begin a new trace with this tag.

        Raises:
            TypeError: the payload is not an object.
        """
        self.dispatch_with_context(trigger, payload, TraceContext(trace_tag=trace_tag) if trace_tag else None)

    def dispatch_with_context(
        self, trigger: str | dict[str, Any], payload: dict[str, Any] | None = None, trace_context: TraceContext | dict[str, Any] | None = None
    ) -> None:
        """Tell of an event within a trace. Raises TypeError if the payload is not an object."""
        if payload and not isinstance(payload, dict):
            raise TypeError(f"The payload has a value that is not a dictionary (was {type(payload)}).")
        context = trace_context.to_dict() if isinstance(trace_context, TraceContext) else trace_context
        self._send({"event": "dispatch", "trigger": trigger, "payload": payload, "trace_context": context})

    def get_user_info(self) -> dict[str, Any]:
        """As ``GET /user``."""
        return self._datastore.get_user_info()

    def list_values(self, local: bool = True, prefix: str | None = None, limit: int | None = None, offset: int | None = None) -> list[KeyValue]:
        """See :meth:`DatastoreClient.list_values`."""
        return self._datastore.list_values(local=local, prefix=prefix, limit=limit, offset=offset)

    def get_value(self, name: str, local: bool = True, scope: str = "system", decrypt: bool = False) -> str | None:
        """See :meth:`DatastoreClient.get_value`."""
        return self._datastore.get_value(name, local=local, scope=scope, decrypt=decrypt)

    def set_value(self, name: str, value: Any, ttl: int | None = None, local: bool = True, scope: str = "system", encrypt: bool = False) -> bool:
        """See :meth:`DatastoreClient.set_value`."""
        return self._datastore.set_value(name, value, ttl=ttl, local=local, scope=scope, encrypt=encrypt)

    def delete_value(self, name: str, local: bool = True, scope: str = "system") -> bool:
        """See :meth:`DatastoreClient.delete_value`."""
        return self._datastore.delete_value(name, local=local, scope=scope)
