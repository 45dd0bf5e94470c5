"""Cross-origin headers (api.md 2.5)."""

from __future__ import annotations

from dataclasses import dataclass

from st2common.config import Config

_ALWAYS = ("http://127.0.0.1:3000", "http://localhost:8080", "http://127.0.0.1:8080")
_FIXED = {
    "Access-Control-Allow-Methods": "GET,POST,PUT,DELETE,OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type,Authorization,X-Auth-Token,St2-Api-Key,X-Request-ID",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": "Content-Type,X-Limit,X-Total-Count,X-Request-ID",
}


@dataclass(frozen=True)
class Origins:
    """Which origins may call."""

    allowed: tuple[str, ...]

    @classmethod
    def of(cls, config: Config) -> Origins:
        """Those of a configuration: ``[api] allow_origin``, the usual ones, ``[auth] api_url``."""
        listed = [*config.api.allow_origin, *_ALWAYS, config.auth.api_url]
        return cls(tuple(dict.fromkeys(origin for origin in listed if origin)))

    def answer(self, origin: str | None) -> str:
        """Value of ``Access-Control-Allow-Origin`` for a request's ``Origin``."""
        if "*" in self.allowed:
            return origin or "*"
        return origin if origin in self.allowed and origin else self.allowed[0]


def headers(origins: Origins, origin: str | None) -> dict[str, str]:
    """All CORS headers of an answer."""
    return {"Access-Control-Allow-Origin": origins.answer(origin), **_FIXED}
