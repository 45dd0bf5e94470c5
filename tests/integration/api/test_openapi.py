"""The API against its own description: no 5xx, answers fit their schemas (schemathesis, bounded)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from st2api.app import endpoints
from tests.integration.api.conftest import Api

EXAMPLES, PHASES = os.environ.get("ST2_SCHEMATHESIS_EXAMPLES", "8"), os.environ.get("ST2_SCHEMATHESIS_PHASES", "fuzzing")
OUTWARD = "/packs/(install|uninstall|register|index)"
"""These reach out to the network, or change the packs that other tests use."""


def test_every_endpoint_is_described(api: Api) -> None:
    document = api("GET", "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    declared = {(one.method, one.path.replace(":path", "")) for one in endpoints()}
    assert declared < described
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_page_needs_nothing_from_elsewhere(api: Api) -> None:
    page = api("GET", "/docs").text
    assert "/v1/executions" in page
    assert "src=" not in page and 'href="http' not in page


def test_answers_fit_the_description(scratch_api: Api, tmp_path: Path) -> None:
    command = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which("schemathesis")
    if command is None:
        pytest.skip("schemathesis is not installed (extra `test`)")
    done = subprocess.run(
        [
            command, "run", f"{scratch_api.url}/v1/openapi.json", "--url", f"{scratch_api.url}/v1", "--max-examples", EXAMPLES, "--phases", "fuzzing",
            "--checks", "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance",
            "--exclude-path-regex", OUTWARD, "--request-timeout", "30", "--generation-deterministic", "--no-color",
        ],
        capture_output=True, text=True, check=False, timeout=250, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
