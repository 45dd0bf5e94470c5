"""The stream while broker or database are away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from st2common.bus import EVENTS
from st2common.exceptions import Unavailable
from st2common.platform import Platform
from tests.integration.service_process import ServiceProcess
from tests.integration.stream.conftest import listening
from tests.running import Valkey, wait_until

OFF = {"auth": {"enable": "false"}}


def test_broker_away__503__listeners_stay_and_go_on_when_it_is_back(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "bus").mkdir()
    broker = Valkey(tmp_path / "bus")
    with broker, ServiceProcess("st2api.stream.main", "stream", tmp_path, database_url, broker.url, OFF) as service:
        platform = Platform(service.config)
        with listening(service.url) as reader:
            assert broker.process is not None
            broker.process.kill()
            broker.process.wait(5)
            refused = wait_until(lambda: _refusal(service), 30, "the outage is noticed")
            assert refused == {"faultstring": "The message broker is not available."}
            assert requests.get(service.url + "/healthz", timeout=20).status_code == 503
            broker.__enter__()
            wait_until(lambda: _arrives(platform, reader), 40, "events flow again")
        with listening(service.url) as reader:
            _publish(platform, "new")
            assert reader.next()[0] == "st2.announcement__new"
        platform.close()


def test_database_away__503(valkey_url: str, tmp_path: Path) -> None:
    options = {"database": {"connection_timeout": "300"}}
    with ServiceProcess("st2api.stream.main", "stream", tmp_path, "mongodb://127.0.0.1:1/", valkey_url, options) as service:
        answer = requests.get(service.url + "/v1/stream", headers={"X-Auth-Token": "x"}, timeout=20)
        assert (answer.status_code, answer.json()) == (503, {"faultstring": "The database is not available."})


def _refusal(service: ServiceProcess) -> Any:
    with requests.get(service.url + "/v1/stream", stream=True, timeout=20) as answer:
        return answer.json() if answer.status_code == 503 else None


def _publish(platform: Platform, route: str) -> None:
    platform.bus.publish(EVENTS, {"event": f"st2.announcement__{route}", "payload": {"payload": {}, "trace_context": None}})


def _arrives(platform: Platform, reader: Any) -> bool:
    try:
        _publish(platform, "back")
    except Unavailable:
        return False
    return bool(reader.next(1) is not None)
