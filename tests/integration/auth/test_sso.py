"""Single sign-on with a backend package; the identity provider is outside the platform, so it is played here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from falcon import testing

from st2auth.app import create_app
from st2auth.sso.base import BaseSingleSignOnBackend, BaseSingleSignOnBackendResponse
from st2common.config import Config
from st2common.platform import Platform
from st2common.store import Store

Client = Callable[[Any], testing.TestClient]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class _Provider(BaseSingleSignOnBackend):
    def get_request_redirect_url(self, id: str, referer: str) -> str:
        if not referer:
            raise ValueError("no referer")
        return f"https://idp.example/login?id={id}&from={referer}"

    def verify_response(self, response: Any) -> BaseSingleSignOnBackendResponse:
        if response.SAMLResponse != ["signed"]:
            raise ValueError("bad signature")
        return BaseSingleSignOnBackendResponse("ann", response.RelayState[0])


class _OldProvider(BaseSingleSignOnBackend):
    def get_request_redirect_url(self, referer: str) -> str:  # type: ignore[override]
        return f"https://idp.example/old?from={referer}"

    def verify_response(self, response: Any) -> dict[str, str]:
        return {"username": "bob", "referer": "https://st2.example/"}


@pytest.fixture
def client(database: Store) -> Client:
    """``client(backend)``: the token service with that single sign-on backend."""

    def make(backend: Any) -> testing.TestClient:
        config = Config()
        config.auth.sso = True
        platform = Platform(config)
        platform.__dict__["store"] = database
        return testing.TestClient(create_app(platform, None, backend))

    return make


def test_request__sends_to_the_provider(client: Client) -> None:
    service = client(_Provider())
    assert service.simulate_get("/v1/sso").json == {"enabled": True}
    for path in ("/v1/sso/request", "/sso/request/web"):
        answer = service.simulate_get(path, headers={"Referer": "https://st2.example/"})
        assert answer.status_code == 307
        assert re.fullmatch(r"https://idp\.example/login\?id=id_[0-9a-f]{32}&from=https://st2\.example/", answer.headers["Location"])
    assert service.simulate_get("/sso/request").status_code == 400
    old = client(_OldProvider()).simulate_get("/sso/request", headers={"Referer": "x"})
    assert old.headers["Location"] == "https://idp.example/old?from=x"


def test_callback__a_page_that_keeps_the_token__and_a_short_lived_cookie(client: Client, database: Store) -> None:
    service = client(_Provider())
    back = "https://st2.example/%3C/script%3E?a=</script><script>alert(1)"
    answer = service.simulate_post("/v1/sso/callback", body=f"SAMLResponse=signed&RelayState={back}", headers=FORM)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    assert "st2Session" in answer.text and answer.text.count("</script>") == 1
    cookie = re.fullmatch(r"st2-auth-token=([^;]+); Max-Age=60; Path=/", answer.headers["Set-Cookie"])
    assert cookie
    token = json.loads(unquote(cookie[1]))
    assert token["user"] == "ann" and database.tokens.find(token["token"]) is not None
    assert client(_OldProvider()).simulate_post("/sso/callback", body="x=1", headers=FORM).status_code == 200


@pytest.mark.parametrize("body", ["SAMLResponse=forged&RelayState=https://st2.example/", "x=1", "SAMLResponse=signed&RelayState=javascript:alert(1)"])
def test_callback__not_verified__401(client: Client, body: str) -> None:
    answer = client(_Provider()).simulate_post("/sso/callback", body=body, headers=FORM)
    assert answer.status_code == 401 and "Set-Cookie" not in answer.headers
