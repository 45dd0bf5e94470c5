"""The datastore as actions and sensors of packs see it: over the API, with their service token (runners.md section 5.5, reactor.md
section 2). On the porch: only the standard library, and that imported on use."""

from __future__ import annotations

import importlib
import json
import logging
from dataclasses import dataclass
from typing import Any

_SCOPES = ("system", "st2kv.system")
_TIMEOUT_S = 60


@dataclass
class KeyValue:
    """An item of the datastore; ``value`` is text."""

    name: str
    value: str
    scope: str = "st2kv.system"
    user: str | None = None
    description: str | None = None
    encrypted: bool = False
    secret: bool = False
    expire_timestamp: str | None = None
    uid: str | None = None
    id: str | None = None


class DatastoreError(Exception):
    """The API refused or could not be reached.

    Args:
        message: what was asked and what came of it.
        status: HTTP status, 0 without an answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class DatastoreClient:
    """Reads and writes keys of the system scope.

    Args:
        pack: pack of the caller.
        class_name: class of the caller; local names are stored as ``<pack>.<class_name>:<name>``.
        api_url: API base including the version.
        token: service token.
        logger: gets a DEBUG line per call.
    """

    def __init__(self, pack: str, class_name: str, api_url: str, token: str, logger: logging.Logger | None = None) -> None:
        self._prefix = f"{pack}.{class_name}:"
        self._api_url = api_url.rstrip("/")
        self._token = token
        self._logger = logger or logging.getLogger(__name__)

    def set_token(self, token: str) -> None:
        """Use another token from now on."""
        self._token = token

    def list_values(self, local: bool = True, prefix: str | None = None, limit: int | None = None, offset: int | None = None) -> list[KeyValue]:
        """Items whose name begins with ``prefix``; with ``local`` only those of the caller.

        Args:
            limit: at most so many; None: as many as a page of the API holds.
            offset: leave out so many.

        Raises:
            DatastoreError: the API refused or could not be reached.
        """
        start = (self._prefix if local else "") + (prefix or "")
        self._logger.debug("Retrieving all the values from the datastore")
        query = {"prefix": start or None, "limit": limit, "offset": offset}
        return [_key_value(item) for item in self._call("GET", "/keys", query) or []]

    def get_value(self, name: str, local: bool = True, scope: str = "system", decrypt: bool = False) -> str | None:
        """The text of a key; None if it is missing or cannot be read.

        Raises:
            ValueError: a scope other than the system's.
        """
        _check_scope(scope)
        name = self._full_name(name, local)
        self._logger.debug("Retrieving value from the datastore (name=%s)", name)
        try:
            item = self._call("GET", self._path(name), {"scope": "st2kv.system", "decrypt": "true" if decrypt else None})
        except DatastoreError as error:
            self._logger.debug("No value from the datastore (name=%s): %s", name, error)
            return None
        return item["value"]

    def set_value(self, name: str, value: Any, ttl: int | None = None, local: bool = True, scope: str = "system", encrypt: bool = False) -> bool:
        """Store ``str(value)`` under ``name``. Returns True.

        Args:
            ttl: the item expires after so many seconds; None: never.
            encrypt: store it encrypted.

        Raises:
            ValueError: a scope other than the system's.
            DatastoreError: the API refused or could not be reached.
        """
        _check_scope(scope)
        name = self._full_name(name, local)
        self._logger.debug("Setting value in the datastore (name=%s)", name)
        item: dict[str, Any] = {"name": name, "value": str(value), "scope": "st2kv.system"}
        if encrypt:
            item["secret"] = True
        if ttl:
            item["ttl"] = ttl
        self._call("PUT", self._path(name), {}, item)
        return True

    def delete_value(self, name: str, local: bool = True, scope: str = "system") -> bool:
        """Delete a key. Returns True, also if it was missing; False if the API refused or could not be reached.

        Raises:
            ValueError: a scope other than the system's.
        """
        _check_scope(scope)
        name = self._full_name(name, local)
        self._logger.debug("Deleting value from the datastore (name=%s)", name)
        try:
            self._call("DELETE", self._path(name), {"scope": "st2kv.system"})
        except DatastoreError as error:
            if error.status == 404:
                return True
            self._logger.debug("Value not deleted from the datastore (name=%s): %s", name, error)
            return False
        return True

    def get_user_info(self) -> dict[str, Any]:
        """What the API tells about the user of the token (``GET /user``).

        Raises:
            DatastoreError: the API refused or could not be reached.
        """
        self._logger.debug("Retrieving user information")
        return self._call("GET", "/user", {})

    def get_api_client(self) -> Any:
        """An ``st2client.client.Client`` with the token; the client library is loaded on first use and must be installed."""
        self._logger.debug("Creating new Client object.")
        client = importlib.import_module("st2client.client")
        base_url = self._api_url.rpartition("/v1")[0] or self._api_url
        return client.Client(base_url=base_url, api_url=self._api_url, token=self._token)

    def _full_name(self, name: str, local: bool) -> str:
        return self._prefix + name if local else name

    @staticmethod
    def _path(name: str) -> str:
        from urllib.parse import quote

        return "/keys/" + quote(name, safe="")

    def _call(self, method: str, path: str, query: dict[str, Any], body: Any = None) -> Any:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection
        from urllib.parse import urlencode, urlsplit

        asked = {name: value for name, value in query.items() if value is not None}
        target = urlsplit(self._api_url + path + ("?" + urlencode(asked) if asked else ""))
        connection_class = HTTPSConnection if target.scheme == "https" else HTTPConnection
        connection = connection_class(target.netloc, timeout=_TIMEOUT_S)
        headers = {"X-Auth-Token": self._token, "Accept": "application/json", "Content-Type": "application/json"}
        try:
            connection.request(
                method,
                target.path + ("?" + target.query if target.query else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
            )
            response = connection.getresponse()
            text = response.read()
        except (OSError, HTTPException) as error:
            raise DatastoreError(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise DatastoreError(f"{method} {path}: HTTP {response.status} {_reason(text)}", response.status)
        return json.loads(text) if text else None


def _check_scope(scope: str) -> None:
    if scope not in _SCOPES:
        raise ValueError(f"Scope {scope} is unsupported.")


def _reason(text: bytes) -> str:
    try:
        return str(json.loads(text)["faultstring"])
    except (ValueError, KeyError, TypeError):
        return text[:200].decode("utf-8", "replace")


def _key_value(item: dict[str, Any]) -> KeyValue:
    return KeyValue(**{name: item[name] for name in KeyValue.__dataclass_fields__ if name in item})
