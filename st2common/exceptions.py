"""The error tree. Each class maps to one HTTP status, in one place: ``status`` here, read by the API's error handler.

Raise the narrowest class, with a message that names the thing, the place and the cure.
"""

from __future__ import annotations

from typing import Any


class St2Error(Exception):
    """Base of every error that the platform raises on purpose.

    Args:
        message: text for the caller; becomes ``faultstring`` of an HTTP answer.
    """

    status = 500

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class Invalid(St2Error):
    """Input that breaks a schema or a rule of the business (HTTP 400).

    Args:
        message: what is wrong.
        path: where, as a dotted path into the input ("" = the whole of it).
    """

    status = 400

    def __init__(self, message: str = "", path: str = "") -> None:
        super().__init__(message)
        self.path = path


class ParamError(Invalid):
    """A parameter could not be rendered: unknown variable, cycle, template error. Upstream's ``ParamException``."""


class CastError(Invalid, ValueError):
    """A parameter value cannot be turned into its declared type. Upstream raises ``ValueError``.

    Attributes:
        details: which value of which parameter, in upstream's words; "" as long as only the value is known.
    """

    details = ""


class Unauthorized(St2Error):
    """No credentials, or bad ones (HTTP 401)."""

    status = 401


class Forbidden(St2Error):
    """The requester may not do this (HTTP 403)."""

    status = 403


class NotFound(St2Error):
    """The named thing does not exist (HTTP 404)."""

    status = 404


class Conflict(St2Error):
    """The change is impossible in the thing's present state, or a unique name is taken (HTTP 409).

    Args:
        message: what collides.
        conflict_id: id of the object already there, if known.
    """

    status = 409

    def __init__(self, message: str = "", conflict_id: str | None = None) -> None:
        super().__init__(message)
        self.conflict_id = conflict_id


class TooLarge(St2Error):
    """A request body over the limit (HTTP 413)."""

    status = 413


class TooManyRequests(St2Error):
    """Rate limit reached (HTTP 429)."""

    status = 429


class NotImplementedHere(St2Error):
    """A route that stands but whose engine is not part of this installation (HTTP 501)."""

    status = 501


class Unavailable(St2Error):
    """Database or broker is away; the caller may try again (HTTP 503)."""

    status = 503


class OutcomeUnknown(Unavailable):
    """Database or broker went away in the middle: what was asked for may have been accepted, or not (HTTP 504)."""

    status = 504


class RunnerFailed(St2Error):
    """A runner cannot run the action at all; the execution becomes ``failed`` with this text.

    Args:
        message: text for the result's ``error``.
        result: a whole result to store instead of ``{"error", "traceback"}``.
    """

    def __init__(self, message: str = "", result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class ConfigError(St2Error):
    """A configuration file or option is wrong; a service ends with this text and a non-zero code."""
