"""The rules engine alone: events published to the bus until every one is processed; no webhook, no action unless a rule matches."""

from __future__ import annotations

import time

from bson import ObjectId

from st2common.bus import TRIGGER_INSTANCES
from st2common.dispatch import PENDING, message
from st2common.models import TriggerInstance
from tests.benchmarks.client import wait_for
from tests.benchmarks.report import Table
from tests.benchmarks.setting import Setting

_TYPE = "bench.event"
_CHUNK = 100


def make_rules(setting: Setting, count: int) -> str:
    """A trigger type with ``count`` rules, each for a host of its own. Returns the trigger's reference."""
    pack, name = _TYPE.split(".")
    setting.client.json("POST", "/v1/triggertypes", {"name": name, "pack": pack, "payload_schema": {"type": "object"}})
    for number in range(count):
        made = setting.client.json("POST", "/v1/rules", {
            "name": f"rule{number}", "pack": "default", "enabled": True, "trigger": {"type": _TYPE, "parameters": {}},
            "criteria": {"trigger.host": {"type": "eq", "pattern": f"host{number}"}, "trigger.load": {"type": "gt", "pattern": number % 50}},
            "action": {"ref": "core.noop", "parameters": {}},
        })  # fmt: skip
    return str(made["trigger"]["ref"])


def publish(setting: Setting, trigger: str, rules: int, events: int, every: int) -> list[ObjectId]:
    """Store and publish events as services do, in batches; every ``every``-th matches one rule (0: none does)."""
    store, bus = setting.platform.store, setting.platform.bus
    ids: list[ObjectId] = []
    for start in range(0, events, _CHUNK):
        instances = []
        for number in range(start, min(start + _CHUNK, events)):
            matches = bool(every) and number % every == 0
            payload = {"host": f"host{number % rules}", "load": 99 if matches else -1, "text": "x" * 50}
            now = setting.now_us()
            instances.append(
                TriggerInstance(
                    id=ObjectId(),
                    trigger=trigger,
                    occurrence_time=now,
                    payload=payload,
                    status=PENDING,
                    open=now,
                    trace_id=str(ObjectId()),
                    trace_tag=f"bench-{number}",
                )  # fmt: skip
            )
        store.instances.add_many(instances)
        bus.publish(TRIGGER_INSTANCES, *(message(instance) for instance in instances))
        ids += [instance.id for instance in instances]
    return ids


def events_per_second(setting: Setting, trigger: str, rules: int, events: int, every: int) -> float:
    """From the first write until no event is open any more."""
    instances = setting.platform.store.instances.collection
    began = time.perf_counter()
    last = publish(setting, trigger, rules, events, every)[-1]
    # The last one first: a look by id costs the database next to nothing, one for all that are open does.
    wait_for(lambda: "open" not in (instances.find_one({"_id": last}, ["open"]) or {"open"}), 300, "the last event is processed", 0.01)
    wait_for(lambda: instances.find_one({"open": {"$gt": 0}}, ["_id"]) is None, 300, "every event is processed", 0.01)
    return events / (time.perf_counter() - began)


def rules_engine(setting: Setting, rules: int, events: int) -> Table:
    """The table."""
    trigger = make_rules(setting, rules)
    table = Table(f"Rules engine alone: {rules} rules on one trigger type, {events} events until all are processed", ["events", "events per s"])
    events_per_second(setting, trigger, rules, min(200, events), 0)
    table.add("no rule matches", events_per_second(setting, trigger, rules, events, 0))
    since = setting.now_us()
    rate = events_per_second(setting, trigger, rules, events, 100)
    setting.wait_all_final(events // 100, since)
    table.add("one in a hundred runs core.noop", rate)
    return table
