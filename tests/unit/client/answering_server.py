"""A server outside the platform that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Answer = tuple[int, Any]
"""Status and body: a JSON value, text, or None for no body."""


class Request:
    """One request as the server saw it."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        self.method, self.path, self.raw_path = method, unquote(parts.path), parts.path
        self.query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class AnsweringServer:
    """Answers by method and path (without the version); a callable is given the request. Everything else is 404."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.routes: dict[tuple[str, str], Answer | Callable[[Request], Answer]] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                server.requests.append(request)
                path = request.path.removeprefix("/v1").rstrip("/") or "/"
                answer = server.routes.get((request.method, path))
                if callable(answer):
                    answer = answer(request)
                status, content = answer or (404, {"faultstring": f"Resource {path} not found"})
                self._send(status, content)

            def _send(self, status: int, content: Any) -> None:
                kind = "application/json"
                if isinstance(content, str):
                    payload, kind = content.encode(), "text/event-stream" if content.startswith(("\n", "event:")) else "text/plain"
                else:
                    payload = b"" if content is None else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(payload)))
                if isinstance(content, list):
                    self.send_header("X-Total-Count", str(server.total or len(content)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = do_DELETE = _handle

            def log_message(self, *args: Any) -> None:
                pass

        self.total: int | None = None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def on(self, method: str, path: str, status: int, body: Any = None) -> None:
        self.routes[(method, path)] = (status, body)

    def last(self, method: str) -> Request:
        return next(request for request in reversed(self.requests) if request.method == method)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
