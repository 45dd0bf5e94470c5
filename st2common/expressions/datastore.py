"""Datastore look-ups inside templates: ``st2kv.system.a.b``, ``st2kv.user.x`` (content.md 8).

Nothing is read before a value is needed as text. How a value is read and decrypted is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SYSTEM_SCOPE = "st2kv.system"
USER_SCOPE = "st2kv.user"

Read = Callable[[str, str], str | None]
Decrypt = Callable[[str], str]


class KeyValueLookup:
    """A path into one scope of the datastore; becomes text (or a number) only when converted.

    Every attribute or subscript step joins the path with a dot. Equality and truth are those of any object, on purpose: upstream's
    templates see the same (content.md 8). Class names show up in recorded error texts.

    Args:
        read: ``read(scope, stored_name)`` gives the stored text or None.
        decrypt: ciphertext to text, for the filter ``decrypt_kv``.
        path: key below the scope; "" is the scope itself.
    """

    __slots__ = ("_decrypt", "_path", "_read", "_values")
    _scope = SYSTEM_SCOPE

    def __init__(self, read: Read, decrypt: Decrypt | None = None, path: str = "", values: dict[str, str] | None = None) -> None:
        self._read = read
        self._decrypt = decrypt
        self._path = path
        self._values = {} if values is None else values

    def _stored_name(self) -> str:
        return self._path

    def _step(self, name: str) -> KeyValueLookup:
        return KeyValueLookup(self._read, self._decrypt, f"{self._path}.{name}" if self._path else name, self._values)

    def __getattr__(self, name: str) -> KeyValueLookup:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._step(name)

    def __getitem__(self, name: object) -> KeyValueLookup:
        return self._step(str(name))

    __iter__ = None
    """Subscripts never end, so the old iteration protocol would not either."""

    def __str__(self) -> str:
        if not self._path:
            return ""
        name = self._stored_name()
        if name not in self._values:
            self._values[name] = self._read(self._scope, name) or ""
        return self._values[name]

    def __int__(self) -> int:
        return int(str(self))

    def __float__(self) -> float:
        return float(str(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._scope}.{self._path}>"


class UserKeyValueLookup(KeyValueLookup):
    """The same in the scope of one user, whose keys are stored as ``user:name``."""

    __slots__ = ("_user",)
    _scope = USER_SCOPE

    def __init__(self, user: str, read: Read, decrypt: Decrypt | None = None, path: str = "", values: dict[str, str] | None = None) -> None:
        super().__init__(read, decrypt, path, values)
        self._user = user

    def _stored_name(self) -> str:
        return f"{self._user}:{self._path}"

    def _step(self, name: str) -> KeyValueLookup:
        return UserKeyValueLookup(self._user, self._read, self._decrypt, f"{self._path}.{name}" if self._path else name, self._values)


class DatastoreNamespace:
    """What templates see as ``st2kv``: ``system`` and, when a user is known, ``user``."""

    __slots__ = ("_decrypt", "system", "user")

    def __init__(self, read: Read, *, user: str | None = None, decrypt: Decrypt | None = None) -> None:
        self._decrypt = decrypt
        self.system = KeyValueLookup(read, decrypt)
        if user:
            self.user = UserKeyValueLookup(user, read, decrypt)

    def decrypted(self, ciphertext: str) -> str:
        """Text of a ciphertext; ``ValueError`` where no key was handed in."""
        if self._decrypt is None:
            raise ValueError("Datastore values cannot be decrypted here.")
        return self._decrypt(ciphertext)


def datastore_namespace(read: Read, *, user: str | None = None, decrypt: Decrypt | None = None) -> DatastoreNamespace:
    """The variable ``st2kv`` for one rendering (values read are remembered: make a new one per request).

    Args:
        read: ``read(scope, name) -> text or None`` with scope ``st2kv.system`` or ``st2kv.user``; user keys are asked for as ``user:name``.
        user: whose ``st2kv.user`` it is (``api_user`` before ``user`` of the context, else the system user); without one there is no user scope.
        decrypt: ciphertext to text for the filter ``decrypt_kv``; may audit and may raise.
    """
    return DatastoreNamespace(read, user=user, decrypt=decrypt)


def lookup_text(value: Any) -> Any:
    """The text of a look-up, anything else unchanged."""
    return str(value) if isinstance(value, KeyValueLookup) else value


def decrypt_lookup(lookup: KeyValueLookup, decrypt: Decrypt) -> str:
    """Decrypted value behind a look-up; ``ValueError`` when it is missing or empty."""
    ciphertext = str(lookup)
    if not ciphertext:
        raise ValueError(f'Referenced datastore item "{lookup._scope}.{lookup._path}" doesn\'t exist or it contains an empty string')
    return decrypt(ciphertext)
