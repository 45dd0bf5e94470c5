"""Password files of the auth backend ``flat_file``: Apache's htpasswd format (operations.md 10).

Known hashes: bcrypt (``$2a$ $2b$ $2x$ $2y$``), ``{SHA}``, ``$apr1$``, crypt's ``$5$`` and ``$6$``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

_BCRYPT_BYTES = 72
_UNKNOWN_USER_HASH = "$2b$10$8j5XHPf.jpYmy7i.ORgEgebEixLLjI3eaEknP/wRpJADfj4UpMYGq"
"""Checked for users that are not in the file, so that the time of the answer does not tell who is."""


def verify_password(password: str, hashed: str) -> bool:
    """Does a password fit an htpasswd hash? Compared in constant time; an unknown or malformed hash fits nothing."""
    if hashed.startswith(("$2a$", "$2b$", "$2x$", "$2y$")):
        return _verify_bcrypt(password, hashed)
    if hashed.startswith("{SHA}"):
        digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest())
        return hmac.compare_digest(digest, hashed.removeprefix("{SHA}").encode())
    handler = _crypt_handler(hashed.partition("$")[2].partition("$")[0]) if hashed.startswith("$") else None
    if handler is None:
        return False
    try:
        return bool(handler.verify(password, hashed))
    except (ValueError, TypeError):  # malformed hash, or a NUL in the password
        return False


def is_weak_hash(hashed: str) -> bool:
    """Is the hash one that is read but should be replaced (unsalted SHA-1, MD5)?"""
    return hashed.startswith(("{SHA}", "$apr1$"))


def _verify_bcrypt(password: str, hashed: str) -> bool:
    import bcrypt

    portable = "$2b$" + hashed[4:] if hashed.startswith(("$2x$", "$2y$")) else hashed
    try:
        return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], portable.encode())
    except ValueError:
        return False


@lru_cache(maxsize=8)
def _crypt_handler(ident: str) -> Any:
    """passlib's implementation of a crypt scheme, None for a scheme that is not supported."""
    if ident == "apr1":
        from passlib.handlers.md5_crypt import apr_md5_crypt

        return apr_md5_crypt
    if ident in ("5", "6"):
        from passlib.handlers import sha2_crypt

        return sha2_crypt.sha256_crypt if ident == "5" else sha2_crypt.sha512_crypt
    return None


class HtpasswdFile:
    """Users and password hashes of one file, read again whenever the file changes.

    Args:
        path: of the file: lines ``user:hash``; empty lines and lines starting with ``#`` are skipped.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._hashes: dict[str, str] = {}

    def verify(self, user: str, password: str) -> bool:
        """Is this the password of the user?

        Raises:
            OSError: the file cannot be read.
        """
        hashed = self.hashes().get(user)
        if hashed is None:
            verify_password(password, _UNKNOWN_USER_HASH)
            return False
        return verify_password(password, hashed)

    def hashes(self) -> dict[str, str]:
        """User to hash, as the file says now (a change shows in time of change, size or inode)."""
        with self._lock:
            stat = self.path.stat()
            version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if version != self._version:
                self._hashes = _parse(self.path.read_text("utf-8"))
                self._version = version
            return self._hashes


def _parse(text: str) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for line in text.splitlines():
        user, separator, rest = line.strip().partition(":")
        if separator and user and not user.startswith("#"):
            hashes[user] = rest.partition(":")[0].strip()
    return hashes
