"""The sensor container as a service: which sensors are this node's, and what their events become.

With the default partition provider sensors are shared out among all nodes by leases: a lost node's share moves to the others within
seconds, and no sensor runs twice.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import yaml
from pymongo.errors import PyMongoError

from st2common.bus import CONTROL, Consumer, Delivery
from st2common.exceptions import ConfigError, Invalid, NotFound, Unavailable
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.service import Service
from st2reactor.sensor.container import SensorContainer
from st2reactor.sensor.partition import Chosen, by_hash, by_list, parse_provider, split_list
from st2reactor.sensor.process import SensorContainerSettings, SensorSpec

LOG = getLogger("st2reactor.sensor")
_USER = "sensors_container"
_CHECK_S = 5.0
_NODE_KIND, _SENSOR_KIND = "sensor_node", "sensor"


class SensorService(Service):
    """Runs this node's share of the enabled sensors."""

    name = "st2sensorcontainer"
    group = "sensorcontainer"

    def __init__(self, platform: Platform, only: str | None = None) -> None:
        super().__init__(platform)
        config = platform.config
        self._only = only
        self._owner = f"{config.sensorcontainer.sensor_node_name}:{socket.gethostname()}:{os.getpid()}"
        self._provider = parse_provider(config.sensorcontainer.partition_provider)
        if self._provider.get("name") not in ("default", "kvstore", "file", "hash"):
            raise ConfigError(f"Partition provider {self._provider.get('name')} not found.")
        self._mine: dict[str, float] = {}
        """Ref of a sensor -> when to renew its lease (monotonic seconds); "" is the node's own."""
        self._leaving: set[str] = set()
        self._known: dict[str, SensorSpec] = {}
        self._triggers: dict[str, dict[str, Any]] = {}
        self._revision: tuple[int | None, int | None] = (-1, -1)
        self._catalog: list[SensorSpec] = []
        self._stop = threading.Event()
        self._lease_s = float(config.sensorcontainer.lease)
        ttl = config.auth.service_token_ttl
        self.container = SensorContainer(
            self._share, self._dispatch, self._triggers_for, self._config_for, self._token_for, platform.clock,
            SensorContainerSettings(
                api_url=f"{config.api_url}/v1", virtualenvs_path=str(config.virtualenvs_path), enable_common_libs=config.packs.enable_common_libs,
                log_level=config.log.level, parent_args=tuple(f"--config-file={path}" for path in config.files),
                single_sensor_mode=config.sensorcontainer.single_sensor_mode, token_refresh_s=ttl / 2,
                check_interval_s=min(_CHECK_S, self._lease_s / 4),
            ),
        )  # fmt: skip
        self.exit_code = 0
        self._thread = threading.Thread(target=self._run, name="sensors", daemon=True)
        self._control = Consumer(platform.bus, CONTROL, self._hear, batch=50, on_connect=self._look)

    def start(self) -> None:
        self._control.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._control.stop()
        self.container.stop()
        self._thread.join(8)
        for name in [*(f"{_SENSOR_KIND}:{ref}" for ref in (*self._mine, *self._leaving)), f"{_NODE_KIND}:{self._owner}"]:
            try:
                self.platform.store.leases.release(name, self._owner)
            except PyMongoError as error:
                LOG.debug("lease left to expire: %s", error)

    def _run(self) -> None:
        self.exit_code = self.container.run()

    # -- content -----------------------------------------------------------------------------------------------------

    def _hear(self, deliveries: list[Delivery]) -> None:
        if any(delivery.message.get("do") == "content" for delivery in deliveries):
            self._look()

    def _look(self) -> None:
        """Content may have changed: tell sensors of their triggers, restart what is defined differently."""
        types = {ref for spec in self._known.values() for ref in spec.trigger_types}
        now = {trigger["id"]: trigger for trigger in self._triggers_for(sorted(types))} if types else {}
        before, self._triggers = self._triggers, now
        for id, trigger in now.items():
            if id not in before:
                self.container.trigger_changed("add", trigger)
            elif before[id] != trigger:
                self.container.trigger_changed("update", trigger)
        for id, trigger in before.items():
            if id not in now:
                self.container.trigger_changed("remove", trigger)
        specs = {spec.ref: spec for spec in self._enabled()}
        for ref, spec in self._known.items():
            if specs.get(ref) != spec:
                self.container.sensor_changed(ref)
        self.container.refresh()

    def _enabled(self) -> list[SensorSpec]:
        revisions = self.platform.store.revisions.read()
        revision = (revisions.get("sensor"), revisions.get("pack"))
        if revision != self._revision:
            packs = {pack.ref: pack.path for pack in self.platform.store.catalog.find_all("pack")}
            self._catalog = [_spec(sensor, packs) for sensor in self.platform.store.catalog.find_all("sensor", {"enabled": True})]
            self._revision = revision
        return self._catalog

    def _share(self) -> Iterable[SensorSpec]:
        """The sensors that this node runs now (asked by the container every few seconds)."""
        try:
            enabled = self._enabled()
            chosen = self._chosen()
            mine = [spec for spec in enabled if chosen(spec.ref)]
            if self._only is None and self._provider["name"] == "default":
                mine = self._leased(mine)
        except PyMongoError as error:
            LOG.warning("the list of sensors could not be read; the running ones go on: %s", str(error)[:200])
            return list(self._known.values())
        self._known = {spec.ref: spec for spec in mine}
        return mine

    def _chosen(self) -> Chosen:
        name = self._provider["name"]
        node = self.platform.config.sensorcontainer.sensor_node_name
        if self._only is not None:
            return lambda ref: ref == self._only
        if name == "kvstore":
            return by_list(split_list(self.platform.store.keys.read("st2kv.system", f"{node}.sensor_partition") or ""))
        if name == "file":
            return by_list(_partition_file(self._provider.get("partition_file", ""), node))
        if name == "hash":
            return by_hash(self._provider.get("hash_ranges", ""))
        return lambda ref: True

    def _leased(self, sensors: list[SensorSpec]) -> list[SensorSpec]:
        """Those whose lease is ours; a node takes no more than its fair share."""
        leases = self.platform.store.leases
        now = time.monotonic()
        if now >= self._mine.get("", 0.0):
            leases.take(f"{_NODE_KIND}:{self._owner}", self._owner, self._lease_s, kind=_NODE_KIND)
            self._mine[""] = now + self._lease_s / 2
        nodes = max(1, len(leases.holders(_NODE_KIND)))
        fair = math.ceil(len(sensors) / nodes)
        refs = {spec.ref for spec in sensors}
        for ref in [ref for ref in self._mine if ref and ref not in refs]:
            self._leave(ref)
        for ref in sorted(ref for ref in self._mine if ref)[fair:]:
            self._leave(ref)
        self._let_go()
        for spec in sensors:
            if spec.ref in self._leaving:
                continue
            held = spec.ref in self._mine
            if held and now < self._mine[spec.ref]:
                continue
            if not held and sum(1 for ref in self._mine if ref) >= fair:
                continue
            if leases.take(f"{_SENSOR_KIND}:{spec.ref}", self._owner, self._lease_s, kind=_SENSOR_KIND):
                self._mine[spec.ref] = now + self._lease_s / 2
            else:
                self._mine.pop(spec.ref, None)
        return [spec for spec in sensors if spec.ref in self._mine]

    def _leave(self, ref: str) -> None:
        """Give a sensor up; its lease is kept until its process has ended, so that it never runs twice."""
        self.platform.store.leases.take(f"{_SENSOR_KIND}:{ref}", self._owner, self._lease_s, kind=_SENSOR_KIND)
        self._leaving.add(ref)
        del self._mine[ref]

    def _let_go(self) -> None:
        running = self.container.running()
        for ref in [ref for ref in self._leaving if ref not in running]:
            self.platform.store.leases.release(f"{_SENSOR_KIND}:{ref}", self._owner)
            self._leaving.discard(ref)

    # -- callbacks of the container ----------------------------------------------------------------------------------

    def _triggers_for(self, types: Sequence[str]) -> list[dict[str, Any]]:
        found = self.platform.store.catalog.find_all("trigger", {"type": {"$in": list(types)}})
        return [{"description": None, **trigger.to_api()} for trigger in found]

    def _config_for(self, pack: str) -> dict[str, Any]:
        return self.platform.datastore.pack_config(pack, self.platform.config.system_user.user)

    def _token_for(self, spec: SensorSpec) -> str:
        metadata = {"service": "sensors_container", "sensor_path": spec.file_path, "sensor_class": spec.class_name}
        ttl = self.platform.config.auth.service_token_ttl
        self.platform.store.users.ensure(_USER, is_service=True)
        return self.platform.store.tokens.create(_USER, ttl, metadata=metadata, service=True)[0]

    def _dispatch(self, trigger: str | dict[str, Any], payload: dict[str, Any] | None, trace_context: dict[str, Any] | None) -> None:
        """An event of a sensor: checked, stored, published. While the servers are away the sensor waits."""
        pause = 0.2
        while not self._stop.is_set():
            try:
                found = self.platform.store.triggers.resolve(trigger)
                if found is None:
                    raise NotFound(f'Trigger "{trigger}" doesn\'t exist')
                self.platform.dispatcher.check_payload(found.type, payload)
                self.platform.dispatcher.dispatch_many([found.ref], payload, trace_context=trace_context)
                return
            except (NotFound, Invalid) as error:
                LOG.warning("event of a sensor not dispatched: %s", error)
                return
            except (PyMongoError, Unavailable) as error:
                LOG.warning("event of a sensor waits: %s", str(error)[:200])
                self._stop.wait(pause)
                pause = min(pause * 2, 5.0)


def _spec(sensor: Any, packs: dict[str, str]) -> SensorSpec:
    path = sensor.artifact_uri.removeprefix("file://")
    pack_path = packs.get(sensor.pack) or os.path.dirname(os.path.dirname(path))
    return SensorSpec(
        ref=sensor.ref, pack=sensor.pack, class_name=sensor.class_name or sensor.name, file_path=path, pack_path=pack_path,
        trigger_types=tuple(sensor.trigger_types), poll_interval=sensor.poll_interval,
    )  # fmt: skip


def _partition_file(path: str, node: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            table = yaml.safe_load(file) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f'partition file "{path}" cannot be read: {error}') from error
    if node not in table:
        raise ConfigError(f"Sensor partition not found for {node} in {path}.")
    return [str(ref) for ref in table[node] or []]
