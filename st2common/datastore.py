"""The datastore and pack configurations as templates and processes see them: reading, encrypting, resolving."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from st2common.config import Config
from st2common.exceptions import Invalid
from st2common.expressions import datastore_namespace
from st2common.packs.config import resolve_config
from st2common.security import crypto
from st2common.store import Store

SYSTEM = "st2kv.system"
USER = "st2kv.user"


class Datastore:
    """Reads values for templates, with the platform's encryption key.

    Args:
        store: the database.
        config: for the key file's path.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._path = config.keyvalue.encryption_key_path
        self._enabled = config.keyvalue.enable_encryption
        self._key: Any = None

    def key(self, name: str = "") -> Any:
        """The encryption key.

        Raises:
            Invalid: there is no key file (content.md section 7).
        """
        if self._key is None:
            if not self._enabled or not self._path:
                raise Invalid(f"Crypto key not found in {self._path or 'the configuration'}. Unable to encrypt / decrypt value for key {name}.")
            try:
                self._key = crypto.load_key(self._path)
            except OSError as error:
                raise Invalid(f"Crypto key not found in {self._path}. Unable to encrypt / decrypt value for key {name}.") from error
        return self._key

    def encrypt(self, text: str, name: str = "") -> str:
        """Ciphertext (upper-case hex) of ``text``."""
        return crypto.encrypt(self.key(name), text)

    def decrypt(self, ciphertext: str, name: str = "") -> str:
        """The text of ``ciphertext``."""
        return crypto.decrypt(self.key(name), ciphertext)

    def namespace(self, user: str | None, reading: Callable[[Callable[[], Any]], Any] | None = None) -> Any:
        """``st2kv`` for templates: ``.system`` and the ``.user`` scope of ``user``.

        Args:
            reading: does each read for its caller, who wants to know of outages: a template takes them for errors of its own.
        """
        read = self._store.keys.read
        if reading is not None:
            return datastore_namespace(lambda *names: reading(lambda: read(*names)), user=user, decrypt=self.decrypt)
        return datastore_namespace(read, user=user, decrypt=self.decrypt)

    def pack_config(self, pack: str, user: str | None) -> dict[str, Any]:
        """A pack's effective configuration for a user: rendered, decrypted, defaults filled in (content.md section 5)."""
        schema = self._store.catalog.by_ref("config_schema", pack)
        values = self._store.catalog.by_ref("config", pack)
        if schema is None and values is None:
            return {}
        return resolve_config(
            values.values if values is not None else {}, schema.attributes if schema is not None else {}, namespace=self.namespace(user),
            decrypt=self.decrypt, pack=pack,
        )  # fmt: skip
