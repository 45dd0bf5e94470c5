"""The sensor container with real sensor processes (reactor.md section 2)."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from st2common.clock import Clock
from st2reactor.sensor.container import EXIT_TRIGGER, SPAWN_TRIGGER, SensorContainer
from st2reactor.sensor.process import SensorContainerSettings, SensorSpec

BODY = """
import os, sys, time
from st2reactor.sensor.base import PollingSensor, Sensor

class Base:
    def setup(self):
        print("this goes to stderr, not to the container")
    def cleanup(self):
        self.sensor_service.dispatch("t.cleanup", {"pid": os.getpid()})
    def add_trigger(self, trigger):
        self.sensor_service.dispatch("t.add", {"ref": trigger["ref"]})
    def update_trigger(self, trigger):
        self.sensor_service.dispatch("t.update", {"ref": trigger["ref"]})
    def remove_trigger(self, trigger):
        self.sensor_service.dispatch("t.remove", {"ref": trigger["ref"]})
"""
POLLING = """
class One(Base, PollingSensor):
    def poll(self):
        self.sensor_service.dispatch(trigger="t.poll", payload={"config": self.config, "interval": self.get_poll_interval()}, trace_tag="tag")
        self.set_poll_interval(0.05)
"""


class Events:
    """What the container dispatched."""

    def __init__(self):
        self.all = []
        self._news = threading.Condition()

    def __call__(self, trigger, payload, trace_context):
        with self._news:
            self.all.append((trigger, payload, trace_context))
            self._news.notify_all()

    def of(self, trigger):
        return [payload for name, payload, _ in self.all if name == trigger]

    def wait(self, trigger, count=1):
        with self._news:
            assert self._news.wait_for(lambda: len(self.of(trigger)) >= count, 20), self.all
        return self.of(trigger)


class Node:
    """A container running in a thread."""

    def __init__(self, path, **settings):
        self.path = path
        self.events = Events()
        self.specs = []
        self.triggers = []
        base = SensorContainerSettings(
            api_url="http://127.0.0.1:1/v1", virtualenvs_path=str(path / "venvs"), check_interval_s=0.2, restart_delay_s=0.1, stop_timeout_s=2
        )
        self.settings = replace(base, **settings)
        self.container = SensorContainer(
            sensors=lambda: list(self.specs),
            dispatch=self.events,
            triggers_for=lambda types: [trigger for trigger in self.triggers if trigger["type"] in types],
            config_for=lambda pack: {"of": pack},
            token_for=lambda spec: f"token of {spec.ref}",
            clock=Clock(),
            settings=self.settings,
        )
        self.code = None
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        self.code = self.container.run()

    def sensor(self, text, name="One", **more):
        file = self.path / "mine" / "sensors" / f"{name.lower()}_{len(self.specs)}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(BODY + text)
        self.specs.append(SensorSpec(f"mine.{name}", "mine", name, str(file), str(self.path / "mine"), ("mine.type",), **more))
        return self

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.container.stop()
        self.join()

    def join(self):
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def node(tmp_path):
    return lambda **settings: Node(tmp_path, **settings)


def a_trigger(name, **more):
    return {"id": name, "ref": f"mine.{name}", "name": name, "pack": "mine", "type": "mine.type", "parameters": {}, "description": None, **more}


def test_polling_sensor__runs__dispatches_and_is_announced(node):
    with node().sensor(POLLING, poll_interval=0.01) as one:
        polls = one.events.wait("t.poll", 3)
        spawned = one.events.wait(SPAWN_TRIGGER)[0]
        pid = one.container.running()["mine.One"]
    assert polls[0] == {"config": {"of": "mine"}, "interval": 0.01}
    assert polls[1]["interval"] == 0.05
    assert ("t.poll", polls[0], {"id_": None, "trace_tag": "tag"}) in one.events.all
    assert (spawned["id"], spawned["pid"], type(spawned["timestamp"])) == ("One", pid, int)
    assert "--class-name=One" in spawned["cmd"] and "--poll-interval=0.01" in spawned["cmd"]
    assert one.events.of("t.cleanup") == [{"pid": pid}]
    assert not os.path.exists(f"/proc/{pid}")


def test_triggers__existing_and_changed__are_told(node):
    one = node().sensor("class One(Base, Sensor):\n    def run(self):\n        time.sleep(60)\n")
    one.triggers = [a_trigger("a"), a_trigger("other", type="mine.other")]
    with one:
        assert one.events.wait("t.add") == [{"ref": "mine.a"}]
        one.container.trigger_changed("add", a_trigger("b"))
        one.container.trigger_changed("add", a_trigger("x", type="mine.other"))
        one.container.trigger_changed("remove", a_trigger("never seen"))
        one.container.trigger_changed("update", a_trigger("a"))
        one.container.trigger_changed("remove", a_trigger("b"))
        one.events.wait("t.remove")
    assert [(name, payload["ref"]) for name, payload, _ in one.events.all if name in ("t.add", "t.update", "t.remove")] == [
        ("t.add", "mine.a"),
        ("t.add", "mine.b"),
        ("t.update", "mine.a"),
        ("t.remove", "mine.b"),
    ]


def test_exit_0__is_not_restarted(node):
    with node().sensor("class One(Base, Sensor):\n    def run(self):\n        pass\n") as one:
        assert one.events.wait(EXIT_TRIGGER)[0]["exit_code"] == 0
        time.sleep(0.6)
    assert len(one.events.of(SPAWN_TRIGGER)) == 1


def test_failure__is_restarted_with_growing_pauses(node):
    with node(longest_pause_s=0.3).sensor("class One(Base, PollingSensor):\n    def poll(self):\n        raise ValueError('no')\n") as one:
        assert [event["exit_code"] for event in one.events.wait(EXIT_TRIGGER, 5)] == [1] * 5
    assert one.container._attempts["mine.One"] >= 4


def test_failure__restarts_may_be_limited(node):
    with node(max_restarts=2).sensor("class One(Base, PollingSensor):\n    def poll(self):\n        raise ValueError('no')\n") as one:
        one.events.wait(EXIT_TRIGGER, 3)
        time.sleep(0.6)
        assert len(one.events.of(SPAWN_TRIGGER)) == 3
        one.container.sensor_changed("mine.One")
        one.events.wait(SPAWN_TRIGGER, 4)


def test_killed_after_a_while__counter_begins_anew(node):
    with node(stable_after_s=0.0).sensor(POLLING) as one:
        for number in range(1, 5):
            one.events.wait(SPAWN_TRIGGER, number)
            os.kill(one.events.of(SPAWN_TRIGGER)[-1]["pid"], signal.SIGKILL)
            assert one.events.wait(EXIT_TRIGGER, number)[-1]["exit_code"] == -9


@pytest.mark.parametrize(
    ("text", "missing"),
    [("class Two(Base, Sensor):\n    pass\n", "no class"), ("class One(Base, Sensor):\n    pass\n", "required"), ("def x(:\n", "SyntaxError")],
)
def test_broken_sensor__exits_with_1_and_says_why(node, text, missing, capfd):
    with node(max_restarts=0).sensor(text) as one:
        assert one.events.wait(EXIT_TRIGGER)[0]["exit_code"] == 1
    assert missing in capfd.readouterr().err


def test_list__sensor_leaves_and_returns__is_stopped_and_started(node):
    with node().sensor(POLLING) as one:
        one.events.wait(SPAWN_TRIGGER)
        specs, one.specs = one.specs, []
        one.events.wait(EXIT_TRIGGER)
        assert one.container.running() == {}
        one.specs = specs
        one.container.refresh()
        one.events.wait(SPAWN_TRIGGER, 2)


def test_stop__sensor_that_hangs_in_cleanup__is_killed(node):
    hanging = "class One(Base, PollingSensor):\n    def poll(self): pass\n    def cleanup(self): time.sleep(60)\n"
    with node(stop_timeout_s=0.5).sensor(hanging) as one:
        pid = one.events.wait(SPAWN_TRIGGER)[0]["pid"]
        time.sleep(0.5)
    assert not os.path.exists(f"/proc/{pid}")


def test_virtualenv__missing_though_needed__is_not_started(node, caplog):
    one = node().sensor(POLLING)
    (Path(one.path) / "mine" / "requirements.txt").write_text("six\n")
    with one:
        time.sleep(0.5)
        assert one.container.running() == {}
    assert "mine.One is not started" in caplog.text


def test_single_sensor_mode__ends_with_the_status_of_the_sensor(node):
    with node(single_sensor_mode=True).sensor("class One(Base, Sensor):\n    def run(self):\n        sys.exit(7)\n") as one:
        one.join()
    assert one.code == 7


def test_eventlet__patched_sensor__still_hears_of_triggers(node):
    text = "import eventlet\neventlet.monkey_patch(os=True, select=True, socket=True, thread=True, time=True)\n" + POLLING
    with node().sensor(text) as one:
        one.events.wait("t.poll", 2)
        one.container.trigger_changed("add", a_trigger("b"))
        assert one.events.wait("t.add") == [{"ref": "mine.b"}]
    assert len(one.events.of("t.cleanup")) == 1


def test_token__is_renewed_while_the_sensor_runs(node):
    text = """
