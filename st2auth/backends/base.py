"""What an authentication backend is (operations.md section 10). Backend packages import this class by this path."""

from __future__ import annotations

from typing import Any


class BaseAuthenticationBackend:
    """Base of authentication backends; a backend need not derive from it, only have ``authenticate``.

    The constructor gets the members of ``[auth] backend_kwargs`` as keyword arguments.
    """

    def authenticate(self, username: str, password: str) -> bool:
        """Whether the password is the user's."""
        raise NotImplementedError(f"{type(self).__name__} cannot check passwords")

    def get_user(self, username: str) -> dict[str, Any] | None:
        """What the backend knows about a user."""
        raise NotImplementedError(f"{type(self).__name__} has no information about users")

    def get_user_groups(self, username: str) -> list[str]:
        """Names of the groups that a user is in."""
        raise NotImplementedError(f"{type(self).__name__} has no information about groups")
