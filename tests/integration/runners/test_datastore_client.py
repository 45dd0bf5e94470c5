"""The datastore client of actions against an HTTP server which speaks as the API does (runners.md section 5.5)."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from st2common.datastore_client import DatastoreClient, DatastoreError


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, code, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self):
        keys = self.server.keys
        if self.headers["X-Auth-Token"] != "tok":
            return self.answer(401, {"faultstring": "Unauthorized"})
        target = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        if target.path == "/v1/user":
            return self.answer(200, {"username": "u"})
        if target.path == "/v1/keys":
            found = [
                {"name": name, "value": item["value"], "odd": 1} for name, item in sorted(keys.items()) if name.startswith(query.get("prefix", ""))
            ]
            return self.answer(200, found[: int(query.get("limit", 100))])
        name = unquote(target.path.removeprefix("/v1/keys/"))
        if self.command == "PUT":
            keys[name] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return self.answer(200, keys[name])
        if name not in keys:
            return self.answer(404, {"faultstring": "no such key"})
        if self.command == "DELETE":
            del keys[name]
            return self.answer(204)
        return self.answer(200, {**keys[name], "value": "plain" if query.get("decrypt") == "true" else keys[name]["value"]})

    do_GET = do_PUT = do_DELETE = handle_any


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.keys = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(server):
    return DatastoreClient("pack", "Cls", f"http://127.0.0.1:{server.server_port}/v1", "tok")


def test_values__round_trip__local_names_are_prefixed(server, client):
    assert client.get_value("k") is None
    assert client.set_value("k", 12, ttl=60) is True
    assert server.keys == {"pack.Cls:k": {"name": "pack.Cls:k", "value": "12", "scope": "st2kv.system", "ttl": 60}}
    assert client.get_value("k") == "12"
    assert client.get_value("pack.Cls:k", local=False, scope="st2kv.system", decrypt=True) == "plain"
    assert [(item.name, item.value) for item in client.list_values(prefix="k")] == [("pack.Cls:k", "12")]
    assert client.delete_value("k") is True
    assert client.delete_value("k") is True
    assert client.list_values(local=False) == []
    client.set_value("ü/ x", "v", local=False, encrypt=True)
    assert server.keys["ü/ x"]["secret"] is True


@pytest.mark.parametrize("call", [lambda c: c.get_value("k", scope="st2kv.user"), lambda c: c.set_value("k", 1, scope="st2kv.user")])
def test_scope__other_than_system__is_refused(client, call):
    with pytest.raises(ValueError, match=r"^Scope st2kv\.user is unsupported\.$"):
        call(client)


def test_token__refused__reads_give_none_writes_raise(server, client):
    assert client.get_user_info() == {"username": "u"}
    client.set_token("old")
    assert client.get_value("k") is None
    assert client.delete_value("k") is False
    with pytest.raises(DatastoreError, match="HTTP 401 Unauthorized$"):
        client.set_value("k", 1)


def test_server__away__reads_give_none():
    client = DatastoreClient("p", "C", "http://127.0.0.1:1/v1", "tok")
    assert client.get_value("k") is None
    with pytest.raises(DatastoreError):
        client.list_values()
