"""The HTTP runner against a real server (runners.md section 4)."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from jobs import a_job

from st2actions.runners.http_request import HttpRequestRunner
from st2common.exceptions import RunnerFailed


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body, kind=None, **headers):
        self.send_response_only(code)
        for name, value in ({"Content-Type": kind} if kind else {}).items() | headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        seen = {"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
        seen["body"] = self.rfile.read(length).decode()
        path = self.path.split("?")[0]
        if path == "/echo":
            self.answer(200, json.dumps(seen).encode(), "application/json; charset=utf-8")
        elif path == "/bad":
            self.answer(200, b"{nope", "application/json")
        elif path == "/vnd":
            self.answer(200, b"{}", "application/vnd.api+json")
        elif path == "/slow":
            time.sleep(1.5)
            self.answer(200, b"late")
        elif path == "/away":
            self.answer(302, b"moved", "text/plain", Location="http://localhost:1/x")
        else:
            self.answer(int(path[1:]), b"code", "text/plain")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any


@pytest.fixture(scope="module")
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def call(url, runner=None, **action):
    return HttpRequestRunner().run(a_job("http-request", runner={"url": url, **(runner or {})}, parameters=action, action={"name": "http"}))


def seen(url, runner=None, **action):
    outcome = call(url, runner, **action)
    assert (outcome.status, outcome.result["parsed"]) == ("succeeded", True)
    return outcome.result["body"]


@pytest.mark.parametrize(
    ("code", "status"), [(200, "succeeded"), (206, "succeeded"), (207, "failed"), (301, "failed"), (404, "failed"), (500, "failed")]
)
def test_status_code__decides(url, code, status):
    outcome = call(f"{url}/{code}")
    assert outcome.status == status
    assert outcome.result == {
        "status_code": code,
        "body": "code",
        "parsed": False,
        "headers": {"Content-Type": "text/plain", "Content-Length": "4"},
    }


def test_method__default__follows_the_body(url):
    assert seen(f"{url}/echo")["method"] == "GET"
    assert seen(f"{url}/echo", body="x")["method"] == "POST"
    assert seen(f"{url}/echo", file_name="f", file_content="c")["method"] == "POST"
    assert seen(f"{url}/echo", method="PUT")["headers"]["content-length"] == "0"


def test_headers__own_ones_win(url):
    headers = seen(f"{url}/echo", {"headers": {"user-agent": "mine", "X-One": "1"}})["headers"]
    assert (headers["user-agent"], headers["x-stanley-action"], headers["x-one"]) == ("st2/v3.10dev", "http", "1")


@pytest.mark.parametrize(("body", "sent"), [("{'a': None, 'b': [1.5]}", '{"a":null,"b":[1.5]}'), ('{"ü": 1}', '{"ü":1}'), ({"a": 1}, '{"a":1}')])
def test_json_body__is_encoded_again(url, body, sent):
    assert seen(f"{url}/echo", {"headers": {"CONTENT-type": "application/json"}}, body=body)["body"] == sent


def test_json_body__unreadable__is_an_error(url):
    with pytest.raises(ValueError, match="^malformed node or string on line 1: "):
        call(f"{url}/echo", {"headers": {"Content-Type": "application/json"}}, body="not json")


def test_text_body__is_utf8(url):
    assert seen(f"{url}/echo", body="ü☃")["body"] == "ü☃"


def test_query__params_join_the_url(url):
    assert seen(f"{url}/echo?a=1", params={"b": "2 3"})["path"] == "/echo?a=1&b=2+3"


def test_upload__is_multipart(url):
    body = seen(f"{url}/echo", file_name="notes.txt", file_content="text", file_content_type="text/plain")["body"]
    assert 'filename="notes.txt"' in body and "Content-Type: text/plain" in body and "\r\n\r\ntext\r\n" in body


def test_authentication__is_basic(url):
    assert seen(f"{url}/echo", {"username": "u", "password": "p"})["headers"]["authorization"] == "Basic dTpw"
    assert "authorization" not in seen(f"{url}/echo")["headers"]


def test_body__only_honest_json_is_parsed(url):
    assert (call(f"{url}/bad").result["body"], call(f"{url}/bad").result["parsed"]) == ("{nope", False)
    assert call(f"{url}/vnd").result["parsed"] is False


def test_time_limit__status_timeout(url):
    outcome = call(f"{url}/slow", timeout=1)
    port = url.rpartition(":")[2]
    assert outcome.status == "timeout"
    assert outcome.result == {"error": f"HTTPConnectionPool(host='127.0.0.1', port={port}): Read timed out. (read timeout=1.0)"}


def test_redirect__not_followed_by_default(url):
    assert call(f"{url}/away").result["status_code"] == 302


def test_redirect__followed__lists_hold_for_its_target(url):
    with pytest.raises(RunnerFailed, match=r'^URL "http://localhost:1/x" is not whitelisted$'):
        call(f"{url}/away", {"allow_redirects": True, "url_hosts_whitelist": ["127.0.0.1"]})


def test_lists__decide_by_host(url):
    assert call(f"{url}/200", {"url_hosts_whitelist": ["127.0.0.1"]}).status == "succeeded"
    with pytest.raises(RunnerFailed, match="is blacklisted$"):
        call(f"{url}/200", {"url_hosts_blacklist": ["127.0.0.1"]})
    with pytest.raises(RunnerFailed, match=r'^URL "http://\[::1\]:1/" is blacklisted$'):
        call("http://[::1]:1/", {"url_hosts_blacklist": ["::1"]})
    with pytest.raises(RunnerFailed, match="mutually exclusive. Only one should be provided.$"):
        call(f"{url}/200", {"url_hosts_blacklist": ["a"], "url_hosts_whitelist": ["b"]})


def test_errors__say_what_is_wrong(url):
    with pytest.raises(
        requests.exceptions.MissingSchema, match="^Invalid URL '127.0.0.1/x': No scheme supplied. Perhaps you meant https://127.0.0.1/x?"
    ):
        call("127.0.0.1/x")
    with pytest.raises(requests.exceptions.InvalidHeader, match=r"^Header part \(1\) from \('X-N', 1\) must be of type str or bytes"):
        call(f"{url}/echo", {"headers": {"X-N": 1}})


def test_cancel__returns_at_once(url):
    job = a_job("http-request", runner={"url": f"{url}/slow"}, parameters={})
    timer = threading.Timer(0.1, job.cancel)
    timer.start()
    began = time.monotonic()
    HttpRequestRunner().run(job)
    assert time.monotonic() - began < 1.4
