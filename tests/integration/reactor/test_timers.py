"""Timers of the platform (reactor.md section 4). Times of day and calendars are in tests/unit/timers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from st2common.bus import TRIGGER_INSTANCES
from st2common.platform import Platform
from tests.integration.reactor.conftest import JsonObject, Reactor
from tests.running import wait_until


def moments(instances: list[JsonObject]) -> list[datetime]:
    return [datetime.fromisoformat(instance["payload"]["executed_at"]) for instance in instances]


def gaps(instances: list[JsonObject]) -> list[float]:
    times = moments(instances)
    return [(after - before).total_seconds() for before, after in zip(times, times[1:], strict=False)]


def test_timers__fire_as_they_say(reactor: Reactor) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    interval = reactor.rule("core.st2.IntervalTimer", {"unit": "seconds", "delta": 1})
    cron = reactor.rule("core.st2.CronTimer", {"second": "*", "timezone": "Europe/Berlin"}, enabled=False)
    date = reactor.rule("core.st2.DateTimer", {"date": soon.isoformat()})
    past = reactor.rule("core.st2.DateTimer", {"date": "2020-01-01 00:00:00"})
    wrong = reactor.rule("core.st2.DateTimer", {"date": "no date at all"})
    nowhere = reactor.rule("core.st2.IntervalTimer", {"unit": "seconds", "delta": 1, "timezone": "Mars/Olympus"})

    fires = reactor.instances(interval["trigger"]["ref"], 4)
    assert all(0.5 < gap < 3 for gap in gaps(fires)), gaps(fires)
    assert fires[0]["payload"]["schedule"] is None and " " in fires[0]["payload"]["executed_at"]
    assert fires[0]["payload"]["executed_at"].endswith("+00:00")
    assert len(reactor.executions(interval, len(fires))) >= 4
    trace = reactor.api("GET", f"traces?trigger_instance={fires[0]['id']}")[0]
    assert trace["trace_tag"] == f"st2.IntervalTimer-{interval['trigger']['ref'].removeprefix('core.')}"

    seconds = [moment.second for moment in moments(reactor.instances(cron["trigger"]["ref"], 2))]
    assert len(set(seconds)) == len(seconds), "a disabled rule has a timer as well; it fires once per second"
    once = reactor.instances(date["trigger"]["ref"])
    assert len(once) == 1 and moments(once)[0] >= soon
    for rule in (past, wrong, nowhere):
        assert reactor.api("GET", f"triggerinstances?trigger={rule['trigger']['ref']}") == []
    listed = {timer["ref"] for timer in reactor.api("GET", "timers")}
    assert {rule["trigger"]["ref"] for rule in (interval, cron, date, past, wrong, nowhere)} <= listed


def test_timer__stops_with_its_last_rule(reactor: Reactor) -> None:
    first = reactor.rule("core.st2.IntervalTimer", {"unit": "seconds", "delta": 1, "timezone": "UTC"})
    second = reactor.rule("core.st2.IntervalTimer", {"unit": "seconds", "delta": 1, "timezone": "UTC"})
    ref = first["trigger"]["ref"]
    assert second["trigger"]["ref"] == ref
    reactor.instances(ref)
    reactor.api("DELETE", f"rules/{first['id']}")
    count = len(reactor.instances(ref))
    reactor.instances(ref, count + 1)
    reactor.api("DELETE", f"rules/{second['id']}")
    time.sleep(0.2)
    count = len(reactor.instances(ref))
    time.sleep(1.5)
    assert len(reactor.instances(ref)) == count


def test_timer__wrong_parameters__are_refused_with_the_rule(reactor: Reactor) -> None:
    body = {"name": "wrong", "pack": "examples", "action": {"ref": "core.noop"}, "criteria": {}}
    for trigger, parameters, part in (
        ("core.st2.CronTimer", {"minute": "abc"}, 'Unrecognized expression "abc" for field "minute"'),
        ("core.st2.CronTimer", {"minute": 60}, "60 is greater than the maximum of 59"),
        ("core.st2.IntervalTimer", {"unit": "blinks", "delta": 1}, "'blinks' is not one of"),
        ("core.st2.IntervalTimer", {"unit": "days"}, "'delta' is a required property"),
    ):
        answer = reactor.request("POST", "rules", json={**body, "trigger": {"type": trigger, "parameters": parameters}})
        assert answer.status_code == 400 and part in answer.json()["faultstring"], answer.text


def test_fire__dispatched_twice__is_one_event(parts: Platform, reactor: Reactor) -> None:
    """What a hand-over between engines may do: the id of a fire follows from timer and time."""
    from bson import ObjectId

    rule = reactor.rule("core.st2.IntervalTimer", {"unit": "weeks", "delta": 1})
    id = ObjectId()
    for _ in range(2):
        parts.dispatcher.dispatch(rule["trigger"]["ref"], {"executed_at": "x", "schedule": None}, id=id)
    wait_until(lambda: parts.bus.depth(TRIGGER_INSTANCES) == 0, 10, "all is taken")
    assert [instance["id"] for instance in reactor.instances(rule["trigger"]["ref"])] == [str(id)]
    assert len(reactor.executions(rule)) == 1
