"""Login, token cache and configuration file (cli.md 6 and 7)."""

from __future__ import annotations

import base64
import json
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .answering_server import AnsweringServer, Request

St2 = Callable[..., Any]
EXPIRY = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.fixture
def protected(server: AnsweringServer) -> AnsweringServer:
    """Gives tokens to u:p and actions to who has one."""

    def token(request: Request) -> tuple[int, Any]:
        expected = "Basic " + base64.b64encode(b"u:p").decode()
        if request.headers.get("authorization") != expected:
            return 401, {"faultstring": "Invalid or missing credentials"}
        return 201, {"user": "u", "token": "t" * 32, "expiry": EXPIRY, "metadata": {}, "id": "1"}

    def action(request: Request) -> tuple[int, Any]:
        if request.headers.get("x-auth-token") == "t" * 32 or request.headers.get("st2-api-key") == "key":
            return 200, {"ref": "core.noop"}
        return 401, {"faultstring": "Unauthorized - One of Token or API key required."}

    server.routes[("POST", "/tokens")] = token
    server.routes[("GET", "/actions/core.noop")] = action
    return server


def get(st2: St2, *options: str) -> Any:
    return st2("action", "get", "core.noop", "-a", "ref", "-j", *options)


def write_config(home: Path, text: str) -> None:
    (home / ".st2").mkdir(exist_ok=True)
    (home / ".st2/config").write_text(text)


def test_auth__prints_the_token(st2: St2, protected: AnsweringServer) -> None:
    assert st2("auth", "u", "-p", "p", "-t").out == "t" * 32 + "\n"
    assert sorted(json.loads(st2("auth", "u", "-p", "p", "-l", "100", "-j").out)) == ["expiry", "token", "user"]
    assert protected.last("POST").json == {"ttl": 100}
    result = st2("auth", "u", "-p", "wrong")
    assert result.code == 1
    assert result.out.startswith("ERROR: 401 Client Error: Unauthorized\nMESSAGE: Invalid or missing credentials")


def test_login__remembers_user_and_token(st2: St2, protected: AnsweringServer, clean_environment: Path) -> None:
    result = st2("login", "u", "-p", "p")
    assert result.out.startswith("Logged in as u\n\nNote: You didn't use --write-password option")
    directory = clean_environment / ".st2"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o2770
    for name in ("config", "token-u"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o660
    assert (directory / "config").read_text() == "[credentials]\nusername = u\n\n"
    assert set(json.loads((directory / "token-u").read_text())) == {"token", "expire_timestamp", "login"}
    assert json.loads(get(st2).out) == {"ref": "core.noop"}
    assert "password = p" not in (directory / "config").read_text()


def test_login__write_password_and_forget_it_again(st2: St2, protected: AnsweringServer, clean_environment: Path) -> None:
    assert st2("login", "u", "-p", "p", "-w").out == "Logged in as u\n"
    assert "password = p" in (clean_environment / ".st2/config").read_text()
    st2("login", "u", "-p", "p")
    assert "password" not in (clean_environment / ".st2/config").read_text()


def test_login__refused(st2: St2, protected: AnsweringServer) -> None:
    result = st2("login", "u", "-p", "no")
    assert (result.code, result.out.startswith("ERROR: Failed to log in as u: 401 Client Error: Unauthorized")) == (1, True)


def test_config__user_and_password_fetch_a_token_once(st2: St2, protected: AnsweringServer, clean_environment: Path) -> None:
    write_config(clean_environment, "[credentials]\nusername = u\npassword = p\n")
    assert get(st2).code == get(st2).code == 0
    assert len([request for request in protected.requests if request.path == "/tokens"]) == 1
    cache = clean_environment / ".st2/token-u"
    cache.write_text(json.dumps({"token": "t" * 32, "expire_timestamp": time.time() + 10}))
    get(st2)
    assert len([request for request in protected.requests if request.path == "/tokens"]) == 2
    cache.write_text("{")
    assert "corrupted" in get(st2).out


def test_config__token_of_another_server_or_password__is_not_used(st2: St2, protected: AnsweringServer, clean_environment: Path) -> None:
    cache = clean_environment / ".st2/token-u"
    write_config(clean_environment, "[credentials]\nusername = u\npassword = p\n")
    get(st2)
    cached = json.loads(cache.read_text())
    for count, text in ((1, cached), (2, {**cached, "login": "00000000"}), (2, {"token": cached["token"], "expire_timestamp": time.time() + 99})):
        cache.write_text(json.dumps(text))
        assert get(st2).code == 0
        assert len([request for request in protected.requests if request.path == "/tokens"]) == count


def test_config__cache_token_off(st2: St2, protected: AnsweringServer, clean_environment: Path) -> None:
    write_config(clean_environment, "[cli]\ncache_token = False\n[credentials]\nusername = u\npassword = p\n")
    get(st2)
    get(st2)
    assert len([request for request in protected.requests if request.path == "/tokens"]) == 2
    assert (clean_environment / ".st2/token-u").exists()


def test_config__auth_service_out_of_reach__goes_on_unauthenticated(st2: St2, protected: AnsweringServer, clean_environment: Path) -> None:
    write_config(clean_environment, "[auth]\nurl = http://127.0.0.1:1\n[credentials]\nusername = u\npassword = p\n")
    result = get(st2)
    assert result.out.startswith("ERROR: 401") and "Cannot log in as u" in result.err


def test_token_and_key__option_environment_and_file(
    st2: St2, protected: AnsweringServer, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get(st2).out.startswith("ERROR: 401 Client Error: Unauthorized\nMESSAGE: Unauthorized - One of Token or API key required.")
    assert get(st2, "-t", "t" * 32).code == 0
    assert get(st2, "--api-key", "key").code == 0
    write_config(clean_environment, "[credentials]\napi_key = key\n")
    assert get(st2).code == 0
    monkeypatch.setenv("ST2_API_KEY", "other")
    assert get(st2).code == 0  # the file comes first
    monkeypatch.setenv("ST2_CLI_SKIP_CONFIG", "1")
    assert get(st2).code == 1
    monkeypatch.setenv("ST2_AUTH_TOKEN", "t" * 32)
    assert get(st2).code == 0


def test_skip_config__does_not_log_in(st2: St2, protected: AnsweringServer, clean_environment: Path) -> None:
    write_config(clean_environment, "[credentials]\nusername = u\npassword = p\n")
    assert st2("--skip-config", "action", "get", "core.noop").code == 1
    assert not [request for request in protected.requests if request.path == "/tokens"]


def test_open_permissions__are_warned_of(st2: St2, protected: AnsweringServer, clean_environment: Path) -> None:
    write_config(clean_environment, "[cli]\n")
    (clean_environment / ".st2/config").chmod(0o644)
    assert "readable by others" in st2("--print-config").err
