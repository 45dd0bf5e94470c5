"""A second API process beside the shared platform, and small clients."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from st2common.ctl import servers
from tests.running import RunningPlatform, end, port_answers, wait_until

ROOT = Path(__file__).resolve().parents[3]


class Api:
    """Requests to one API, paths relative to ``/v1``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        if body is not None:
            options["json"] = body
        return self._session.request(method, f"{self.url}/v1{path}", timeout=60, **options)

    def wait_for(self, path: str, good: Callable[[Any], bool], seconds: float = 30) -> Any:
        """The answer to GET ``path`` once it is good."""

        def probe() -> Any:
            answer = self("GET", path).json()
            return (answer,) if good(answer) else None

        return wait_until(probe, seconds, f"GET {path}")[0]

    def result_of(self, execution_id: str, seconds: float = 30) -> Any:
        """The execution once it ended."""
        ends = {"succeeded", "failed", "timeout", "canceled", "abandoned"}
        return self.wait_for(f"/executions/{execution_id}", lambda answer: answer.get("status") in ends, seconds)


@pytest.fixture(scope="session")
def api(platform: RunningPlatform) -> Api:
    """The API of the shared platform."""
    return Api(platform.api_url)


@pytest.fixture(scope="session")
def scratch_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform for requests that nobody means well: what they leave behind is in nobody's way."""
    with RunningPlatform(tmp_path_factory.mktemp("scratch"), auth=False) as running:
        yield running


@pytest.fixture(scope="session")
def scratch_api(scratch_platform: RunningPlatform) -> Api:
    """The API of that platform."""
    return Api(scratch_platform.api_url)


@contextlib.contextmanager
def beside(platform: RunningPlatform, module: str, **settings: str) -> Iterator[str]:
    """One more service process of the platform on a port of its own; gives its URL."""
    port = servers.free_port()
    section = module.split(".")[0].removeprefix("st2")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), f"ST2_{section.upper()}__PORT": str(port), **settings}
    command = [sys.executable, "-m", module, "--config-file", str(platform.data_dir / "st2.conf")]
    with open(platform.data_dir / "logs" / f"beside-{port}.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: port_answers(port), 30, f"{module} answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)
