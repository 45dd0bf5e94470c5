from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .answering_server import AnsweringServer


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    answering = AnsweringServer()
    yield answering
    answering.close()


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings of the machine: an empty home and no variables of ours. Returns the home."""
    for name in list(os.environ):
        if name.startswith("ST2_") or name.lower().endswith("_proxy") or name in ("NO_COLOR",):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "dumb")
    return home


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def st2(
    server: AnsweringServer, clean_environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Runs the command line in this process against the answering server."""
    for name in ("API", "STREAM"):
        monkeypatch.setenv(f"ST2_{name}_URL", f"{server.url}/v1")
    monkeypatch.setenv("ST2_AUTH_URL", server.url)

    def run(*words: str) -> Result:
        from st2client.shell import Shell

        token, api_key = os.environ.get("ST2_AUTH_TOKEN"), os.environ.get("ST2_API_KEY")
        capsys.readouterr()
        code = Shell().run(list(words))
        captured = capsys.readouterr()
        for variable, value in (("ST2_AUTH_TOKEN", token), ("ST2_API_KEY", api_key)):
            os.environ.pop(variable, None)  # the command line sets them for its own process only
            if value is not None:
                os.environ[variable] = value
        return Result(code, captured.out, captured.err)

    return run
