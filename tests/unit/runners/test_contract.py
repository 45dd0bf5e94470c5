"""The contract of runners, and the table of runner types against the recorded answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from st2common.exceptions import RunnerFailed
from st2common.runners import registry
from st2common.runners.contract import Job, Outcome, Runner
from st2common.runners.runner_types import runner_parameter_names, runner_types

RECORDED = Path(__file__).parents[4] / "shared" / "conformance" / "api"


def a_job():
    return Job("e", "l", {}, {}, {})


def test_cancel__calls_every_stop_once():
    job, calls = a_job(), []
    job.on_cancel(lambda: calls.append("a"))
    with job.stopping_with(lambda: calls.append("gone")):
        pass
    job.cancel()
    job.cancel()
    job.on_cancel(lambda: calls.append("late"))
    assert calls == ["a", "late"]
    assert job.cancelled.is_set()


def test_registry__one_object_per_name__unknown_is_an_error():
    class Fake(Runner):
        name = "fake"
        closed = False

        def run(self, job):
            return Outcome("succeeded", {})

        def close(self):
            self.closed = True

    fake = Fake()
    registry.register_runner("fake", fake)
    assert registry.get_runner("fake") is fake
    registry.close_runners()
    assert fake.closed
    with pytest.raises(RunnerFailed, match='^Failed to find runner "fake"'):
        registry.get_runner("fake")


def test_runner_types__are_copies():
    runner_types()[0]["name"] = "changed"
    assert runner_types()[0]["name"] == "action-chain"
    assert runner_parameter_names("noop") == frozenset()
    assert "kwarg_op" in runner_parameter_names("local-shell-script")


def _recorded(value, found):
    if isinstance(value, dict):
        if "runner_module" in value and "runner_parameters" in value:
            found[value["name"]] = value
        for item in value.values():
            _recorded(item, found)
    elif isinstance(value, list):
        for item in value:
            _recorded(item, found)


def _comparable(value):
    if isinstance(value, dict):
        return {key: "text" if key == "description" and isinstance(item, str) else _comparable(item) for key, item in value.items()}
    return [_comparable(item) for item in value] if isinstance(value, list) else value


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded API answers are not beside the repository")
def test_runner_types__have_the_recorded_shape():
    found: dict[str, dict] = {}
    for file in sorted(RECORDED.glob("*.json")):
        _recorded(json.loads(file.read_text()), found)
    ours = {row["name"]: row for row in runner_types()}
    assert len(found) >= 9
    for name, row in found.items():
        expected = {key: value for key, value in row.items() if key not in ("id", "uid", "enabled")}
        assert _comparable({key: value for key, value in ours[name].items() if key != "enabled"}) == _comparable(expected), name
