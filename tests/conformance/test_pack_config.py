"""Pack configuration against recorded cases (vectors/pack_config.json)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from st2common.exceptions import Invalid
from st2common.expressions import datastore_namespace
from st2common.packs.config import resolve_config, validate_config
from st2common.security.crypto import CryptoKey

DATA = json.loads((Path(__file__).parent / "vectors" / "pack_config.json").read_text("utf-8"))
FIXTURES = DATA["about"]["fixtures"]
KEY = CryptoKey.from_json(FIXTURES["key_file"])
STORE = {"st2kv.system": FIXTURES["st2kv.system"], "st2kv.user": FIXTURES["st2kv.user (user:name)"]}


def outcome(vector: dict[str, Any]) -> Any:
    if vector["kind"] == "validate":
        return validate_config("mypack", vector["values"], vector["schema"], "<config path>")
    assert vector["kind"] == "resolve"
    namespace = datastore_namespace(lambda scope, name: STORE[scope].get(name), user="joe", decrypt=KEY.decrypt)
    return resolve_config(vector["values"], vector["schema"], namespace=namespace, decrypt=KEY.decrypt, pack="mypack")


@pytest.mark.parametrize("vector", DATA["vectors"], ids=lambda vector: vector["id"])
def test_recorded_case(vector: dict[str, Any]) -> None:
    before = copy.deepcopy(vector)
    if "error" not in vector:
        assert outcome(vector) == vector["expected"]
        assert vector == before, "the stored values stay as they are"
        return
    with pytest.raises(Invalid) as caught:
        outcome(vector)
    if vector["error"] != "AttributeError":  # an accident upstream; here an error that names the key
        assert caught.value.message == vector["error_message"]
