"""A sensor of a pack within the whole platform (reactor.md section 2). Its process alone is tested in tests/integration/sensors."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.reactor.conftest import JsonObject, Reactor
from tests.running import RunningPlatform, wait_until

SENSOR = '''
import json
import os

from st2common.models.api.trace import TraceContext
from st2reactor.sensor.base import PollingSensor


class Obedient(PollingSensor):
    """Does what a datastore key says, and says what it hears."""

    def setup(self):
        self.set_poll_interval(0.1)
        self.last = None
        self.log = self.sensor_service.get_logger("test")

    def poll(self):
        text = self.sensor_service.get_value("command")
        if text is None or text == self.last:
            return
        self.last = text
        command = json.loads(text)
        getattr(self, "do_" + command["do"])(**command.get("with", {}))

    def do_dispatch(self, **arguments):
        self.sensor_service.dispatch(**arguments)

    def do_join(self, trace_id, payload):
        self.sensor_service.dispatch_with_context("PACK.seen", payload, TraceContext(id_=trace_id))

    def do_look_around(self):
        service = self.sensor_service
        service.set_value("counter", 5, ttl=600)
        service.set_value("hidden", "s3cret", encrypt=True)
        answers = {
            "config": self.config,
            "value": service.get_value("counter"),
            "missing": service.get_value("nosuch"),
            "hidden": service.get_value("hidden", decrypt=True),
            "ciphered": service.get_value("hidden") != "s3cret",
            "global": service.get_value("reactor_global", local=False),
            "listed": sorted(item.name for item in service.list_values()),
            "deleted": [service.delete_value("counter"), service.get_value("counter")],
            "user": self.user(),
            "api": "/v1" in os.environ["ST2_ACTION_API_URL"],
        }
        self.say("looked", **answers)

    def user(self):
        try:
            return self.sensor_service.get_user_info()["username"]
        except Exception as error:
            return str(error)

    def do_crash(self):
        raise RuntimeError("as told")

    def say(self, what, **more):
        self.sensor_service.dispatch("PACK.said", {"what": what, **more})

    def cleanup(self):
        pass

    def add_trigger(self, trigger):
        self.say("add", ref=trigger["ref"], parameters=trigger["parameters"])
        if trigger["parameters"].get("greet"):
            self.sensor_service.dispatch(trigger["ref"], {"hello": trigger["parameters"]["greet"]})

    def update_trigger(self, trigger):
        self.say("update", ref=trigger["ref"])

    def remove_trigger(self, trigger):
        self.say("remove", ref=trigger["ref"])
'''
METADATA = """
class_name: Obedient
entry_point: obedient.py
enabled: true
poll_interval: 5
trigger_types:
  - name: seen
    payload_schema: {type: object, properties: {n: {type: integer, required: true}}, additionalProperties: false}
  - name: said
  - name: asked
    parameters_schema: {type: object, properties: {greet: {type: string}}, additionalProperties: false}
