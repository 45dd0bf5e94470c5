"""Requests and answers shown by `--debug` (cli.md 8). Secrets are masked: such output ends up in tickets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

MASK = "********"

_numbers = itertools.count(1)
_SECRET_HEADERS = frozenset({"x-auth-token", "st2-api-key", "authorization", "cookie"})
_SECRET_QUERY = re.compile(r"((?:x-auth-token|st2-api-key)=)[^&]+", re.IGNORECASE)
_SECRET_FIELDS = re.compile(r'("(?:token|key|password|private_key)"\s*:\s*)"(?:[^"\\]|\\.)*"')


def mask_url(url: str) -> str:
    """URL without the credentials that streams carry in their query."""
    return _SECRET_QUERY.sub(rf"\g<1>{MASK}", url)


def mask_body(text: str) -> str:
    """JSON text without the values of token, key and password fields."""
    return _SECRET_FIELDS.sub(rf'\g<1>"{MASK}"', text)


def curl_line(method: str, url: str, headers: Mapping[str, str], data: str | bytes | None) -> str:
    """The request as a curl command for a shell."""
    import shlex

    parts = ["curl", "-X", method]
    for name, value in headers.items():
        shown = MASK if name.lower() in _SECRET_HEADERS else value
        parts += ["-H", " " + shlex.quote(f"{name}: {shown}").replace("\n", " ")]
    if data is not None:
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        parts += ["--data-binary", "'" + mask_body(text).replace("'", "'\\''") + "'"]
    parts.append(mask_url(url))
    return " ".join(parts)


def print_request(method: str, url: str, headers: Mapping[str, str], data: str | bytes | None) -> int:
    """Print the request; returns its number, to be given to `print_response`."""
    number = next(_numbers)
    print(f"# -------- begin {number} request ----------")
    print(curl_line(method, url, headers, data))
    return number


def print_response(number: int, url: str, response: Any, streamed: bool) -> None:
    """Print the answer to request `number`. The body of a stream is left to whoever reads it."""
    print(f"# -------- begin {number} response ----------")
    print("(stream)" if streamed else mask_body(response.text))
    print(f"# -------- end {number} response ------------")
    print("")
