"""Bad input gives 4xx or 2xx, never 5xx; nothing gets out of a pack; nothing gets into a query."""

from __future__ import annotations

import http.client
import os
import socket
from urllib.parse import urlsplit

import pytest

from tests.integration.api.conftest import Api
from tests.integration.api.mutations import Attack, attacks
from tests.running import RunningPlatform

COUNT = int(os.environ.get("ST2_FUZZ_REQUESTS", "1500"))
SEED = int(os.environ.get("ST2_FUZZ_SEED", "1"))


def _send(connection: http.client.HTTPConnection, attack: Attack) -> tuple[int, bytes]:
    try:
        connection.putrequest(attack.method, attack.path)
        for name, value in attack.headers.items():
            connection.putheader(name, value)
        if attack.body is not None:
            connection.putheader("Content-Length", str(len(attack.body)))
        connection.endheaders(attack.body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (http.client.RemoteDisconnected, ConnectionError):
        connection.close()  # gunicorn closes after what is no HTTP at all
        return 400, b""


def test_mutated_requests(scratch_platform: RunningPlatform) -> None:
    place = urlsplit(scratch_platform.api_url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    broken = []
    statuses: dict[int, int] = {}
    for attack in attacks(SEED, COUNT):
        status, body = _send(connection, attack)
        statuses[status] = statuses.get(status, 0) + 1
        if status >= 500:
            broken.append(f"{status} {attack.method} {attack.path[:200]} {(attack.body or b'')[:300]!r} -> {body[:200]!r}")
    connection.close()
    assert not broken, f"{len(broken)} of {COUNT}: " + "\n".join(broken[:20])
    assert statuses.get(200, 0) > COUNT / 50, statuses


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/default/pack.yaml",
        "..%2f..%2fst2.conf",
        "%2fetc%2fpasswd",
        "actions/..%2f..%2f..%2fst2.conf",
        "%00",
        "actions/%2e%2e/%2e%2e/x",
        "actions",
    ],
)
def test_no_file_outside_the_pack(api: Api, path: str) -> None:
    session = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=30)
    session.request("GET", f"/v1/packs/views/file/core/{path}")
    assert session.getresponse().status in (400, 404)


def test_symbolic_link_out_of_the_pack(api: Api, platform: RunningPlatform) -> None:
    link = platform.data_dir / "packs" / "default" / "leak.txt"
    link.symlink_to("/etc/hostname")
    try:
        assert api("GET", "/packs/views/file/default/leak.txt").status_code == 400
    finally:
        link.unlink()


@pytest.mark.parametrize("file_path", ["../x.py", "/tmp/x.py", "a/../../x.py", "", "."])
def test_data_files_stay_in_the_pack(api: Api, file_path: str) -> None:
    body = {"name": "fuzz_outside", "pack": "default", "runner_type": "noop", "data_files": [{"file_path": file_path, "content": "x"}]}
    assert api("POST", "/actions", body).status_code == 400
    assert api("GET", "/actions/default.fuzz_outside").status_code == 404


def test_operators_are_text(api: Api) -> None:
    assert api("GET", "/actions", params={"name[$ne]": "x", "name": '{"$ne": "x"}'}).json() == []
    assert api("GET", "/keys", params={"prefix": "$"}).json() == []


def test_keys_with_dots_and_dollars_survive(api: Api) -> None:
    wild = {"a.b": {"$set": 1}, "$where": "x", "": None}
    body = {"name": "wild", "pack": "default", "runner_type": "noop", "parameters": {"x": {"type": "object", "default": wild}}}
    try:
        assert api("POST", "/actions", body).status_code == 201
        assert api("GET", "/actions/default.wild").json()["parameters"]["x"]["default"] == wild
    finally:
        api("DELETE", "/actions/default.wild")


def test_body_over_the_limit(api: Api) -> None:
    place = urlsplit(api.url)
    with socket.create_connection((str(place.hostname), place.port or 80), timeout=20) as raw:
        raw.sendall(b"POST /v1/webhooks/st2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{")
        assert b" 413 " in raw.recv(200).split(b"\r\n")[0]


def test_help_filter_that_takes_for_ever(api: Api) -> None:
    alias = {"name": "fuzz_slow", "pack": "fuzz", "action_ref": "core.noop", "formats": ["a" * 60 + "!"]}
    api("POST", "/actionalias", alias)
    try:
        assert api("GET", "/actionalias/help", params={"filter": "(a|aa)+$", "pack": "fuzz"}).status_code == 400
    finally:
        api("DELETE", "/actionalias/fuzz.fuzz_slow")