class One(Base, PollingSensor):
    def poll(self):
        self.sensor_service.dispatch("t.token", {"token": os.environ["ST2_ACTION_AUTH_TOKEN"]})
        self.set_poll_interval(0.05)
"""
    with node(token_refresh_s=0.3).sensor(text) as one:
        assert one.events.wait("t.token")[0] == {"token": "token of mine.One"}
        one.container._token_for = lambda spec: "another"
        deadline = time.monotonic() + 20
        while {"token": "another"} not in one.events.of("t.token") and time.monotonic() < deadline:
            time.sleep(0.05)
    assert {"token": "another"} in one.events.of("t.token")


def test_container__dies__its_sensors_end(node, tmp_path):
    with node().sensor(POLLING) as one:
        one.events.wait("t.poll")
        slot = one.container._slots["mine.One"]
        slot.process.send(None)  # closes the pipe, as the death of the container would
        assert one.events.wait(EXIT_TRIGGER)[0]["exit_code"] == 0
    assert len(one.events.of("t.cleanup")) == 1


def test_payload__not_an_object__is_a_type_error():
    from st2reactor.sensor.service import SensorService

    sent = []
    service = SensorService("p", "C", sent.append, None)
    with pytest.raises(TypeError):
        service.dispatch("t.x", ["a"])
    service.dispatch("t.x")
    assert sent == [{"event": "dispatch", "trigger": "t.x", "payload": None, "trace_context": None}]
    assert service.get_logger("l").name == "SensorWrapper.p.C.l"
