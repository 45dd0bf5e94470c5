"""The recorded executions of every runner, replayed against a running platform."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import RunningPlatform

_DIFFERENT = {"inquiry-put-execution"}
"""Recorded as HTTP 500, answered with 400 here on purpose (docs/differences.md)."""


@pytest.mark.timeout(600)
def test_recorded_executions(platform: RunningPlatform, conformance: Path) -> None:
    command = [
        sys.executable, str(conformance / "replay_runners.py"), f"{platform.api_url}/v1", str(conformance / "runners"),
        "--packs-dir", str(platform.data_dir / "packs"), "--venvs-dir", str(platform.data_dir / "virtualenvs"), "--jobs", "8",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=580)
    summary = re.search(r"(\d+) passed, (\d+) failed\s*$", done.stdout)
    assert summary is not None, done.stdout[-3000:] + done.stderr[-3000:]
    failed = set(re.findall(r"^FAIL ([^:]+):", done.stdout, re.MULTILINE))
    assert len(failed) == int(summary[2]), "every failure was found in what is printed"
    assert failed <= _DIFFERENT, done.stdout[-6000:]
    assert int(summary[1]) > 200
