"""The description of the API (OpenAPI 3.1), made from the declarations that validate requests, and a page to read it in."""

from __future__ import annotations

from collections.abc import Iterable

from st2api.endpoint import Endpoint


def endpoints(declared: Iterable[Endpoint]) -> list[Endpoint]:
    """The endpoints that show the description."""
    return []
