"""The recorded requests of the whole API, replayed against a running platform."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.api.conftest import beside
from tests.running import RunningPlatform

USER, PASSWORD = "testu", "testp"


def _replay(platform: RunningPlatform, conformance: Path, tmp_path: Path) -> None:
    htpasswd = tmp_path / "htpasswd"
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    htpasswd.write_text(f"{USER}:{{SHA}}{digest}\n")
    with (
        beside(platform, "st2api.main", ST2_AUTH__ENABLE="True") as secured,
        beside(platform, "st2auth.main", ST2_AUTH__ENABLE="True", ST2_AUTH__BACKEND_KWARGS=f'{{"file_path": "{htpasswd}"}}') as auth,
    ):
        done = subprocess.run(
            [sys.executable, str(conformance / "replay_api.py"), platform.api_url, str(conformance / "api"), "--auth-url", auth,
             "--stream-url", platform.stream_url, "--secured-url", secured],
            capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_recorded_requests(platform: RunningPlatform, conformance: Path, tmp_path: Path) -> None:
    _replay(platform, conformance, tmp_path)


@pytest.mark.rabbitmq
def test_recorded_requests_over_rabbitmq(rabbitmq_platform: RunningPlatform, conformance: Path, tmp_path: Path) -> None:
    _replay(rabbitmq_platform, conformance, tmp_path)
