"""The token service's WSGI application (api.md section 3)."""

from __future__ import annotations

from typing import Any

import falcon

from st2auth.backends import load_backend
from st2auth.sso.backends import load_sso_backend
from st2auth.sso.routes import Sso, SsoCallback, SsoRequest
from st2auth.tokens import TokenIssuer, Tokens, Validation
from st2common.config import Config
from st2common.platform import Platform
from st2common.web import errors
from st2common.web.cors import Origins
from st2common.web.envelope import Envelope
from st2common.web.health import Healthz, MetricsText


def backends(config: Config) -> tuple[Any, Any]:
    """The password backend (None in mode ``proxy``) and the single sign-on backend (None without one).

    Raises:
        ConfigError: a setting is wrong; found out before the service starts.
    """
    auth = config.auth
    return None if auth.mode == "proxy" else load_backend(auth.backend, auth.backend_kwargs), load_sso_backend(auth)


def create_app(platform: Platform, backend: Any, sso_backend: Any) -> falcon.App:
    """Assemble the application."""
    app = falcon.App(middleware=[Envelope(Origins.of(platform.config), platform.metrics, "auth")])
    errors.install(app)
    issuer = TokenIssuer(platform)
    request = SsoRequest(sso_backend)
    for path, resource in (
        ("/tokens", Tokens(platform, issuer, backend)),
        ("/tokens/validate", Validation(platform)),
        ("/sso", Sso(platform)),
        ("/sso/request", request),
        ("/sso/request/web", request),
        ("/sso/callback", SsoCallback(platform, issuer, sso_backend)),
        ("/healthz", Healthz(platform, broker=False)),
        ("/metrics", MetricsText(platform)),
    ):
        app.add_route(path, resource)
    return app
