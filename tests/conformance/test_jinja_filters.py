"""Templates and filters against recorded renderings (vectors/jinja_filters.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from st2common.expressions import RenderError, datastore_namespace, render
from st2common.security.crypto import CryptoKey

DATA = json.loads((Path(__file__).parent / "vectors" / "jinja_filters.json").read_text("utf-8"))
FIXTURE = DATA["about"]["datastore_fixture"]
KEY = CryptoKey.from_json(FIXTURE["key_file"])
STORE = {"st2kv.system": FIXTURE["st2kv.system"], "st2kv.user": FIXTURE["st2kv.user (stored names are user:name)"]}

OTHER_WORDING = {
    "ParserError": "wording of the YAML parser",
    "AttributeError": "an older JSONPath library stumbled over the query",
}


def variables(vector: dict[str, Any]) -> dict[str, Any]:
    context = dict(vector["context"])
    if vector.get("datastore"):
        context["st2kv"] = datastore_namespace(lambda scope, name: STORE[scope].get(name), user="joe", decrypt=KEY.decrypt)
    return context


@pytest.mark.parametrize("vector", DATA["vectors"], ids=lambda vector: vector["id"])
def test_recorded_rendering(vector: dict[str, Any]) -> None:
    if "error" not in vector:
        assert render(vector["template"], variables(vector)) == vector["expected"]
        return
    with pytest.raises(RenderError) as caught:
        render(vector["template"], variables(vector))
    if vector["error"] not in OTHER_WORDING:
        assert caught.value.message[:200] == vector["error_message"]
