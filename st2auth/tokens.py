"""``POST /tokens`` and ``POST /tokens/validate`` (api.md 3.2, 3.3)."""

from __future__ import annotations

from typing import Any

from st2auth.credentials import BAD_CREDENTIALS, basic_credentials, client_address
from st2auth.limits import FailureLimit
from st2common.exceptions import Invalid, Unauthorized
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.schema import check
from st2common.security.access import authenticate, by_token
from st2common.web import body
from st2common.web.errors import JSON, dumps

LOG = getLogger("st2auth")
_REQUEST = {
    "type": "object",
    "properties": {
        "ttl": {"type": ["integer", "null"], "minimum": 1},
        "user": {"type": ["string", "null"]},
        "impersonate_user": {"type": ["string", "null"]},
        "nickname_origin": {"type": ["string", "null"]},
    },
}
_VALIDATION = {"type": "object", "properties": {"token": {"type": ["string", "null"]}}}
_PLAIN = {"fill_defaults": False, "null_for_optional": False}


class TokenIssuer:
    """Makes tokens."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._longest_s = platform.config.auth.token_ttl

    def issue(self, user: str, ttl_s: int | None) -> dict[str, Any]:
        """A new token's API form, with its text: the only time that it is shown. The user's record is made if new.

        Raises:
            Invalid: longer than ``[auth] token_ttl``.
        """
        if ttl_s is not None and ttl_s > self._longest_s:
            raise Invalid(f"TTL specified {ttl_s} is greater than max allowed {self._longest_s}.")
        store = self._platform.store
        store.users.ensure(user)
        text, record = store.tokens.create(user, self._longest_s if ttl_s is None else ttl_s)
        form = {**record.to_api(), "token": text}
        LOG.audit('Access granted to "%s" with the token set to expire at "%s".', user, form["expiry"], extra={"username": user})
        return form


class Tokens:
    """``POST /tokens``.

    Args:
        backend: checks passwords; None in mode ``proxy``.
    """

    metrics = True

    def __init__(self, platform: Platform, issuer: TokenIssuer, backend: Any) -> None:
        self._platform = platform
        self._issuer = issuer
        self._backend = backend
        self._limit = FailureLimit(platform.config.auth.max_failures, platform.clock)

    def on_post(self, request: Any, response: Any) -> None:
        """A token for the caller, or for the user that a service account acts for."""
        config = self._platform.config
        wanted = check(body.parse(request.content_type, body.read(request, config.api.max_body_size)), _REQUEST, **_PLAIN)
        address = client_address(request.remote_addr, (request.get_header("X-Forwarded-For") or "").split(","))
        user = self._proxied_user(request) if config.auth.mode == "proxy" else self._checked_user(request, address)
        form = self._issuer.issue(self._acting_for(user, wanted), wanted.get("ttl"))
        response.status = 201
        response.data, response.content_type = dumps(form), JSON
        response.set_header("X-API-URL", config.api_url)

    def _checked_user(self, request: Any, address: str) -> str:
        user, password = basic_credentials(request.get_header("Authorization"))
        self._limit.check(user, address)
        if not self._backend.authenticate(user, password):
            self._limit.failed(user, address)
            LOG.audit("Invalid credentials provided", extra={"username": user, "remote_addr": address})
            raise Unauthorized(BAD_CREDENTIALS)
        self._limit.succeeded(user, address)
        return user

    def _proxied_user(self, request: Any) -> str:
        """The web server in front has checked already; a Basic header's user name is taken at its word (operations.md 10)."""
        user = request.env.get("REMOTE_USER") or request.get_header("X-Forwarded-User")
        return str(user) if user else basic_credentials(request.get_header("Authorization"))[0]

    def _acting_for(self, user: str, wanted: dict[str, Any]) -> str:
        """Service accounts may ask for tokens of others, by name or by chat nickname.

        Raises:
            Invalid: not a service account, or the nickname names nobody (or several).
        """
        name, nickname = wanted.get("user"), wanted.get("impersonate_user")
        if not nickname and (not name or name == user):
            return user
        users = self._platform.store.users
        record = users.get(user)
        if record is None or not record.is_service:
            raise Invalid("Current user is not a service and cannot request impersonated tokens")
        if not nickname:
            return str(name)
        origin = wanted.get("nickname_origin")
        if not origin:
            raise Invalid(f'Nickname origin is not provided for nickname "{nickname}"')
        found = users.by_nickname(origin, nickname)
        if len(found) != 1:
            fault = "is not known" if not found else "belongs to more than one user"
            raise Invalid(f'Nickname "{nickname}" {fault} at "{origin}"')
        return str(found[0].name)


class Validation:
    """``POST /tokens/validate``."""

    metrics = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def on_post(self, request: Any, response: Any) -> None:
        """Whether a token is good at this moment."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        requester = authenticate(self._platform, headers, request.params, request.cookies)
        wanted = check(body.parse(request.content_type, body.read(request, self._platform.config.api.max_body_size)), _VALIDATION, **_PLAIN)
        text = wanted.get("token")
        if not text:
            raise Invalid("Token is not provided.")
        try:
            by_token(self._platform, text, "header")
            valid = True
        except Unauthorized:
            valid = False
        response.data, response.content_type = dumps({"valid": valid}), JSON
        if requester.cookie:
            response.append_header("Set-Cookie", requester.cookie)
