"""Completion in shells, driven as the shells drive it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .answering_server import AnsweringServer


@pytest.fixture
def complete(st2: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """What bash is offered for a command line (the last word is being typed)."""

    def offered(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_ST2_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        return [entry.split(",", 1)[1] for entry in st2().out.splitlines() if entry]

    return offered


@pytest.fixture
def actions(server: AnsweringServer) -> AnsweringServer:
    server.on("GET", "/actions", 200, [{"ref": "core.local"}, {"ref": "core.noop"}, {"ref": "linux.ls"}])
    return server


def test_commands_subcommands_and_options(complete: Callable[[str], list[str]]) -> None:
    assert complete("st2 trig") == ["trigger", "trigger-instance"]
    assert complete("st2 execution re") == ["re-run", "resume"]
    assert complete("st2 action list --pa") == ["--pack"]
    assert complete("st2 --de") == ["--debug"]


def test_references__are_fetched_once_in_a_while(complete: Callable[[str], list[str]], actions: AnsweringServer, clean_environment: Path) -> None:
    assert complete("st2 run core.") == ["core.local", "core.noop"]
    assert complete("st2 run l") == ["linux.ls"]
    assert len(actions.requests) == 1
    cache = clean_environment / ".st2/completion-cache"
    entries = json.loads(cache.read_text())
    cache.write_text(json.dumps({key: {**entry, "time": entry["time"] - 3600} for key, entry in entries.items()}))
    complete("st2 action get c")
    assert len(actions.requests) == 2


def test_references__no_server__nothing_is_offered_and_nothing_printed(
    st2: Callable[..., Any], complete: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ST2_API_URL", "http://127.0.0.1:1/v1")
    assert complete("st2 rule get x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(st2: Callable[..., Any], shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "_ST2_COMPLETE" in st2("completion", shell).out
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    assert st2("completion").out == st2("completion", shell).out
    assert st2("completion", "tcsh").code == 2
