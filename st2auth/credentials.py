"""Reading the ``Authorization`` header, and where a request comes from."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Sequence

from st2common.exceptions import Unauthorized

BAD_CREDENTIALS = "Invalid or missing credentials"


def basic_credentials(header: str | None) -> tuple[str, str]:
    """User and password of a Basic ``Authorization`` header.

    Raises:
        Unauthorized: missing, another scheme, or garbled.
    """
    scheme, _, encoded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized(BAD_CREDENTIALS)
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unauthorized(BAD_CREDENTIALS) from error
    user, separator, password = text.partition(":")
    if not separator or not user:
        raise Unauthorized(BAD_CREDENTIALS)
    return user, password


def client_address(peer: str, forwarded: Sequence[str]) -> str:
    """The client's address: what the nearest proxy says, if the peer can be one (this machine or a private network).

    Only the last entry is believed: the ones before it were written by the client.
    """
    try:
        is_near = ipaddress.ip_address(peer).is_private
    except ValueError:  # a unix socket has no address
        is_near = True
    return forwarded[-1].strip() if is_near and forwarded and forwarded[-1].strip() else peer