"""
SPAWN, EXIT = "core.st2.sensor.process_spawn", "core.st2.sensor.process_exit"


class Obedient:
    """The sensor, as the tests drive it."""

    def __init__(self, reactor: Reactor, pack: str) -> None:
        self.reactor = reactor
        self.pack = pack
        self.ref = f"{pack}.Obedient"

    def tell(self, do: str, **more: object) -> None:
        """Have the sensor do something, soon."""
        key = f"{self.pack}.Obedient:command"
        value = json.dumps({"do": do, "with": more, "id": uuid.uuid4().hex})
        self.reactor.api("PUT", f"keys/{key}", json={"name": key, "value": value})

    def said(self, what: str, count: int = 1) -> list[JsonObject]:
        """What it said of one kind, once there is enough of it."""

        def look() -> list[JsonObject] | None:
            rows = self.reactor.api("GET", f"triggerinstances?trigger={self.pack}.said&limit=100")
            found = [row["payload"] for row in reversed(rows) if row["payload"]["what"] == what]
            return found if len(found) >= count else None

        return list(wait_until(look, 20, f"{self.ref} said {what} {count} times"))

    def events(self, trigger: str) -> list[JsonObject]:
        """Starts or ends of its process."""
        rows = self.reactor.api("GET", f"triggerinstances?trigger={trigger}&limit=100")
        return [row["payload"] for row in reversed(rows) if row["payload"]["id"] == "Obedient" and self.is_ours(row["payload"])]

    def is_ours(self, payload: JsonObject) -> bool:
        return f"--pack={self.pack} " in payload.get("cmd", f"--pack={self.pack} ")

    def spawned(self, count: int) -> list[JsonObject]:
        """At least so many starts."""
        return list(wait_until(lambda: (rows := self.events(SPAWN)) and len(rows) >= count and rows, 20, f"{self.ref} started {count} times"))

    def ended(self, count: int) -> list[JsonObject]:
        """At least so many ends."""
        return list(wait_until(lambda: (rows := self.events(EXIT)) and len(rows) >= count and rows, 20, f"{self.ref} ended {count} times"))


@pytest.fixture(scope="module")
def sensor(platform: RunningPlatform) -> Iterator[Obedient]:
    """The pack, registered while the platform runs."""
    reactor = Reactor(platform)
    name = "obedient"
    directory = platform.data_dir / "packs" / name
    config = platform.data_dir / "configs" / f"{name}.yaml"
    (directory / "sensors").mkdir(parents=True)
    manifest = f"name: {name}\ndescription: x\nversion: 1.0.0\nauthor: me\nemail: me@example.com\n"
    (directory / "pack.yaml").write_text(manifest)
    (directory / "config.schema.yaml").write_text("url: {type: string, default: none}\nlevel: {type: integer, default: 3}\n")
    (directory / "sensors" / "obedient.py").write_text(SENSOR.replace("PACK", name))
    (directory / "sensors" / "obedient.yaml").write_text(METADATA)
    config.write_text("url: http://example.com\n")
    reactor.api("PUT", "keys/reactor_global", json={"name": "reactor_global", "value": "for all"})
    reactor.api("POST", "packs/register", json={"packs": [name], "types": ["all"]})
    yield Obedient(reactor, name)
    for path in (directory / "sensors").iterdir():
        if path.is_file():
            path.unlink()
    reactor.api("POST", "packs/register", json={"packs": [name], "types": ["sensors"]})
    assert reactor.request("GET", f"sensortypes/{name}.Obedient").status_code == 404
    config.unlink()


def test_registered__starts_within_seconds(sensor: Obedient) -> None:
    (spawned,) = sensor.spawned(1)
    assert f"--pack={sensor.pack} " in spawned["cmd"] and "--poll-interval=5" in spawned["cmd"]
    assert os.path.exists(f"/proc/{spawned['pid']}")


def test_dispatch__reaches_rules__with_its_trace_tag(sensor: Obedient, reactor: Reactor) -> None:
    rule = reactor.rule(f"{sensor.pack}.seen", criteria={"trigger.n": {"type": "gt", "pattern": 3}})
    tag = f"tag-{uuid.uuid4().hex[:8]}"
    sensor.tell("dispatch", trigger=f"{sensor.pack}.seen", payload={"n": 5}, trace_tag=tag)
    execution = reactor.executions(rule)[0]
    assert execution["trigger_instance"]["payload"] == {"n": 5}
    trace = reactor.api("GET", f"traces?trace_tag={tag}")[0]
    assert [row["object_id"] for row in trace["action_executions"]] == [execution["id"]]
    sensor.tell("join", trace_id=trace["id"], payload={"n": 6})
    again = reactor.executions(rule, 2)[1]
    assert reactor.api("GET", f"traces?execution={again['id']}")[0]["id"] == trace["id"]


def test_dispatch__payload_that_does_not_fit__is_dropped(sensor: Obedient, reactor: Reactor) -> None:
    before = len(reactor.api("GET", f"triggerinstances?trigger={sensor.pack}.seen"))
    for payload in ({"n": "five"}, {"n": 1, "more": 2}, None):
        sensor.tell("dispatch", trigger=f"{sensor.pack}.seen", payload=payload)
        time.sleep(0.3)
    sensor.tell("dispatch", trigger=f"{sensor.pack}.nosuch", payload={"n": 1})
    time.sleep(0.3)
    sensor.tell("dispatch", trigger=f"{sensor.pack}.seen", payload={"n": 77})
    rows = reactor.instances(f"{sensor.pack}.seen", before + 1)
    assert len(rows) == before + 1 and rows[-1]["payload"] == {"n": 77}
    log = "".join(path.read_text(errors="replace") for path in (reactor.platform.data_dir / "logs").glob("st2engines.log*"))
    assert f"not dispatching a trigger \"{sensor.pack}.seen\" ({{'n': 'five'}})" in log
    assert f'Trigger "{sensor.pack}.nosuch" doesn' in log


def test_sensor_service__datastore_config_user(sensor: Obedient) -> None:
    sensor.tell("look_around")
    said = sensor.said("looked")[0]
    assert said["config"] == {"url": "http://example.com", "level": 3}
    assert (said["value"], said["missing"], said["hidden"], said["ciphered"]) == ("5", None, "s3cret", True)
    assert said["global"] == "for all"
    assert {f"{sensor.pack}.Obedient:counter", f"{sensor.pack}.Obedient:hidden"} <= set(said["listed"])
    assert said["deleted"] == [True, None]
    assert said["api"] is True
    assert "Authentication is off" in said["user"], "this platform has none"


def test_triggers__the_sensor_is_told_of_each(sensor: Obedient, reactor: Reactor) -> None:
    rule = reactor.rule(f"{sensor.pack}.asked", {"greet": "world"}, criteria={})
    ref = rule["trigger"]["ref"]
    added = [said for said in sensor.said("add") if said["ref"] == ref]
    if not added:
        added = wait_until(lambda: [said for said in sensor.said("add") if said["ref"] == ref], 15, "the trigger is added")
    assert added == [{"what": "add", "ref": ref, "parameters": {"greet": "world"}}]
    assert reactor.executions(rule)[0]["trigger_instance"]["payload"] == {"hello": "world"}
    reactor.api("DELETE", f"rules/{rule['id']}")
    wait_until(lambda: [said for said in sensor.said("remove") if said["ref"] == ref], 15, "the trigger is removed")
    bad = reactor.request("POST", "rules", json={
        "name": "bad", "pack": "examples", "trigger": {"type": f"{sensor.pack}.asked", "parameters": {"greet": 5}}, "action": {"ref": "core.noop"},
    })  # fmt: skip
    assert bad.status_code == 400 and "5 is not of type 'string'" in bad.json()["faultstring"]


def test_disabled__stops_within_seconds__enabled__runs_again(sensor: Obedient, reactor: Reactor) -> None:
    count = len(sensor.spawned(1))
    pid = sensor.spawned(1)[-1]["pid"]
    exits = len(sensor.events(EXIT))
    document = reactor.api("GET", f"sensortypes/{sensor.ref}")
    began = time.monotonic()
    reactor.api("PUT", f"sensortypes/{sensor.ref}", json={**document, "enabled": False})
    assert sensor.ended(exits + 1)[-1]["exit_code"] == 0
    assert time.monotonic() - began < 10
    assert not os.path.exists(f"/proc/{pid}")
    reactor.api("PUT", f"sensortypes/{sensor.ref}", json={**document, "enabled": True})
    assert len(sensor.spawned(count + 1)) == count + 1


def test_crash_and_kill__are_told__and_it_runs_again(sensor: Obedient, reactor: Reactor) -> None:
    spawned, exits = len(sensor.spawned(1)), len(sensor.events(EXIT))
    rule = reactor.rule(EXIT, criteria={"trigger.id": {"type": "equals", "pattern": "Obedient"}, "trigger.exit_code": {"type": "neq", "pattern": 0}})
    os.kill(sensor.spawned(spawned)[-1]["pid"], signal.SIGKILL)
    assert sensor.ended(exits + 1)[-1]["exit_code"] == -9
    sensor.spawned(spawned + 1)
    sensor.tell("crash")
    assert sensor.ended(exits + 2)[-1]["exit_code"] == 1
    assert len(reactor.executions(rule, 2)) == 2
    key = f"{sensor.pack}.Obedient:command"
    reactor.api("DELETE", f"keys/{key}")
    assert len(sensor.spawned(spawned + 2)) == spawned + 2
    first, last = sensor.events(EXIT)[-1]["timestamp"], sensor.events(SPAWN)[-1]["timestamp"]
    assert last - first >= 2, "the second restart waits longer than the first"


def test_changed_file__registered__runs_the_new_one(sensor: Obedient, reactor: Reactor) -> None:
    count = len(sensor.spawned(1))
    path = Path(reactor.platform.data_dir) / "packs" / sensor.pack / "sensors" / "obedient.yaml"
    path.write_text(METADATA.replace("poll_interval: 5", "poll_interval: 7"))
    reactor.api("POST", "packs/register", json={"packs": [sensor.pack], "types": ["sensors"]})
    assert "--poll-interval=7" in sensor.spawned(count + 1)[-1]["cmd"]
