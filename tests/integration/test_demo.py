"""``make demo`` as a newcomer runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo import ACTION, RULE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: that of pytest, and the demo's in it, is too long for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="st2t") as name:
        yield Path(name)


def test_demo__shows_the_way_of_an_alert_and_cleans_up(short: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(short), "HOME": str(short)}
    done = subprocess.run([sys.executable, "-m", "tests.demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in (f"st2 rule get {RULE}", "st2 trigger-instance get", "st2 rule-enforcement list", "st2 execution get", ACTION, "Deleted 3 file(s)"):
        assert shown in done.stdout
    assert re.search(r"the result is stored: \d+ ms after the alert was posted", done.stdout)
    assert "nothing is left running" in done.stdout
    assert list(short.glob("st2-demo-*")) == []


def test_demo__a_platform_that_does_not_come_up__is_said(tmp_path: Path) -> None:
    # An interpreter whose folder holds a st2ctl that fails.
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("st2ctl", "st2"):
        (folder / name).write_text("#!/bin/sh\necho 'st2ctl: out of order' >&2\nexit 1\n")
        (folder / name).chmod(0o755)
    (folder / "python").symlink_to(sys.executable)
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join([str(ROOT), *(path for path in sys.path if path)])}
    done = subprocess.run(
        [str(folder / "python"), "-m", "tests.demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "The demo failed: the platform did not come up" in done.stderr and "out of order" in done.stderr
    assert "Traceback" not in done.stderr
