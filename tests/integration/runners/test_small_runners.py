"""noop, announcement, inquirer (runners.md section 6)."""

from __future__ import annotations

import pytest
from jobs import a_job

from st2actions.runners.announcement import AnnouncementRunner
from st2actions.runners.inquirer import InquirerRunner
from st2actions.runners.noop import NoopRunner
from st2common.exceptions import RunnerFailed


def test_noop__any_parameters__succeeds():
    outcome = NoopRunner().run(a_job("noop", parameters={"x": 1}))
    assert (outcome.status, outcome.result) == ("succeeded", {"failed": False, "succeeded": True, "return_code": 0})


def test_announcement__experimental__publishes_its_parameters():
    said = []
    job = a_job(
        "announcement",
        runner={"experimental": True, "route": "rc.route"},
        action={"parameters": {"message": {}, "extra": {}, "route": {"default": "rc.route"}}},
        parameters={"message": {"a": 1}},
        context={"trace_context": {"trace_tag": "t"}},
        announce=lambda route, message: said.append((route, message)),
    )
    outcome = AnnouncementRunner().run(job)
    payload = {"message": {"a": 1}, "extra": None}
    assert said == [("rc.route", {"payload": payload, "trace_context": {"trace_tag": "t"}})]
    assert (outcome.status, outcome.result) == ("succeeded", {"output": payload, **payload})


def test_announcement__not_experimental__is_refused():
    with pytest.raises(RunnerFailed, match=r"^Experimental flag is missing for action core\.thing$"):
        AnnouncementRunner().run(a_job("announcement"))


def test_inquirer__leaves_the_question_pending():
    outcome = InquirerRunner().run(a_job("inquirer", runner={"users": ["bob"], "route": "dev"}))
    assert outcome.status == "pending"
    assert list(outcome.result) == ["schema", "roles", "users", "route", "ttl"]
    assert (outcome.result["users"], outcome.result["route"], outcome.result["ttl"]) == (["bob"], "dev", 1440)
