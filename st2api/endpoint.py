"""One declaration per endpoint: its route, permission, parameters, body and answers.

The same declaration validates requests (``st2api.serving``) and describes the API (``st2api.openapi``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import falcon

from st2common.exceptions import Forbidden
from st2common.security.access import Requester, authorize

if TYPE_CHECKING:
    from st2common.platform import Platform

JSON = "application/json"
TEXT = "text/plain"

Schema = dict[str, Any]
Handler = Callable[["Call"], Any]


@dataclass(frozen=True)
class Param:
    """A query parameter (api.md 2.2).

    Attributes:
        kind: "string", "integer", "boolean", "array" (comma separated) or "timestamp" (ISO 8601, becomes microseconds).
        default: value when the parameter is absent.
        choices: the only values allowed; None = any.
    """

    name: str
    kind: str = "string"
    default: Any = None
    description: str = ""
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Endpoint:
    """One method on one path.

    Attributes:
        path: falcon's template without ``/v1``; ``{name}`` is one segment, ``{name:path}`` the rest.
        permission: checked before anything else of the request is looked at; None for none.
        object_permission: checked by the handler on the object that it loaded (``Call.authorize``).
        body: schema of the body in the product's dialect; None when the endpoint reads none.
        raw_body: the body is not parsed (the handler does, with ``Call.raw``).
        status: of the answer when all is well.
        answer: schema of the JSON answer; None for no body or for ``media``.
        media: content type of an answer that is not JSON.
        headers: names of answer headers worth telling.
        public: no credentials needed.
        metrics: whether requests are counted one by one (operations.md 8.1).
    """

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    permission: str | None = None
    object_permission: str | None = None
    query: tuple[Param, ...] = ()
    body: Schema | None = None
    raw_body: bool = False
    status: int = 200
    answer: Schema | None = None
    media: str | None = None
    headers: tuple[str, ...] = ()
    public: bool = False
    metrics: bool = True


class Routes:
    """Collects the endpoints of one resource module."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.endpoints: list[Endpoint] = []

    def __call__(self, method: str, path: str, *, query: Sequence[Param] = (), **options: Any) -> Callable[[Handler], Handler]:
        """Declare the decorated function as the handler of ``method path``; its first doc line is the summary."""

        def declare(handler: Handler) -> Handler:
            summary = (handler.__doc__ or "").strip().splitlines()[0]
            self.endpoints.append(Endpoint(method, path, handler, self.tag, summary, query=tuple(query), **options))
            return handler

        return declare


@dataclass
class Reply:
    """An answer that is more than a JSON value with the endpoint's usual status.

    Attributes:
        value: JSON value, ignored when ``data`` is given.
        data: the body itself.
    """

    value: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None
    media: str | None = None


@dataclass
class Call:
    """One request as handlers see it.

    Attributes:
        path: path parameters.
        query: declared query parameters, converted.
        body: the parsed body, checked against the declared schema and with its defaults.
        raw: the body's bytes.
        headers: by lower-case name.
    """

    platform: Platform
    endpoint: Endpoint
    requester: Requester
    request: falcon.Request
    path: Mapping[str, str]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    raw: bytes = b""

    @property
    def headers(self) -> Mapping[str, str]:
        """Request headers by lower-case name."""
        return {name.lower(): value for name, value in self.request.headers.items()}

    def authorize(self, resource: Any = None, permission: str | None = None) -> None:
        """Check the endpoint's permission (or another one) on a loaded resource.

        Raises:
            Forbidden: the requester may not.
        """
        wanted = permission or self.endpoint.object_permission
        if wanted is not None:
            authorize(self.requester, wanted, resource)

    def shows_secrets(self) -> bool:
        """Whether ``show_secrets`` was asked for by somebody who may."""
        return bool(self.query.get("show_secrets")) and self.requester.is_admin

    def acting_user(self, wanted: str | None) -> str:
        """The user to act as: the requester, or whom an administrator names.

        Raises:
            Forbidden: naming somebody else without being an administrator.
        """
        if not wanted or wanted == self.requester.user:
            return self.requester.user
        if not self.requester.is_admin:
            raise Forbidden('"user" attribute can only be provided by admins')
        return wanted


SHOW_SECRETS = Param("show_secrets", "boolean", False, "show secret values (administrators)")
