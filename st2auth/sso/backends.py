"""Which single sign-on backend is configured (entry point group ``st2auth.sso.backends``)."""

from __future__ import annotations

from typing import Any

from st2auth.backends import find, make, parse_kwargs
from st2common.config.options import Auth

GROUP = "st2auth.sso.backends"


def load_sso_backend(options: Auth) -> Any:
    """The configured backend, None for ``noop`` or with single sign-on off.

    Raises:
        ConfigError: no such backend, or it does not take its arguments.
    """
    if not options.sso or options.sso_backend == "noop":
        return None
    kwargs = parse_kwargs(options.sso_backend_kwargs, "[auth] sso_backend_kwargs")
    return make(find(GROUP, options.sso_backend, {}, "[auth] sso_backend"), kwargs, f'[auth] sso_backend "{options.sso_backend}"')
