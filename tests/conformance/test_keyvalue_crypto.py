"""Datastore encryption against values that upstream encrypted (vectors/keyvalue_crypto.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from st2common.security.crypto import CryptoKey, DecryptionFailed

DATA = json.loads((Path(__file__).parent / "vectors" / "keyvalue_crypto.json").read_text("utf-8"))
KEYS = {name: CryptoKey.from_json(document) for name, document in DATA["about"]["keys"].items()}


@pytest.mark.parametrize("vector", DATA["vectors"], ids=lambda vector: vector["id"])
def test_recorded_ciphertext(vector: dict[str, Any]) -> None:
    key = KEYS[vector["key"]]
    if "error" not in vector:
        assert key.decrypt(vector["ciphertext"]) == vector["expected"]
        return
    with pytest.raises(DecryptionFailed) as caught:
        key.decrypt(vector["ciphertext"])
    assert caught.value.message == vector["error_message"]


def test_layout_of_the_recorded_example() -> None:
    example = DATA["about"]["layout_example"]
    own = KEYS[example["key"]].encrypt(example["plaintext"])
    assert len(own) == len(example["ciphertext"])
    assert own == own.upper()
    assert own.startswith(example["header_hex"])
    assert KEYS[example["key"]].decrypt(own) == example["plaintext"]
