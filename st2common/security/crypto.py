"""Encryption of datastore values (content.md 7), byte for byte what upstream (and Keyczar before it) stores.

Ciphertext is upper-case hex of ``header(5) | IV(16) | AES-CBC data | HMAC-SHA1(20)``; the signature covers everything before it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from st2common.exceptions import Invalid, St2Error

_HEADER = b"00000"
_BLOCK = 16
_SIGNATURE = 20
_KEY_BITS = (128, 192, 256)
DEFAULT_KEY_BITS = 256


class CryptoKeyError(St2Error):
    """The key file is missing, unreadable or not a key."""


class DecryptionFailed(Invalid, ValueError):
    """A value is no ciphertext, was changed, or belongs to another key."""


@dataclass(frozen=True)
class CryptoKey:
    """An AES key and the key of its signatures.

    Args:
        aes: 16, 24 or 32 bytes.
        hmac: any length above zero.
        mode: block mode; only CBC exists.
    """

    aes: bytes = field(repr=False)
    hmac: bytes = field(repr=False)
    mode: str = "CBC"

    def __post_init__(self) -> None:
        if self.mode != "CBC":
            raise CryptoKeyError(f"Unsupported cipher mode: {self.mode}. Only CBC is supported.")
        if len(self.aes) * 8 < min(_KEY_BITS):
            raise CryptoKeyError(f"Unsafe key size: {len(self.aes) * 8}. Minimum is {min(_KEY_BITS)} bits.")
        if len(self.aes) * 8 not in _KEY_BITS:
            raise CryptoKeyError(f"Unsupported AES key size: {len(self.aes) * 8}. Use one of {', '.join(map(str, _KEY_BITS))} bits.")
        if not self.hmac:
            raise CryptoKeyError("The key of the signatures (hmacKeyString) is empty.")

    @classmethod
    def generate(cls, bits: int = DEFAULT_KEY_BITS) -> CryptoKey:
        """A new random key of 128, 192 or 256 bits."""
        if bits not in _KEY_BITS:
            raise CryptoKeyError(f"Unsupported AES key size: {bits}. Use one of {', '.join(map(str, _KEY_BITS))} bits.")
        return cls(aes=os.urandom(bits // 8), hmac=os.urandom(bits // 8))

    @classmethod
    def from_json(cls, document: Any) -> CryptoKey:
        """The key of a key file's (parsed) JSON."""
        try:
            return cls(
                aes=_decode_key(document["aesKeyString"]),
                hmac=_decode_key(document["hmacKey"]["hmacKeyString"]),
                mode=str(document.get("mode", "CBC")).upper(),
            )
        except (KeyError, TypeError, AttributeError, binascii.Error, ValueError) as error:
            raise CryptoKeyError(f"The datastore key is malformed: {type(error).__name__}.") from None

    def to_json(self) -> dict[str, Any]:
        """What a key file holds."""
        return {
            "hmacKey": {"hmacKeyString": _encode_key(self.hmac), "size": len(self.hmac) * 8},
            "aesKeyString": _encode_key(self.aes),
            "mode": self.mode,
            "size": len(self.aes) * 8,
        }

    def encrypt(self, plaintext: str) -> str:
        """Ciphertext (upper-case hex) of a text; differs every time."""
        padder = padding.PKCS7(_BLOCK * 8).padder()
        data = padder.update(plaintext.encode()) + padder.finalize()
        iv = os.urandom(_BLOCK)
        encryptor = Cipher(algorithms.AES(self.aes), modes.CBC(iv)).encryptor()
        signed = _HEADER + iv + encryptor.update(data) + encryptor.finalize()
        return (signed + self._signature(signed)).hex().upper()

    def decrypt(self, ciphertext: str) -> str:
        """Text of a ciphertext (hex in any case).

        Raises:
            DecryptionFailed: not hex, too short, signature of another key or changed data.
        """
        try:
            message = binascii.unhexlify(ciphertext)
        except ValueError as error:
            raise DecryptionFailed(str(error)) from None
        if len(message) - len(_HEADER) < _BLOCK + _SIGNATURE:
            raise DecryptionFailed("Invalid or malformed ciphertext (too short)")
        signed, signature = message[:-_SIGNATURE], message[-_SIGNATURE:]
        if not hmac.compare_digest(self._signature(signed), signature):
            raise DecryptionFailed("Signature did not match digest.")
        return self._open(signed[len(_HEADER) :])

    def _open(self, body: bytes) -> str:
        decryptor = Cipher(algorithms.AES(self.aes), modes.CBC(body[:_BLOCK])).decryptor()
        unpadder = padding.PKCS7(_BLOCK * 8).unpadder()
        try:
            data = decryptor.update(body[_BLOCK:]) + decryptor.finalize()
            return (unpadder.update(data) + unpadder.finalize()).decode()
        except ValueError:
            raise DecryptionFailed("Invalid or malformed ciphertext (the content does not decode)") from None

    def _signature(self, data: bytes) -> bytes:
        return hmac.digest(self.hmac, data, "sha1")


def _decode_key(text: str) -> bytes:
    compact = "".join(text.split())
    return base64.urlsafe_b64decode(compact + "=" * (-len(compact) % 4))


def _encode_key(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def load_key(path: str | os.PathLike[str]) -> CryptoKey:
    """Key of a key file (``[keyvalue] encryption_key_path``).

    Raises:
        OSError: no such file, or it cannot be read.
        CryptoKeyError: it holds no key; the message names the path, never the content.
    """
    content = Path(path).read_bytes()
    try:
        return CryptoKey.from_json(json.loads(content))
    except ValueError:
        raise CryptoKeyError(f"Crypto key in {os.fspath(path)} is not valid JSON.") from None


def encrypt(key: CryptoKey, plaintext: str) -> str:
    """``CryptoKey.encrypt`` as a function."""
    return key.encrypt(plaintext)


def decrypt(key: CryptoKey, ciphertext: str) -> str:
    """``CryptoKey.decrypt`` as a function."""
    return key.decrypt(ciphertext)


def write_key_file(path: str | os.PathLike[str], key: CryptoKey, *, force: bool = False) -> None:
    """Writes a key file that only its owner can read.

    Raises:
        FileExistsError: the file is there and ``force`` is not set.
    """
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(json.dumps(key.to_json()))
