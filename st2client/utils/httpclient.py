"""HTTP transport of the client.

Direct connections (the usual case) go over the standard library: importing `requests` costs more processor time than the rest of a
command together. Proxies, redirects and rare keywords are handed to `requests`, so that their behaviour is that of the library users
know. Errors are those of `requests.exceptions` either way (pyclient.md 3), imported only when one is raised.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from socket import SHUT_RDWR
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

from st2client.utils import curl

__all__ = ["HTTPClient", "Response"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LIGHT_KEYWORDS = frozenset({"params", "headers", "auth", "verify", "timeout", "stream", "data", "allow_redirects"})
_REQUESTS_KEYWORDS = frozenset({"proxies", "cert", "cookies", "files", "hooks", "json"})

DEFAULT_TIMEOUT_S = 300.0
"""A server that says nothing for this long is taken as gone. Streams set their own."""


class Response:
    """Answer of the light transport: the part of `requests.Response` that the managers and packs use."""

    def __init__(self, url: str, raw: http.client.HTTPResponse, connection: http.client.HTTPConnection, socket: Any, stream: bool) -> None:
        self.url = url
        self.status_code: int = raw.status
        self.reason: str = raw.reason
        self.headers = raw.headers
        self._raw = raw
        self._connection = connection
        self._socket = socket
        self._content: bytes | None = None
        if not stream:
            self._content = raw.read()
            self.close()

    @property
    def content(self) -> bytes:
        """Body as bytes (reads it when the answer was opened as a stream)."""
        if self._content is None:
            self._content = self._raw.read()
            self.close()
        return self._content

    @property
    def text(self) -> str:
        """Body as text; the API speaks UTF-8 only."""
        return self.content.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    def json(self) -> Any:
        """Body as JSON. Raises `ValueError` when it is none."""
        return json.loads(self.content)

    def iter_lines(self) -> Iterator[bytes]:
        """Yield the lines of a streamed body as they arrive, without their line end."""
        while line := self._raw.readline():
            yield line.rstrip(b"\r\n")

    def close(self) -> None:
        """Close the connection; safe to call twice and from another thread."""
        with contextlib.suppress(OSError):  # closed already
            # Closing alone would wait for a thread that is reading; after the shutdown its read ends at once.
            self._socket.shutdown(SHUT_RDWR)
        self._raw.close()
        self._connection.close()

    def raise_for_status(self) -> None:
        """Raise `requests.exceptions.HTTPError` (with `.response`) for 4xx and 5xx, do nothing otherwise."""
        if self.status_code < 400:
            return
        import requests

        answer = requests.Response()
        answer.status_code, answer.reason, answer.url = self.status_code, self.reason, self.url
        answer.headers.update(self.headers.items())
        answer._content = self.content
        answer.encoding = "utf-8"
        answer.raise_for_status()


def _proxied(url: str) -> bool:
    """Whether proxy variables of the environment apply to this URL (then `requests` makes the connection)."""
    names = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
    if not any(os.environ.get(name) or os.environ.get(name.upper()) for name in names):
        return False
    from requests.utils import get_environ_proxies

    return bool(get_environ_proxies(url))


def _open(url: str, verify: bool | str, timeout_s: float | None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port or 80, timeout=timeout_s)
    import ssl

    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, parts.port or 443, timeout=timeout_s, context=context)


def _raise_connection_error(url: str, error: Exception) -> NoReturn:
    """Say where the connection failed and why, as the error class `requests` users catch."""
    import requests

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    where = f"{parts.scheme}://{parts.netloc} (host='{parts.hostname}', port={port})"
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if isinstance(error, TimeoutError):
        raise requests.exceptions.ReadTimeout(f"No answer from {where} in time: {reason}") from error
    if type(error).__module__ == "ssl":
        raise requests.exceptions.SSLError(f"Secure connection to {where} failed: {reason}") from error
    raise requests.exceptions.ConnectionError(f"Cannot connect to {where}: {reason}. Is the service running and the URL right?") from error


def _light_request(method: str, url: str, headers: dict[str, str], data: bytes | None, kwargs: Mapping[str, Any]) -> Response:
    timeout_s = kwargs.get("timeout", DEFAULT_TIMEOUT_S)
    verify = kwargs.get("verify", True)
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _open(url, verify, timeout_s)
    try:
        connection.request(method, target, body=data, headers=headers)
        socket = connection.sock  # getresponse() takes it from the connection when the server is going to close
        return Response(url, connection.getresponse(), connection, socket, bool(kwargs.get("stream")))
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        _raise_connection_error(url, error)


def request(method: str, url: str, **kwargs: Any) -> Any:
    """Send one request. Keywords are those of `requests.request`; an unknown one raises `TypeError`.

    Returns:
        `Response`, or a `requests.Response` when a proxy or a redirect made `requests` necessary.

    Raises:
        requests.exceptions.ConnectionError, requests.exceptions.Timeout, requests.exceptions.SSLError
    """
    for name in kwargs:
        if name not in _LIGHT_KEYWORDS and name not in _REQUESTS_KEYWORDS:
            raise TypeError(f"request() got an unexpected keyword argument '{name}'")
    auth = kwargs.get("auth")
    needs_requests = any(kwargs.get(name) is not None for name in _REQUESTS_KEYWORDS) or not isinstance(auth, tuple | None)
    if not needs_requests and not _proxied(url):
        response = _light_request(method, _with_query(url, kwargs.get("params")), *_light_message(kwargs), kwargs)
        if response.status_code not in _REDIRECTS or kwargs.get("allow_redirects") is False:
            return response
        response.close()
    import requests

    kwargs.setdefault("timeout", DEFAULT_TIMEOUT_S)
    if not kwargs.get("verify", True):
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return requests.request(method, url, **kwargs)


def _with_query(url: str, params: Mapping[str, Any] | None) -> str:
    pairs = {key: value for key, value in (params or {}).items() if value is not None}
    if not pairs:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs, doseq=True)}"


def _light_message(kwargs: Mapping[str, Any]) -> tuple[dict[str, str], bytes | None]:
    headers = {"User-Agent": "st2client", "Accept": "*/*", **(kwargs.get("headers") or {})}
    auth = kwargs.get("auth")
    if auth is not None:
        headers["Authorization"] = "Basic " + b64encode(":".join(auth).encode()).decode()
    data = kwargs.get("data")
    return headers, data.encode() if isinstance(data, str) else data


class HTTPClient:
    """Requests relative to one root URL, with the credentials and settings of a `Client`.

    Args:
        root: URL every path is appended to.
        cacert: path of a CA bundle, True (system bundle), False or None (certificates are not verified, cli.md 1).
        debug: print every request as a curl line, and its answer, to stdout.
        basic_auth: (user, password) for a proxy in front of the services.
    """

    def __init__(
        self,
        root: str,
        cacert: str | bool | None = None,
        debug: bool = False,
        basic_auth: tuple[str, str] | None = None,
    ) -> None:
        self.root = root.rstrip("/")
        self.cacert = cacert
        self.debug = debug
        self.basic_auth = basic_auth

    def get(self, url: str, **kwargs: Any) -> Any:
        """GET; keywords as `requests.get`, and `token=`, `api_key=`."""
        return self._send("GET", url, kwargs)

    def post(self, url: str, data: Any, **kwargs: Any) -> Any:
        """POST `data` as JSON."""
        return self._send("POST", url, {**kwargs, "data": json.dumps(data)}, json_body=True)

    def post_raw(self, url: str, data: str | bytes, **kwargs: Any) -> Any:
        """POST a body as it is; the caller sets its content type in `headers=`."""
        return self._send("POST", url, {**kwargs, "data": data})

    def put(self, url: str, data: Any, **kwargs: Any) -> Any:
        """PUT `data` as JSON."""
        return self._send("PUT", url, {**kwargs, "data": json.dumps(data)}, json_body=True)

    def patch(self, url: str, data: Any, **kwargs: Any) -> Any:
        """PATCH with `data` as JSON."""
        return self._send("PATCH", url, {**kwargs, "data": json.dumps(data)}, json_body=True)

    def delete(self, url: str, **kwargs: Any) -> Any:
        """DELETE; a `data=` keyword is sent as a JSON body."""
        return self._send("DELETE", url, kwargs, json_body="data" in kwargs)

    def _send(self, method: str, url: str, kwargs: dict[str, Any], json_body: bool = False) -> Any:
        headers = dict(kwargs.pop("headers", None) or {})
        if json_body:
            headers.setdefault("content-type", "application/json")
        token, api_key = kwargs.pop("token", None), kwargs.pop("api_key", None)
        if token:
            headers["X-Auth-Token"] = token
        if api_key:
            headers["St2-Api-Key"] = api_key
        if self.basic_auth and not kwargs.get("auth"):
            kwargs["auth"] = self.basic_auth
        kwargs.setdefault("verify", self.cacert if self.cacert is not None else False)
        address = self.root + url
        if not self.debug:
            return request(method, address, headers=headers, **kwargs)
        number = curl.print_request(method, _with_query(address, kwargs.get("params")), headers, kwargs.get("data"))
        response = request(method, address, headers=headers, **kwargs)
        curl.print_response(number, address, response, streamed=bool(kwargs.get("stream")))
        return response
