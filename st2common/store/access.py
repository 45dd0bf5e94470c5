"""Users, tokens, API keys, roles."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.clock import Clock
from st2common.exceptions import Conflict
from st2common.models import ApiKey, Role, RoleAssignment, Token, User
from st2common.store.query import Page, Query, run


def token_hash(token: str) -> str:
    """What is stored of a token: SHA-256, hex. Tokens are 128 random bits, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def api_key_hash(key: str) -> str:
    """What is stored of an API key: SHA-512 of upstream's fixed prefix and the key (api.md 3.5), so that imported hashes work."""
    return hashlib.sha512(b"saltnpepper" + key.encode()).hexdigest()


class Tokens:
    """Access tokens by hash."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.collection = database[Token.collection_name()]
        self._clock = clock

    def create(self, user: str, ttl_s: int, *, metadata: Mapping[str, Any] | None = None, service: bool = False) -> tuple[str, Token]:
        """A new token: its text (shown once) and its record."""
        text = secrets.token_hex(16)
        expiry = self._clock.now_us() + ttl_s * 1_000_000
        record = Token(user=user, token_hash=token_hash(text), expiry=expiry, metadata=dict(metadata or {}), service=service)
        self.collection.insert_one(record.to_mongo())
        return text, record

    def find(self, text: str) -> Token | None:
        """The record of a token, expired or not."""
        document = self.collection.find_one({"token_hash": token_hash(text)})
        return None if document is None else Token.from_mongo(document)

    def is_expired(self, token: Token) -> bool:
        """Whether its time is over."""
        return token.expiry <= self._clock.now_us()

    def delete(self, text: str) -> bool:
        """Revoke. False when unknown."""
        return self.collection.delete_one({"token_hash": token_hash(text)}).deleted_count == 1


class ApiKeys:
    """API keys by hash."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.collection = database[ApiKey.collection_name()]
        self._clock = clock

    def create(
        self, user: str, *, metadata: Mapping[str, Any] | None = None, enabled: bool = True, key_hash: str | None = None, id: str | None = None
    ) -> tuple[str | None, ApiKey]:
        """A new key: its text (None when a hash was imported) and its record.

        Raises:
            Conflict: the hash exists.
        """
        text = None if key_hash else secrets.token_urlsafe(48)
        record = ApiKey(
            user=user, key_hash=key_hash or api_key_hash(text or ""), metadata=dict(metadata or {}), created_at=self._clock.now_us(), enabled=enabled
        )
        if id:
            record.id = ObjectId(id)
        try:
            self.collection.insert_one(record.to_mongo())
        except DuplicateKeyError as error:
            holder = self.collection.find_one({"key_hash": record.key_hash}, {"_id": 1})
            raise Conflict("Tried to save duplicate unique keys", str(holder["_id"]) if holder else None) from error
        return text, record

    def find(self, text: str) -> ApiKey | None:
        """The record of a key."""
        document = self.collection.find_one({"key_hash": api_key_hash(text)})
        return None if document is None else ApiKey.from_mongo(document)

    def get(self, id: str | ObjectId) -> ApiKey | None:
        """By id."""
        document = self.collection.find_one({"_id": ObjectId(id)})
        return None if document is None else ApiKey.from_mongo(document)

    def update(self, id: ObjectId, *, user: str, metadata: Mapping[str, Any], enabled: bool) -> bool:
        """Replace what may change. False when gone."""
        record = ApiKey(user=user, metadata=dict(metadata), enabled=enabled).to_mongo()
        change = {key: record[key] for key in ("user", "metadata", "enabled")}
        return self.collection.update_one({"_id": id}, {"$set": change}).matched_count == 1

    def delete(self, id: ObjectId) -> bool:
        """Remove. False when gone."""
        return self.collection.delete_one({"_id": id}).deleted_count == 1

    def page(self, query: Query) -> tuple[list[ApiKey], int]:
        """One page and the number of all matches."""
        page: Page = run(self.collection, query)
        return [ApiKey.from_mongo(row) for row in page.documents], page.total


class Users:
    """Known users."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database[User.collection_name()]

    def get(self, name: str) -> User | None:
        """By name."""
        document = self.collection.find_one({"name": name})
        return None if document is None else User.from_mongo(document)

    def by_nickname(self, origin: str, nickname: str) -> list[User]:
        """Users with that nickname at that origin (``hubot`` ...)."""
        everyone = (User.from_mongo(row) for row in self.collection.find({"nicknames": {"$exists": True}}))
        return [user for user in everyone if (user.nicknames or {}).get(origin) == nickname]

    def ensure(self, name: str, *, is_service: bool = False) -> User:
        """The user record, made if new."""
        found = self.get(name)
        if found is not None:
            return found
        user = User(name=name, is_service=is_service)
        try:
            self.collection.insert_one(user.to_mongo())
        except DuplicateKeyError:
            return self.get(name) or user
        return user


class Roles:
    """Roles and their assignments."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.roles = database[Role.collection_name()]
        self.assignments = database[RoleAssignment.collection_name()]

    def list_roles(self) -> list[Role]:
        """All roles by name."""
        return sorted((Role.from_mongo(row) for row in self.roles.find()), key=lambda role: role.name)

    def ensure_system_role(self, name: str, description: str) -> None:
        """Make a built-in role if it is missing."""
        role = Role(name=name, description=description, system=True)
        document = role.to_mongo()
        self.roles.update_one({"name": name}, {"$setOnInsert": {key: value for key, value in document.items() if key != "name"}}, upsert=True)

    def list_assignments(self) -> list[RoleAssignment]:
        """All assignments."""
        return [RoleAssignment.from_mongo(row) for row in self.assignments.find()]

    def roles_of(self, user: str) -> list[str]:
        """Names of a user's roles, sorted."""
        return sorted({row["role"] for row in self.assignments.find({"user": user}, {"role": 1})})
