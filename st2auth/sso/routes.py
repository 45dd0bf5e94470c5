"""``/sso``, ``/sso/request`` and ``/sso/callback`` (api.md 3.4)."""

from __future__ import annotations

import inspect
import secrets
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

from st2auth.tokens import TokenIssuer
from st2common.exceptions import Invalid, St2Error, Unauthorized
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.web import body
from st2common.web.errors import JSON, dumps

LOG = getLogger("st2auth.sso")
_COOKIE_S = 60
_NO_BACKEND = "Single sign-on has no backend here: install one (entry point st2auth.sso.backends) and name it in [auth] sso_backend."
_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Signed in</title></head><body><script>
const session = JSON.parse(window.localStorage.getItem('st2Session') || '{}');
session.token = %(token)s;
window.localStorage.setItem('st2Session', JSON.stringify(session));
window.location.replace(%(referer)s);
</script></body></html>
"""


class Sso:
    """``GET /sso``: whether single sign-on is on."""

    def __init__(self, platform: Platform) -> None:
        self._enabled = platform.config.auth.sso

    def on_get(self, request: Any, response: Any) -> None:
        """``{"enabled": bool}``."""
        response.data, response.content_type = dumps({"enabled": self._enabled}), JSON


class SsoRequest:
    """``GET /sso/request``: off to the identity provider."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def on_get(self, request: Any, response: Any) -> None:
        """307 to the identity provider's login page."""
        referer = request.get_header("Referer") or ""
        try:
            url = _redirect_url(_required(self._backend), referer)
        except (ValueError, NotImplementedError) as error:
            raise Invalid(f"The single sign-on request was refused: {error}") from error
        response.status = 307
        response.set_header("Location", url)


class SsoCallback:
    """``POST /sso/callback``: back from the identity provider, with its word about the user."""

    def __init__(self, platform: Platform, issuer: TokenIssuer, backend: Any) -> None:
        self._issuer = issuer
        self._backend = backend
        self._limit = platform.config.api.max_body_size

    def on_post(self, request: Any, response: Any) -> None:
        """A page that stores the token and returns to where the user came from."""
        backend = _required(self._backend)
        fields = body.parse(request.content_type, body.read(request, self._limit))
        try:
            verified = backend.verify_response(SimpleNamespace(**fields) if isinstance(fields, dict) else fields)
            user, referer = _of(verified, "username"), _of(verified, "referer")
        except Exception as error:  # whatever a backend raises means "not verified"
            LOG.warning("single sign-on callback refused: %s", error)
            raise Unauthorized(f"Error encountered while verifying the SSO response: {error}") from error
        if not user or urlsplit(referer or "").scheme not in ("http", "https"):
            raise Unauthorized("The SSO response names no user or no address to return to.")
        token = self._issuer.issue(user, None)
        response.data = (_PAGE % {"token": _script(token), "referer": _script(referer)}).encode()
        response.content_type = "text/html; charset=utf-8"
        cookie = quote(dumps(token).decode(), safe="")
        response.append_header("Set-Cookie", f"st2-auth-token={cookie}; Max-Age={_COOKIE_S}; Path=/")


def _required(backend: Any) -> Any:
    if backend is None:
        raise St2Error(_NO_BACKEND)
    return backend


def _redirect_url(backend: Any, referer: str) -> str:
    """Backends before 3.8 take the referer only, later ones an id of the request first."""
    method = backend.get_request_redirect_url
    arguments = (referer,) if len(inspect.signature(method).parameters) == 1 else (f"id_{secrets.token_hex(16)}", referer)
    return str(method(*arguments))


def _of(verified: Any, name: str) -> Any:
    return verified.get(name) if isinstance(verified, dict) else getattr(verified, name, None)


def _script(value: Any) -> str:
    """JSON that is safe inside a script element."""
    return dumps(value).decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
