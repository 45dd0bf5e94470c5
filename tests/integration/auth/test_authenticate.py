"""Credentials to requester, over a real database (api.md 3.1, operations.md section 9)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId

from st2common import states
from st2common.config import Config
from st2common.exceptions import Unauthorized
from st2common.models import Role, RoleAssignment, Token
from st2common.platform import Platform
from st2common.security.access import Requester, authenticate
from st2common.store import Store
from st2common.store.access import api_key_hash, token_hash
from st2common.store.executions import NewExecution


@pytest.fixture
def parts(database: Store) -> Iterator[Platform]:
    """A platform over a database of its own."""
    platform = Platform(Config())
    platform.__dict__["store"] = database
    yield platform


def _ask(platform: Platform, *, headers: dict[str, str] | None = None, query: dict[str, Any] | None = None, cookie: str = "") -> Requester:
    return authenticate(platform, headers or {}, query or {}, {"auth-token": cookie} if cookie else {})


def _refusal(platform: Platform, **how: Any) -> str:
    with pytest.raises(Unauthorized) as refused:
        _ask(platform, **how)
    return refused.value.message


def test_each_way__method_and_location(parts: Platform) -> None:
    token, record = parts.store.tokens.create("ann", 100)
    key, _ = parts.store.api_keys.create("bob")
    for how, user, method, location, has_cookie in (
        ({"headers": {"x-auth-token": token}}, "ann", "authentication token", "header", True),
        ({"query": {"x-auth-token": token}}, "ann", "authentication token", "query", True),
        ({"query": {"x-auth-token": ["old", token]}}, "ann", "authentication token", "query", True),
        ({"cookie": token}, "ann", "authentication token", "header", False),
        ({"headers": {"st2-api-key": key}}, "bob", "API key", "header", False),
        ({"query": {"st2-api-key": key}}, "bob", "API key", "query", False),
    ):
        found = _ask(parts, **how)
        assert (found.user, found.method, found.location, found.cookie is not None) == (user, method, location, has_cookie)
        assert found.is_admin and found.token_expire_us == (record.expiry if method == "authentication token" else None)


def test_first_present__decides(parts: Platform) -> None:
    token, _ = parts.store.tokens.create("ann", 100)
    key, _ = parts.store.api_keys.create("bob")
    assert _ask(parts, headers={"x-auth-token": token, "st2-api-key": key}).user == "ann"
    assert _ask(parts, headers={"st2-api-key": key}, query={"x-auth-token": token}, cookie=token).user == "bob"
    assert _refusal(parts, headers={"x-auth-token": "bad", "st2-api-key": key}, cookie=token) == "Unauthorized"
    assert _ask(parts, headers={"x-auth-token": ""}, cookie=token).user == "ann"


def test_refusals(parts: Platform) -> None:
    parts.store.tokens.collection.insert_one(Token(user="ann", token_hash=token_hash("old"), expiry=1).to_mongo())
    key, _ = parts.store.api_keys.create("bob", enabled=False)
    assert _refusal(parts) == "Unauthorized - One of Token or API key required."
    assert _refusal(parts, headers={"x-auth-token": "old"}) == "Unauthorized - Token has expired."
    assert _refusal(parts, headers={"st2-api-key": key}) == "Unauthorized - API key is disabled."
    assert _refusal(parts, headers={"st2-api-key": "zz"}) == f"Unauthorized - ApiKey with key_hash={api_key_hash('zz')} not found."


def test_service_token__as_long_as_its_execution_runs(parts: Platform) -> None:
    executions = parts.store.executions
    new = NewExecution("core.noop", "noop", "a", "b", {}, {}, "ann", str(ObjectId()), status=states.SCHEDULED)
    document, _ = executions.request(new)
    assert executions.claim(document["_id"], "worker", {}, token_hash("service"))
    found = _ask(parts, headers={"x-auth-token": "service"})
    assert (found.user, found.method, found.cookie, found.service_execution) == ("ann", "authentication token", None, str(document["_id"]))
    assert executions.transition(document["_id"], states.SUCCEEDED)
    assert _refusal(parts, headers={"x-auth-token": "service"}) == "Unauthorized"


def test_authentication_off__the_system_user__credentials_are_ignored(parts: Platform) -> None:
    parts.config.auth.enable = False
    parts.config.system_user.user = "stanley"
    found = _ask(parts, headers={"x-auth-token": "bad"})
    assert (found.user, found.is_admin, found.method, found.location) == ("stanley", True, None, None)


@pytest.mark.parametrize(("same_site", "secure", "end"), [("strict", True, "; secure; HttpOnly; SameSite=strict"), ("unset", False, "; HttpOnly")])
def test_cookie__as_configured(parts: Platform, same_site: str, secure: bool, end: str) -> None:
    parts.config.api.auth_cookie_same_site, parts.config.api.auth_cookie_secure = same_site, secure
    token, _ = parts.store.tokens.create("ann", 100)
    cookie = _ask(parts, headers={"x-auth-token": token}).cookie or ""
    assert re.fullmatch(rf"auth-token={token}; Max-Age=\d\d; Path=/; expires=\w{{3}}, \d\d-\w{{3}}-\d{{4}} [\d:]{{8}} GMT{end}", cookie)


def test_rbac__roles_and_grants_of_the_user(parts: Platform) -> None:
    parts.config.rbac.enable = True
    grants = [
        {"id": "1", "resource_uid": "pack:linux", "permission_types": ["action_execute"]},
        {"id": "2", "permission_types": ["rule_list", "rule_all"]},
    ]
    roles = parts.store.roles
    roles.roles.insert_one(Role(name="qa", permission_grant_objects=grants).to_mongo())
    for user, role in (("ann", "qa"), ("root", "admin"), ("eve", "observer")):
        roles.assignments.insert_one(RoleAssignment(user=user, role=role).to_mongo())
    ann, root, eve, bob = (_ask(parts, headers={"x-auth-token": parts.store.tokens.create(name, 9)[0]}) for name in ("ann", "root", "eve", "bob"))
    assert (ann.roles, root.roles, bob.roles) == (("qa",), ("admin",), ())
    assert root.is_admin and not ann.is_admin and not eve.is_admin
    assert ann.may("action_execute", "action:linux:x") and ann.may("rule_list") and not ann.may("action_list")
    assert not ann.may("rule_delete", "rule:linux:x")  # not a permission that can be granted without a resource
    assert eve.may("action_list") and not eve.may("action_execute", "action:linux:x") and not bob.may("action_list")
