"""``self.action_service`` of Python actions (runners.md section 5.5). On the porch."""

from __future__ import annotations

from typing import Any

from st2common.datastore_client import DatastoreClient, KeyValue

_SCOPE = "st2kv.system"


class ActionService:
    """What the platform offers to a running Python action: the datastore and who it runs for.

    Args:
        datastore: client with the action's service token.
    """

    def __init__(self, datastore: DatastoreClient) -> None:
        self._datastore = datastore

    @property
    def datastore_service(self) -> DatastoreClient:
        """The object behind the other members; has ``get_api_client()``."""
        return self._datastore

    def get_user_info(self) -> dict[str, Any]:
        """As ``GET /user``."""
        return self._datastore.get_user_info()

    def list_values(self, local: bool = True, prefix: str | None = None, limit: int | None = None, offset: int | None = None) -> list[KeyValue]:
        """See :meth:`DatastoreClient.list_values`."""
        return self._datastore.list_values(local=local, prefix=prefix, limit=limit, offset=offset)

    def get_value(self, name: str, local: bool = True, scope: str = _SCOPE, decrypt: bool = False) -> str | None:
        """See :meth:`DatastoreClient.get_value`."""
        return self._datastore.get_value(name, local=local, scope=scope, decrypt=decrypt)

    def set_value(self, name: str, value: Any, ttl: int | None = None, local: bool = True, scope: str = _SCOPE, encrypt: bool = False) -> bool:
        """See :meth:`DatastoreClient.set_value`."""
        return self._datastore.set_value(name, value, ttl=ttl, local=local, scope=scope, encrypt=encrypt)

    def delete_value(self, name: str, local: bool = True, scope: str = _SCOPE) -> bool:
        """See :meth:`DatastoreClient.delete_value`."""
        return self._datastore.delete_value(name, local=local, scope=scope)
