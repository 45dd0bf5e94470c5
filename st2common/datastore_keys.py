"""Writing the datastore: encryption, expiry, and the triggers that tell of it (api.md 4.13, reactor.md). The one place that does so."""

from __future__ import annotations

from typing import Any

from st2common.datastore import SYSTEM, USER, Datastore
from st2common.exceptions import Invalid, NotFound
from st2common.internal_triggers import InternalTriggers
from st2common.models import KeyValuePair
from st2common.security.crypto import DecryptionFailed
from st2common.store import Store
from st2common.triggers import KEY_VALUE_CHANGE, KEY_VALUE_CREATE, KEY_VALUE_DELETE, KEY_VALUE_UPDATE

SCOPES = ("system", "user", SYSTEM, USER)
_LONGEST_TTL_S = 100 * 365 * 24 * 3600


def full_scope(scope: str | None) -> str:
    """``st2kv.system`` for ``system`` (and None), ``st2kv.user`` for ``user``.

    Raises:
        Invalid: no such scope.
    """
    name = scope or SYSTEM
    full = name if name.startswith("st2kv.") else f"st2kv.{name}"
    if full not in (SYSTEM, USER):
        raise Invalid(f"Scope {full} is not in allowed scopes list: {list(SCOPES)}.")
    return full


def stored_name(scope: str, name: str, user: str) -> str:
    """The name under which a pair is kept: in the user scope it begins with the user."""
    return f"{user}:{name}" if scope == USER else name


class DatastoreKeys:
    """Sets and deletes keys.

    Args:
        store: the database.
        datastore: for encryption.
        triggers: for ``core.st2.key_value_pair.*``.
    """

    def __init__(self, store: Store, datastore: Datastore, triggers: InternalTriggers) -> None:
        self._store = store
        self._datastore = datastore
        self._triggers = triggers

    def get(self, scope: str, name: str) -> KeyValuePair:
        """The pair with that stored name.

        Raises:
            NotFound: there is none.
        """
        found = self._store.keys.get(scope, name)
        if found is None:
            raise NotFound(f'The key "{name}" does not exist in the StackStorm datastore.')
        return found

    def set(
        self, scope: str, name: str, value: str, *, secret: bool = False, encrypted: bool = False, ttl_s: float | None = None,
        description: str | None = None,
    ) -> KeyValuePair:  # fmt: skip
        """Create or overwrite.

        Args:
            name: as stored (``stored_name``).
            secret: encrypt the value.
            encrypted: the value is cipher text of this platform's key already; implies secret.
            ttl_s: seconds to live; None = for ever.

        Raises:
            Invalid: no encryption key, or cipher text that does not decrypt.
        """
        if ttl_s is not None and not 0 <= ttl_s <= _LONGEST_TTL_S:
            raise Invalid(f"ttl must be between 0 and {_LONGEST_TTL_S} seconds", "ttl")
        if encrypted:
            try:
                self._datastore.decrypt(value, name)
            except DecryptionFailed as error:
                raise Invalid(
                    f'Failed to verify the integrity of the provided value for key "{name}". Ensure that the value is encrypted with the correct key '
                    "and not corrupted."
                ) from error
            secret = True
        elif secret:
            value, encrypted = self._datastore.encrypt(value, name), True
        new, old = self._store.keys.set(scope, name, value, secret=secret, encrypted=encrypted, ttl_s=ttl_s, description=description)
        form = new.to_api()
        if old is None:
            self._triggers.emit(KEY_VALUE_CREATE.ref, {"object": form})
            return new
        self._triggers.emit(KEY_VALUE_UPDATE.ref, {"object": form})
        if old.value != new.value:
            self._triggers.emit(KEY_VALUE_CHANGE.ref, {"old_object": old.to_api(), "new_object": form})
        return new

    def delete(self, scope: str, name: str) -> KeyValuePair:
        """Remove; returns what was there.

        Raises:
            NotFound: nothing was.
        """
        old = self._store.keys.delete(scope, name)
        if old is None:
            raise NotFound(f'The key "{name}" does not exist in the StackStorm datastore.')
        self._triggers.emit(KEY_VALUE_DELETE.ref, {"object": old.to_api()})
        return old

    def shown(self, pair: KeyValuePair, *, decrypt: bool) -> dict[str, Any]:
        """The API form; secrets as cipher text unless they are to be decrypted."""
        form = pair.to_api()
        if decrypt and pair.secret and pair.encrypted:
            form["value"] = self._datastore.decrypt(pair.value, pair.name)
            form["encrypted"] = False
        return form
