"""The token service as clients see it (api.md sections 2, 3)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from st2common.clock import to_us
from st2common.models import Token
from st2common.store.access import token_hash
from tests.integration.service_process import ServiceProcess

GOOD = ("testu", "testp")
BAD = {"faultstring": "Invalid or missing credentials"}


def _post(service: ServiceProcess, path: str = "/v1/tokens", **more: Any) -> requests.Response:
    return requests.post(service.url + path, timeout=15, **more)


def _moment_us(text: str) -> int:
    from datetime import datetime

    return to_us(datetime.fromisoformat(text))


def test_token__shape_headers_and_user_record(auth: ServiceProcess, platform_of_auth: Any) -> None:
    for path in ("/tokens", "/v1/tokens", "/v1/tokens/"):
        answer = _post(auth, path, auth=GOOD)
        assert answer.status_code == 201
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-API-URL"] == "https://public.example/api"
        assert answer.headers["X-Request-ID"] and answer.headers["Access-Control-Allow-Origin"]
        form = answer.json()
        assert set(form) == {"id", "user", "token", "expiry", "metadata", "service"}
        assert re.fullmatch("[0-9a-f]{32}", form["token"]) and form["user"] == "testu" and form["service"] is False
    assert platform_of_auth.store.users.get("testu") is not None


def test_token__only_its_hash_is_stored(auth: ServiceProcess, platform_of_auth: Any) -> None:
    text = _post(auth, auth=GOOD).json()["token"]
    rows = list(platform_of_auth.store.tokens.collection.find())
    assert any(row["token_hash"] == token_hash(text) for row in rows)
    assert text not in repr(rows)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"ttl": 0}, "0 is less than the minimum of 1"),
        ({"ttl": "x"}, "'x' is not of type 'integer', 'null'"),
        ({"ttl": 86401}, "TTL specified 86401 is greater than max allowed 86400."),
        ({"user": "joe"}, "Current user is not a service and cannot request impersonated tokens"),
        ({"user": 7}, "7 is not of type 'string', 'null'"),
        ([1], None),
        ("text", None),
    ],
)
def test_body__wrong__400(auth: ServiceProcess, body: Any, fault: str | None) -> None:
    answer = _post(auth, auth=GOOD, json=body)
    assert answer.status_code == 400
    assert fault is None or answer.json() == {"faultstring": fault}


def test_ttl__is_the_time_to_live(auth: ServiceProcess, platform_of_auth: Any) -> None:
    now = platform_of_auth.clock.now_us()
    for body, seconds in (({"ttl": 60}, 60), ({"ttl": None}, 86400), ({}, 86400)):
        left = (_moment_us(_post(auth, auth=GOOD, json=body).json()["expiry"]) - now) / 1_000_000
        assert seconds <= left < seconds + 60


def test_body__as_bots_send_it(auth: ServiceProcess) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert _post(auth, auth=GOOD, data=b"", headers=headers).status_code == 201
    assert _post(auth, auth=GOOD, data=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    refused = _post(auth, auth=GOOD, data=b"<a/>", headers={"Content-Type": "text/xml"})
    assert (refused.status_code, refused.json()["faultstring"]) == (400, 'Failed to parse request body: Unsupported Content-Type: "text/xml"')


@pytest.mark.parametrize("header", [None, "Bearer zzz", "Basic !!", "Basic bm9jb2xvbg==", "Basic OnB3", "Basic /w==", "Basic"])
def test_credentials__missing_or_garbled__401(auth: ServiceProcess, header: str | None) -> None:
    answer = _post(auth, headers={"Authorization": header} if header else {}, json={})
    assert (answer.status_code, answer.json()) == (401, BAD)
    assert "WWW-Authenticate" not in answer.headers


def test_wrong_passwords__are_limited_per_user_and_address(auth: ServiceProcess) -> None:
    there, elsewhere = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "203.0.113.1, 198.51.100.8"}
    answers = [_post(auth, auth=("testu", "wrong"), headers=there).status_code for _ in range(4)]
    assert answers == [401, 401, 401, 429]
    limited = _post(auth, auth=GOOD, headers=there)
    assert limited.status_code == 429 and "Try again in" in limited.json()["faultstring"]
    assert _post(auth, auth=GOOD, headers={"X-Forwarded-For": "1.2.3.4, 198.51.100.7"}).status_code == 429  # only the last entry is believed
    assert _post(auth, auth=GOOD, headers=elsewhere).status_code == 201
    assert _post(auth, auth=("bot", "botp"), headers=there).status_code == 201


def test_service_account__acts_for_others_by_name_and_nickname(auth: ServiceProcess, platform_of_auth: Any) -> None:
    users = platform_of_auth.store.users
    users.ensure("bot", is_service=True)
    users.collection.update_one({"name": "bot"}, {"$set": {"is_service": True}})
    for name, nicknames in (("ann", {"slack": "annie"}), ("al", {"slack": "twin"}), ("bo", {"slack": "twin"})):
        user = users.ensure(name)
        user.nicknames = nicknames
        users.collection.replace_one({"name": name}, user.to_mongo())
    assert _post(auth, auth=("bot", "botp"), json={"user": "joe"}).json()["user"] == "joe"
    assert _post(auth, auth=("bot", "botp"), json={"impersonate_user": "annie", "nickname_origin": "slack"}).json()["user"] == "ann"
    for body, word in (
        ({"impersonate_user": "annie"}, "origin"),
        ({"impersonate_user": "nobody", "nickname_origin": "slack"}, "not known"),
        ({"impersonate_user": "annie", "nickname_origin": "teams"}, "not known"),
        ({"impersonate_user": "twin", "nickname_origin": "slack"}, "more than one"),
    ):
        refused = _post(auth, auth=("bot", "botp"), json=body)
        assert refused.status_code == 400 and word in refused.json()["faultstring"]


def test_validate(auth: ServiceProcess, platform_of_auth: Any) -> None:
    token = _post(auth, auth=GOOD).json()["token"]
    headers = {"X-Auth-Token": token}
    old = Token(user="testu", token_hash=token_hash("old"), expiry=1)
    platform_of_auth.store.tokens.collection.insert_one(old.to_mongo())

    def validate(body: Any) -> tuple[int, Any]:
        answer = _post(auth, "/v1/tokens/validate", json=body, headers=headers)
        return answer.status_code, answer.json()

    assert validate({"token": token}) == (200, {"valid": True})
    assert validate({"token": "zzz"}) == (200, {"valid": False})
    assert validate({"token": "old"}) == (200, {"valid": False})
    for body in ({}, {"token": None}, {"token": ""}):
        assert validate(body) == (400, {"faultstring": "Token is not provided."})
    missing = _post(auth, "/v1/tokens/validate", json={"token": token})
    assert (missing.status_code, missing.json()) == (401, {"faultstring": "Unauthorized - One of Token or API key required."})
    expired = _post(auth, "/v1/tokens/validate", json={"token": token}, headers={"X-Auth-Token": "old"})
    assert (expired.status_code, expired.json()) == (401, {"faultstring": "Unauthorized - Token has expired."})
    cookie = _post(auth, "/v1/tokens/validate", json={"token": token}, headers=headers).headers["Set-Cookie"]
    assert re.fullmatch(rf"auth-token={token}; Max-Age=\d+; Path=/; expires=[^;]+ GMT; secure; HttpOnly; SameSite=lax", cookie)


def test_sso__off(auth: ServiceProcess) -> None:
    assert requests.get(auth.url + "/v1/sso", timeout=10).json() == {"enabled": False}
    for answer in (requests.get(auth.url + "/sso/request", timeout=10), _post(auth, "/v1/sso/callback", json={})):
        assert answer.status_code == 500 and "backend" in answer.json()["faultstring"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/v1/tokens"), ("DELETE", "/tokens"), ("GET", "/v1/token/validate"), ("PATCH", "/tokens")]
)
def test_unrouted__404(auth: ServiceProcess, method: str, path: str) -> None:
    answer = requests.request(method, auth.url + path, timeout=10)
    assert (answer.status_code, answer.json()) == (404, {"faultstring": "The resource could not be found."})


def test_cors__allowed_origin_is_echoed__another_gets_the_first(auth: ServiceProcess) -> None:
    for origin, allowed in (("http://localhost:8080", "http://localhost:8080"), ("http://evil", "http://127.0.0.1:3000")):
        answer = requests.options(auth.url + "/nosuch", headers={"Origin": origin}, timeout=10)
        assert (answer.status_code, answer.text, answer.headers["Access-Control-Allow-Origin"]) == (200, "", allowed)


def test_health(auth: ServiceProcess) -> None:
    assert requests.get(auth.url + "/healthz", timeout=10).json() == {"status": "ok", "database": "ok"}
    assert "st2_auth_request_total" in requests.get(auth.url + "/metrics", timeout=10).text


def test_proxy__the_web_server_in_front_is_believed(start: Callable[..., ServiceProcess]) -> None:
    service = start(mode="proxy")
    assert _post(service, headers={"X-Forwarded-User": "ann"}).json()["user"] == "ann"
    assert _post(service, auth=("joe", "whatever")).json()["user"] == "joe"
    refused = _post(service)
    assert (refused.status_code, refused.json()) == (401, BAD)


def test_recorded_cases(auth: ServiceProcess, conformance: Path) -> None:
    command = [
        sys.executable,
        str(conformance / "replay_api.py"),
        "http://127.0.0.1:1",
        str(conformance / "api" / "auth.json"),
        "--auth-url",
        auth.url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_passwords__file_is_read_again_when_it_changes(start: Callable[..., ServiceProcess]) -> None:
    service = start()
    path = next(service.log.parent.glob("htpasswd"))
    assert _post(service, auth=("new", "secret")).status_code == 401
    path.write_text(path.read_text() + "new:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    assert _post(service, auth=("new", "secret")).status_code == 201


def test_backend_package__installed__is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from st2auth.backends import load_backend

    info = tmp_path / "some_backend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-backend\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[st2auth.backends.backend]\nflat_file = some_backend:Backend\nother = some_backend:Backend\n")
    (tmp_path / "some_backend.py").write_text(
        "from st2auth.backends.base import BaseAuthenticationBackend\nfrom st2auth.backends.constants import AuthBackendCapability\n"
        "class Backend(BaseAuthenticationBackend):\n"
        "    CAPABILITIES = (AuthBackendCapability.CAN_AUTHENTICATE_USER,)\n"
        "    def __init__(self, word): self.word = word\n"
        "    def authenticate(self, username, password): return password == self.word\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("other", "flat_file"):  # a package wins over the built-in backend of the same name
        backend = load_backend(name, '{"word": "w"}')
        assert type(backend).__module__ == "some_backend" and backend.authenticate("x", "w")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"backend": "nosuch"}, "nosuch"),
        ({"backend_kwargs": "{oops"}, "backend_kwargs is not JSON"),
        ({"backend_kwargs": "[]"}, "JSON object"),
        ({"backend_kwargs": "{}"}, "file_path"),
        ({"mode": "wrong"}, "standalone or proxy"),
        ({"use_ssl": "true", "cert": "/nosuch.crt"}, "/nosuch.crt"),
    ],
)
def test_wrong_settings__end_the_service_with_one_clear_line(start: Callable[..., ServiceProcess], options: dict[str, str], word: str) -> None:
    with pytest.raises(SystemExit) as ended:
        start(**options)
    text = str(ended.value)
    assert "ended with 1" in text and word in text and "Traceback" not in text
