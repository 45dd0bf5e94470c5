"""What a single sign-on backend is. Backend packages import these classes by this path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class BaseSingleSignOnBackendResponse:
    """Who the identity provider says it is.

    Attributes:
        username: the user.
        referer: URL to go back to.
        groups: the user's groups, for role mappings.
    """

    username: str | None = None
    referer: str | None = None
    groups: list[str] = field(default_factory=list)


class BaseSingleSignOnBackend:
    """Base of single sign-on backends; the constructor gets the members of ``[auth] sso_backend_kwargs``."""

    def get_request_redirect_url(self, id: str, referer: str) -> str:
        """URL of the identity provider for a login request with that id."""
        raise NotImplementedError(f"{type(self).__name__} has no login page")

    def get_request_id_from_response(self, response: Any) -> str | None:
        """Id of the login request that a callback answers."""
        raise NotImplementedError(f"{type(self).__name__} does not tell request ids")

    def verify_response(self, response: Any) -> Any:
        """The user of a callback: a ``BaseSingleSignOnBackendResponse`` or a mapping with ``username`` and ``referer``."""
        raise NotImplementedError(f"{type(self).__name__} cannot verify callbacks")
