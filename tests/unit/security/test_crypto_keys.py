"""Keys of the datastore and what they encrypt."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.security.crypto import CryptoKey, CryptoKeyError, DecryptionFailed, decrypt, encrypt, load_key, write_key_file

KEYS = [CryptoKey.generate(bits) for bits in (128, 192, 256)]


@given(st.sampled_from(KEYS), st.text())
def test_round_trip(key: CryptoKey, text: str) -> None:
    ciphertext = encrypt(key, text)
    assert decrypt(key, ciphertext) == text
    assert decrypt(key, ciphertext.lower()) == text
    assert encrypt(key, text) != ciphertext


@given(st.text(max_size=40), st.data())
def test_any_changed_bit_is_noticed(text: str, data: st.DataObject) -> None:
    raw = bytearray.fromhex(KEYS[0].encrypt(text))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DecryptionFailed):
        KEYS[0].decrypt(raw.hex())


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(DecryptionFailed):
        KEYS[1].decrypt(KEYS[2].encrypt("x"))


def test_key_files(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_key_file(path, KEYS[2])
    assert load_key(path) == KEYS[2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_key_file(path, KEYS[1])
    write_key_file(path, KEYS[1], force=True)
    assert load_key(path) == KEYS[1]


def test_key_strings_may_hold_blanks_and_padding() -> None:
    document = KEYS[2].to_json()
    document["aesKeyString"] = " " + document["aesKeyString"][:10] + "\n" + document["aesKeyString"][10:] + "="
    assert CryptoKey.from_json(document) == KEYS[2]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"hmacKey": {"hmacKeyString": "AAAA"}, "aesKeyString": "AAAA", "mode": "CBC", "size": 24}',
     '{"hmacKey": {"hmacKeyString": "AAAA"}, "aesKeyString": "AAAAAAAAAAAAAAAAAAAAAA", "mode": "GCM"}',
     '{"hmacKey": {"hmacKeyString": ""}, "aesKeyString": "AAAAAAAAAAAAAAAAAAAAAA"}', '{"hmacKey": "x", "aesKeyString": "y"}'],
)  # fmt: skip
def test_files_that_hold_no_key(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(CryptoKeyError):
        load_key(path)


def test_a_missing_file_and_bad_sizes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_key(tmp_path / "nope.json")
    for bits in (0, 64, 100, 512):
        with pytest.raises(CryptoKeyError):
            CryptoKey.generate(bits)


def test_keys_do_not_show_themselves() -> None:
    assert str(KEYS[0].aes) not in repr(KEYS[0])
    assert str(KEYS[0].hmac) not in repr(KEYS[0])
