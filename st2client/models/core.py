"""Resources and the manager all of them share (pyclient.md 3 and 5)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from urllib.parse import quote, urlencode

from st2client.utils import httpclient

R = TypeVar("R", bound="Resource")

_OK, _NO_CONTENT, _NOT_FOUND = 200, 204, 404


def add_auth_token_to_kwargs_from_env(func: Any) -> Any:
    """Method decorator: take `token` and `api_key` from the environment where the caller gave none."""

    @wraps(func)
    def with_credentials(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("token") and os.environ.get("ST2_AUTH_TOKEN"):
            kwargs["token"] = os.environ["ST2_AUTH_TOKEN"]
        if not kwargs.get("api_key") and os.environ.get("ST2_API_KEY"):
            kwargs["api_key"] = os.environ["ST2_API_KEY"]
        return func(*args, **kwargs)

    return with_credentials


class Resource:
    """A bag of attributes. Nothing is validated; fields the server left out are absent attributes."""

    _alias: ClassVar[str | None] = None
    _display_name: ClassVar[str | None] = None
    _plural: ClassVar[str | None] = None
    _plural_display_name: ClassVar[str | None] = None
    _url_path: ClassVar[str | None] = None
    _repr_attributes: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for name, value in kwargs.items():
            setattr(self, name, value)

    if TYPE_CHECKING:  # what the attributes are depends on the server's answer

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    @classmethod
    def get_alias(cls) -> str:
        """Name of the resource in commands, e.g. `Action`."""
        return cls._alias or cls.__name__

    @classmethod
    def get_display_name(cls) -> str:
        """Name of the resource in messages, e.g. `Action Execution`."""
        return cls._display_name or cls.__name__

    @classmethod
    def get_plural_name(cls) -> str:
        """Name of many, as one word."""
        return cls._plural or f"{cls.__name__}s"

    @classmethod
    def get_plural_display_name(cls) -> str:
        """Name of many in messages."""
        return cls._plural_display_name or f"{cls.get_display_name()}s"

    @classmethod
    def get_url_path_name(cls) -> str:
        """Path of the collection below the API root."""
        return cls._url_path or cls.get_plural_name().lower()

    def to_dict(self, exclude_attributes: list[str] | None = None) -> dict[str, Any]:
        """Copy of all attributes except those named."""
        excluded = set(exclude_attributes or ())
        return {name: value for name, value in vars(self).items() if name not in excluded}

    def serialize(self) -> dict[str, Any]:
        """Attributes as sent to the server: all that do not start with an underscore."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    @classmethod
    def deserialize(cls: type[R], doc: str | bytes | dict[str, Any]) -> R:
        """Build an instance from an answer (JSON text or already parsed)."""
        return cls(**(json.loads(doc) if isinstance(doc, str | bytes) else doc))

    def __str__(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        if not self._repr_attributes:
            return super().__repr__()
        shown = ",".join(f"{name}={getattr(self, name, None)}" for name in self._repr_attributes)
        return f"<{type(self).__name__} {shown}>"


def raise_for_answer(response: Any) -> None:
    """Raise `requests.exceptions.HTTPError` for 4xx/5xx, with the server's message in the text (cli.md 1)."""
    try:
        fault = response.json().get("faultstring")
    except (ValueError, AttributeError) as error:
        # AttributeError: JSON, but no object. The sentence is for people; `e.response` holds the body.
        fault = f"The answer of the server could not be read as an error message ({error})."
    if fault:
        response.reason = f"{response.reason}\nMESSAGE: {fault}"
    response.raise_for_status()


class ResourceManager(Generic[R]):
    """Create, read, update and delete resources of one kind.

    Every method takes `token=` and `api_key=`; without them the environment decides. Errors of the server are
    `requests.exceptions.HTTPError`.

    Args:
        resource: model class.
        endpoint: root URL of the service.
        cacert, debug, basic_auth: see `HTTPClient`.
    """

    def __init__(
        self,
        resource: type[R],
        endpoint: str,
        cacert: str | bool | None = None,
        debug: bool = False,
        basic_auth: tuple[str, str] | None = None,
    ) -> None:
        self.resource = resource
        self.endpoint = endpoint
        self.cacert = cacert
        self.debug = debug
        self.client = httpclient.HTTPClient(endpoint, cacert=cacert, debug=debug, basic_auth=basic_auth)

    @staticmethod
    def handle_error(response: Any) -> None:
        """Raise for an answer that was not the expected one; does nothing for other 2xx codes."""
        raise_for_answer(response)

    def _path(self, *parts: Any) -> str:
        return "/" + "/".join([self.resource.get_url_path_name(), *(quote(str(part), safe="") for part in parts)])

    def _many(self, response: Any) -> list[R]:
        if response.status_code != _OK:
            self.handle_error(response)
        return [self.resource.deserialize(item) for item in response.json()]

    def _one(self, response: Any) -> R:
        if response.status_code != _OK:
            self.handle_error(response)
        return self.resource.deserialize(response.json())

    @add_auth_token_to_kwargs_from_env
    def get_all(self, **kwargs: Any) -> list[R]:
        """List resources.

        Args:
            limit, pack, prefix, user, offset: query parameters of the same name, sent when given.
            params: further query parameters. Other keywords go to the HTTP request and fail when it does not know them.
        """
        return self._many(self.client.get(self._path(), **_with_query_keywords(kwargs)))

    @add_auth_token_to_kwargs_from_env
    def get_all_with_count(self, **kwargs: Any) -> tuple[list[R], int | None]:
        """As `get_all`, with the number of all matches (header `X-Total-Count`) or None when the server does not say."""
        response = self.client.get(self._path(), **_with_query_keywords(kwargs))
        return self._many(response), _total(response)

    @add_auth_token_to_kwargs_from_env
    def get_by_id(self, id: str, **kwargs: Any) -> R | None:
        """The resource, or None when there is none (404)."""
        response = self.client.get(self._path(id), **kwargs)
        if response.status_code == _NOT_FOUND:
            return None
        return self._one(response)

    def get_by_ref_or_id(self, ref_or_id: str, **kwargs: Any) -> R | None:
        """As `get_by_id`: the server takes both."""
        return self.get_by_id(id=ref_or_id, **kwargs)

    @add_auth_token_to_kwargs_from_env
    def get_property(self, id_: str, property_name: str, self_deserialize: bool = True, **kwargs: Any) -> Any:
        """Sub-resource `/<path>/<id>/<property>/`; remaining keywords are its query. None on 404."""
        credentials = {name: kwargs.pop(name) for name in ("token", "api_key") if name in kwargs}
        query = f"?{urlencode(kwargs)}" if kwargs else ""
        response = self.client.get(f"{self._path(id_, property_name)}/{query}", **credentials)
        if response.status_code == _NOT_FOUND:
            return None
        if response.status_code != _OK:
            self.handle_error(response)
        return [self.resource.deserialize(item) for item in response.json()] if self_deserialize else response.json()

    def _query(self, kwargs: dict[str, Any]) -> tuple[list[R], int | None]:
        if not kwargs:
            raise Exception("Query parameter is not provided.")
        credentials = {name: kwargs.pop(name) for name in ("token", "api_key") if name in kwargs}
        filters = {**kwargs, **(kwargs.pop("params", None) or {})}
        filters.pop("params", None)
        query = urlencode({name: str(value) for name, value in filters.items() if value is not None})
        response = self.client.get(f"{self._path()}/?{query}", **credentials)
        if response.status_code == _NOT_FOUND:
            return [], None
        return self._many(response), _total(response)

    @add_auth_token_to_kwargs_from_env
    def query(self, **kwargs: Any) -> list[R]:
        """List by filters (query parameters); `[]` on 404."""
        return self._query(kwargs)[0]

    @add_auth_token_to_kwargs_from_env
    def query_with_count(self, **kwargs: Any) -> tuple[list[R], int | None]:
        """As `query`, with the number of all matches."""
        return self._query(kwargs)

    def get_by_name(self, name: str, **kwargs: Any) -> Any:
        """The only resource of that name, None when there is none; an `Exception` when there are several."""
        found = self.query(name=name, **kwargs)
        if len(found) > 1:
            raise Exception(f'More than one {self.resource.__name__.lower()} named "{name}" are found.')
        return found[0] if found else None

    @add_auth_token_to_kwargs_from_env
    def create(self, instance: R, **kwargs: Any) -> R:
        """POST the instance; returns what the server made of it."""
        return self._one(self.client.post(self._path(), instance.serialize(), **kwargs))

    @add_auth_token_to_kwargs_from_env
    def update(self, instance: R, **kwargs: Any) -> R:
        """PUT the instance under its `id`."""
        return self._one(self.client.put(self._path(instance.id), instance.serialize(), **kwargs))

    @add_auth_token_to_kwargs_from_env
    def delete(self, instance: R, **kwargs: Any) -> bool:
        """Delete; True also when it was not there."""
        response = self.client.delete(self._path(instance.id), **kwargs)
        if response.status_code not in (_OK, _NO_CONTENT, _NOT_FOUND):
            self.handle_error(response)
            return False
        return True

    @add_auth_token_to_kwargs_from_env
    def delete_by_id(self, instance_id: str, **kwargs: Any) -> Any:
        """Delete; returns the JSON answer when there is one, else True. A 404 gives its error body, no exception."""
        response = self.client.delete(self._path(instance_id), **kwargs)
        if response.status_code not in (_OK, _NO_CONTENT, _NOT_FOUND):
            self.handle_error(response)
            return False
        try:
            return response.json() or True
        except ValueError:
            return True  # 204: no body

    @add_auth_token_to_kwargs_from_env
    def delete_action(self, instance: R, remove_files: bool, **kwargs: Any) -> bool:
        """Delete an action, its files too when asked."""
        body = json.dumps({"remove_files": remove_files})
        response = self.client.delete(self._path(instance.id), data=body, **kwargs)
        if response.status_code not in (_OK, _NO_CONTENT, _NOT_FOUND):
            self.handle_error(response)
            return False
        return True

    @add_auth_token_to_kwargs_from_env
    def clone(self, source_ref: str, dest_pack: str, dest_action: str, overwrite: bool, **kwargs: Any) -> R:
        """Copy an action with its files to another pack or name."""
        body = {"dest_pack": dest_pack, "dest_action": dest_action, "overwrite": overwrite}
        return self._one(self.client.post(self._path(source_ref, "clone"), body, **kwargs))


def _with_query_keywords(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Move the list keywords of `get_all` into `params`."""
    params = dict(kwargs.pop("params", None) or {})
    for name in ("limit", "pack", "prefix", "user", "offset"):
        value = kwargs.pop(name, None)
        if value:
            params[name] = value
    return {**kwargs, "params": params}


def _total(response: Any) -> int | None:
    count = response.headers.get("X-Total-Count")
    return int(count) if count is not None else None


def iter_event_data(lines: Iterator[bytes]) -> Iterator[tuple[str, str]]:
    """Parse server-sent events: (event name, data) of every message with data. Keep-alive lines are skipped."""
    name, data = "", list[str]()
    for raw in lines:
        line = raw.decode("utf-8", "replace")
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            continue
        if data:
            yield name, "\n".join(data)
        name, data = "", []


from st2client.models.managers import (  # noqa: E402  (the special managers derive from the class above; packs import them from here)
    ActionAliasExecutionManager,
    ActionAliasResourceManager,
    ActionResourceManager,
    ConfigManager,
    ExecutionResourceManager,
    InquiryResourceManager,
    KeyValuePairResourceManager,
    PackResourceManager,
    ServiceRegistryGroupsManager,
    ServiceRegistryMembersManager,
    StreamManager,
    TriggerInstanceResourceManager,
    WebhookManager,
    WorkflowManager,
)

__all__ = [
    "ActionAliasExecutionManager",
    "ActionAliasResourceManager",
    "ActionResourceManager",
    "ConfigManager",
    "ExecutionResourceManager",
    "InquiryResourceManager",
    "KeyValuePairResourceManager",
    "PackResourceManager",
    "Resource",
    "ResourceManager",
    "ServiceRegistryGroupsManager",
    "ServiceRegistryMembersManager",
    "StreamManager",
    "TriggerInstanceResourceManager",
    "WebhookManager",
    "WorkflowManager",
    "add_auth_token_to_kwargs_from_env",
    "iter_event_data",
]
