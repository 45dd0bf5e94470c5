"""The modules that packs import: light, and what they promise (content.md section 11)."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from st2common.constants.action import LIVEACTION_COMPLETED_STATES, LIVEACTION_STATUS_TIMED_OUT
from st2common.util import isotime, jinja
from st2common.util.shell import quote_unix, quote_windows

PORCH = (
    "st2common.runners.base_action",
    "st2actions.runners.pythonrunner",
    "st2reactor.sensor.base",
    "st2common.runners.utils",
    "st2common.runners.action_service",
    "st2common.datastore_client",
    "st2common.util.shell",
    "st2common.util.isotime",
    "st2common.constants.action",
    "st2common.log",
    "st2actions.runners.python_wrapper",
)
HEAVY = ("pymongo", "mongoengine", "kombu", "requests", "falcon", "yaql", "eventlet", "jinja2")


@pytest.mark.parametrize("module", PORCH)
def test_import__loads_nothing_heavy(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_isotime__writes_and_reads():
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert isotime.format(moment) == "2026-01-02T03:04:05.000006+00:00"
    assert isotime.format(moment, usec=False, offset=False) == "2026-01-02T03:04:05Z"
    assert isotime.parse("2026-01-02T05:04:05.000006+02:00") == moment
    assert isotime.parse("2026-01-02 03:04:05.000006") == moment
    with pytest.raises(ValueError, match="yesterday"):
        isotime.parse("yesterday")


def test_jinja__renders_with_the_filters_of_the_platform():
    assert jinja.render_values({"a": "{{ x | to_json_string }}", "b": ["{{ y }}"], "c": 1}, {"x": {"k": 1}, "y": 2}) == {
        "a": '{"k": 1}',
        "b": ["2"],
        "c": 1,
    }
    assert jinja.get_jinja_environment(allow_undefined=True).from_string("[{{ nope }}]").render() == "[]"


def test_shell__quotes():
    assert quote_unix("a b'c") == "'a b'\"'\"'c'"
    assert quote_windows('a "b') == '"a \\"b"'


def test_constants():
    assert LIVEACTION_STATUS_TIMED_OUT == "timeout"
    assert set(LIVEACTION_COMPLETED_STATES) == {"succeeded", "failed", "timeout", "canceled", "abandoned"}
