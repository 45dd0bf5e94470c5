"""The container: one child process per sensor of this node, started, restarted and stopped by the table of reactor.md section 2.1."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from st2common.clock import Clock
from st2common.interpreters import NoVirtualenv
from st2common.log import getLogger
from st2reactor.sensor.process import Message, SensorContainerSettings, SensorProcess, SensorSpec

LOG = getLogger(__name__)

SPAWN_TRIGGER = "core.st2.sensor.process_spawn"
EXIT_TRIGGER = "core.st2.sensor.process_exit"

Dispatch = Callable[[str | dict[str, Any], dict[str, Any] | None, dict[str, Any] | None], None]


@dataclass
class _Slot:
    """What the container knows of one sensor.

    Attributes:
        spec: what to run.
        process: the running child.
        started_at: when it was started (monotonic seconds).
        attempts: restarts in a row.
        start_at: when to start it; None: not to be started.
        kill_at: when a child that was asked to stop is killed; None: it was not asked.
    """

    spec: SensorSpec
    process: SensorProcess | None = None
    started_at: float = 0
    token_at: float = 0
    attempts: int = 0
    start_at: float | None = 0
    kill_at: float | None = None


class SensorContainer:
    """Runs the sensors of a node. ``run`` is the loop; the other public methods may be called from any thread.

    Args:
        sensors: the enabled sensors of this node, asked again at every check.
        dispatch: takes (trigger, payload, trace context) of an event; called from one thread per sensor; may block, which holds that
            sensor back. An exception drops the event with a log line.
        triggers_for: existing triggers (as objects) of trigger types given by ref.
        config_for: effective configuration of a pack for the system user.
        token_for: a new service token for a sensor.
        clock: time.
        settings: options.
    """

    def __init__(
        self,
        sensors: Callable[[], Iterable[SensorSpec]],
        dispatch: Dispatch,
        triggers_for: Callable[[Sequence[str]], list[dict[str, Any]]],
        config_for: Callable[[str], dict[str, Any]],
        token_for: Callable[[SensorSpec], str],
        clock: Clock,
        settings: SensorContainerSettings,
    ) -> None:
        self._sensors = sensors
        self._dispatch = dispatch
        self._triggers_for = triggers_for
        self._config_for = config_for
        self._token_for = token_for
        self._clock = clock
        self._settings = settings
        self._slots: dict[str, _Slot] = {}
        self._attempts: dict[str, int] = {}
        self._lock = threading.RLock()
        self._news = threading.Event()
        self._stopping = False
        self._changed: set[str] = set()
        self._exit_code = 0

    def run(self) -> int:
        """Run until :meth:`stop`, or in single sensor mode until the sensor ends.

        Returns:
            The exit code for the container's process.
        """
        next_sync = 0.0
        while not self._stopping:
            self._news.clear()
            now = self._clock.monotonic()
            if now >= next_sync or self._changed:
                self._sync()
                next_sync = now + self._settings.check_interval_s
            pause = self._step()
            if self._settings.single_sensor_mode and self._slots and not self._wanted():
                break
            self._news.wait(min(pause, max(0.0, next_sync - self._clock.monotonic())))
        self._stop_all()
        return self._exit_code

    def stop(self) -> None:
        """Have :meth:`run` stop every sensor and return."""
        self._stopping = True
        self._news.set()

    def sensor_changed(self, ref: str) -> None:
        """A sensor was made, changed or deleted: if it runs it is stopped, if it is still there it is started again."""
        with self._lock:
            self._changed.add(ref)
        self._news.set()

    def refresh(self) -> None:
        """Ask for the list of sensors now, e.g. because this node's share has changed."""
        with self._lock:
            self._changed.add("")
        self._news.set()

    def trigger_changed(self, change: str, trigger: dict[str, Any]) -> None:
        """Tell the sensors that serve its type about a trigger.

        Args:
            change: ``add``, ``update`` or ``remove``.
            trigger: ``id uid ref name pack type parameters description``.
        """
        with self._lock:
            for slot in self._slots.values():
                if slot.process is not None and trigger["type"] in slot.spec.trigger_types:
                    slot.process.send({"event": change, "trigger": trigger})

    def running(self) -> dict[str, int]:
        """Process ids of the running sensors by ref."""
        with self._lock:
            return {ref: slot.process.pid for ref, slot in self._slots.items() if slot.process is not None}

    # -- the list of sensors ------------------------------------------------------------------------------------------

    def _sync(self) -> None:
        """Bring the slots in line with the list of sensors."""
        with self._lock:
            changed, self._changed = self._changed, set()
        try:
            wanted = {spec.ref: spec for spec in self._sensors()}
        except Exception:
            LOG.exception("The list of sensors cannot be read now")
            with self._lock:
                self._changed |= changed - {""}
            return
        with self._lock:
            for ref, spec in wanted.items():
                self._take(spec, is_changed=ref in changed)
            for ref, slot in list(self._slots.items()):
                if ref not in wanted:
                    slot.start_at = None
                    self._ask_to_stop(slot)

    def _take(self, spec: SensorSpec, *, is_changed: bool) -> None:
        slot = self._slots.get(spec.ref)
        if slot is None:
            self._slots[spec.ref] = _Slot(spec, attempts=self._attempts.get(spec.ref, 0))
            return
        if is_changed or spec != slot.spec:
            slot.spec = spec
            slot.start_at = self._clock.monotonic()
            self._ask_to_stop(slot)
        elif slot.kill_at is not None and slot.start_at is None:
            slot.start_at = self._clock.monotonic()  # wanted again before it had stopped

    def _wanted(self) -> bool:
        return any(slot.process is not None or slot.start_at is not None for slot in self._slots.values())

    # -- one look at the children -------------------------------------------------------------------------------------

    def _step(self) -> float:
        """Notice ends, start what is due, kill what is overdue. Returns seconds until there is something to do again."""
        due = [self._settings.check_interval_s]
        for ref, slot in list(self._slots.items()):
            code = slot.process.poll() if slot.process is not None else None
            if code is not None:
                self._ended(slot, code)
            now = self._clock.monotonic()
            if slot.process is None:
                if slot.start_at is None:
                    continue
                if slot.start_at <= now:
                    self._start(slot)
                else:
                    due.append(slot.start_at - now)
            elif slot.kill_at is not None:
                if slot.kill_at <= now:
                    LOG.warning("Sensor %s did not stop in time and is killed", ref)
                    slot.process.kill()
                due.append(max(0.05, slot.kill_at - now))
            else:
                self._refresh_token(slot, now)
        return min(due)

    def _start(self, slot: _Slot) -> None:
        spec = slot.spec
        slot.start_at = None
        try:
            with self._lock:  # so that no change of a trigger falls between the list and the process
                config, triggers, token = self._config_for(spec.pack), self._triggers_for(spec.trigger_types), self._token_for(spec)
                process = SensorProcess(spec, self._settings, token, self._receive, self._news.set)
                process.send({"event": "start", "config": config, "triggers": triggers, "log_level": self._settings.log_level})
                slot.process = process
        except NoVirtualenv as error:
            LOG.warning("Sensor %s is not started: %s", spec.ref, error)
            return
        except Exception:
            LOG.exception("Sensor %s cannot be started now", spec.ref)
            slot.start_at = self._clock.monotonic() + self._settings.check_interval_s
            return
        slot.started_at = slot.token_at = self._clock.monotonic()
        LOG.info("Sensor %s started as process %d", spec.ref, process.pid)
        self._tell(SPAWN_TRIGGER, spec, {"pid": process.pid, "cmd": " ".join(process.command)})

    def _ended(self, slot: _Slot, code: int) -> None:
        """A child is gone: by request, of its own accord (status 0, not restarted), or by failure (restarted, later each time)."""
        process, spec, settings = slot.process, slot.spec, self._settings
        assert process is not None
        process.kill()  # what it may have left behind
        was_asked = slot.kill_at is not None
        slot.process, slot.kill_at = None, None
        LOG.info("Sensor %s (process %d) exited with code %d", spec.ref, process.pid, code)
        self._tell(EXIT_TRIGGER, process.spec, {"exit_code": code})
        if was_asked:
            if slot.start_at is None:
                with self._lock:
                    self._slots.pop(spec.ref, None)
            return
        if settings.single_sensor_mode:
            self._exit_code = code if code >= 0 else 128 - code
            return
        if code == 0:
            return
        now = self._clock.monotonic()
        if now - slot.started_at >= settings.stable_after_s:
            slot.attempts = 0
        if settings.max_restarts is not None and slot.attempts >= settings.max_restarts:
            LOG.error("Sensor %s failed %d times in a row and is not started again until it is changed", spec.ref, slot.attempts + 1)
            return
        slot.attempts += 1
        self._attempts[spec.ref] = slot.attempts
        pause = min(settings.restart_delay_s * 2.0 ** min(slot.attempts - 1, 30), settings.longest_pause_s)
        slot.start_at = now + pause
        LOG.warning("Sensor %s is started again in %g seconds (attempt %d)", spec.ref, pause, slot.attempts)

    def _ask_to_stop(self, slot: _Slot) -> None:
        if slot.process is not None and slot.kill_at is None:
            slot.kill_at = self._clock.monotonic() + self._settings.stop_timeout_s
            slot.process.terminate()
        elif slot.process is None and slot.start_at is None:
            self._slots.pop(slot.spec.ref, None)

    def _stop_all(self) -> None:
        processes = [slot.process for slot in self._slots.values() if slot.process is not None]
        deadline = self._clock.monotonic() + self._settings.stop_timeout_s
        for process in processes:
            process.terminate()
        for process in processes:
            if not process.wait(max(0.0, deadline - self._clock.monotonic())):
                LOG.warning("Sensor %s did not stop in time and is killed", process.spec.ref)
            process.kill()
            process.wait(self._settings.stop_timeout_s)

    def _refresh_token(self, slot: _Slot, now: float) -> None:
        if not self._settings.token_refresh_s or now - slot.token_at < self._settings.token_refresh_s or slot.process is None:
            return
        slot.token_at = now
        try:
            slot.process.send({"event": "token", "token": self._token_for(slot.spec)})
        except Exception:
            LOG.exception("Sensor %s gets no new token now", slot.spec.ref)
            slot.token_at = now - self._settings.token_refresh_s

    # -- events -------------------------------------------------------------------------------------------------------

    def _receive(self, message: Message) -> None:
        if message.get("event") != "dispatch":
            LOG.warning("A sensor sent an unknown message %r", message.get("event"))
            return
        self._dispatch(message["trigger"], message.get("payload"), message.get("trace_context"))

    def _tell(self, trigger: str, spec: SensorSpec, facts: dict[str, Any]) -> None:
        payload = {"id": spec.class_name, "timestamp": int(self._clock.now().timestamp()), **facts}
        try:
            self._dispatch(trigger, payload, None)
        except Exception:
            LOG.exception("%s of sensor %s is not dispatched", trigger, spec.ref)
