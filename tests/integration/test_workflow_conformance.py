"""The recorded workflow runs, inspections and expressions, replayed against a running platform over each broker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import RunningPlatform


def _replay(running: RunningPlatform, conformance: Path) -> None:
    command = [
        sys.executable, str(conformance / "replay_workflows.py"), f"{running.api_url}/v1", str(conformance / "workflows"),
        "--packs-dir", str(running.data_dir / "packs"), "--timeout", "60", "--jobs", "12",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    lines = done.stdout.splitlines()
    assert lines, done.stderr[-3000:]
    assert done.returncode == 0, "\n".join(lines[-60:])
    assert lines[-1].endswith(" 0 failed")


@pytest.mark.timeout(900)
def test_recorded_workflows(platform: RunningPlatform, conformance: Path) -> None:
    """Over the embedded servers."""
    _replay(platform, conformance)


@pytest.mark.rabbitmq
@pytest.mark.timeout(900)
def test_recorded_workflows_rabbitmq(rabbitmq_platform: RunningPlatform, conformance: Path) -> None:
    """Over RabbitMQ."""
    _replay(rabbitmq_platform, conformance)
