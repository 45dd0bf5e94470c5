"""A lean HTTP client: keeps its connection, and costs far less CPU than what it measures."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

_IDLE_S = 20.0


class Refused(Exception):
    """The server answered with an error; ``status`` is its code."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:300]}")
        self.status = status


class Client:
    """One connection to the API; for one thread."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=120)
        self._used = 0.0

    def call(self, method: str, path: str, body: Any = None) -> tuple[dict[str, str], bytes]:
        """Send a request; returns (headers in lower case, body).

        Raises:
            Refused: the answer is an error.
            OSError, http.client.HTTPException: no answer.
        """
        if time.monotonic() - self._used > _IDLE_S:
            self._connection.close()  # the server may have closed it; the next request opens it again
        self._used = time.monotonic()
        data = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise Refused(answer.status, text.decode(errors="replace"))
        return {name.lower(): value for name, value in answer.getheaders()}, text

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The same, with the answer decoded."""
        return json.loads(self.call(method, path, body)[1] or b"null")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def at_once(base: str, connections: int, jobs: Sequence[tuple[str, str, Any]]) -> tuple[list[float], float]:
    """Send requests (method, path, body) over so many connections as fast as they are answered.

    Returns:
        Seconds of each request, and seconds for all.
    """
    taken: list[float] = []
    errors: list[Exception] = []
    remaining = iter(jobs)
    lock = threading.Lock()
    ready = threading.Barrier(connections + 1)

    def send() -> None:
        client = Client(base)
        mine: list[float] = []
        ready.wait()
        try:
            while True:
                with lock:
                    job = next(remaining, None)
                if job is None:
                    break
                began = time.perf_counter()
                client.call(*job)
                mine.append(time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - told to the caller
            errors.append(error)
        finally:
            client.close()
            with lock:
                taken.extend(mine)

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    ended = time.perf_counter()
    if errors:
        raise errors[0]
    return taken, ended - began


def wait_for(probe: Callable[[], Any], seconds: float, what: str, pause: float = 0.05) -> Any:
    """The first true value of ``probe``."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not after {seconds:.0f} s")
        time.sleep(pause)
