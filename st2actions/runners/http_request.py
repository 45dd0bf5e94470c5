"""HTTP requests (runners.md section 4)."""

from __future__ import annotations

import ast
import threading
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.auth import HTTPBasicAuth

from st2common import API_COMPATIBILITY_VERSION, states
from st2common.exceptions import RunnerFailed
from st2common.runners.contract import Job, Outcome, Runner

DEFAULT_TIMEOUT_S = 60
_SUCCESSES = range(200, 207)
_OWN_HEADERS = ("user-agent", "x-stanley-action")


class HttpRequestRunner(Runner):
    """Makes one request; the response is the result, whatever its status code."""

    name = "http-request"

    def run(self, job: Job) -> Outcome:
        call = _Call(HostList.of(job.runner_parameters), job)
        thread = threading.Thread(target=call.make, name=f"http-{job.execution_id}", daemon=True)
        # requests cannot be interrupted: a cancelled one is left to its own time limit
        with job.stopping_with(call.finished.set):
            thread.start()
            call.finished.wait()
        return call.outcome()


class HostList:
    """Which hosts may be requested.

    Args:
        blacklist: hosts that may not.
        whitelist: the only ones that may; at most one of the two lists is given.
    """

    def __init__(self, blacklist: list[str], whitelist: list[str]) -> None:
        self._blacklist = {host.lower() for host in blacklist}
        self._whitelist = {host.lower() for host in whitelist}

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> HostList:
        """From the runner parameters.

        Raises:
            RunnerFailed: both lists are given.
        """
        blacklist, whitelist = parameters.get("url_hosts_blacklist") or [], parameters.get("url_hosts_whitelist") or []
        if blacklist and whitelist:
            raise RunnerFailed('"url_hosts_blacklist" and "url_hosts_whitelist" parameters are mutually exclusive. Only one should be provided.')
        return cls(blacklist, whitelist)

    def check(self, url: str) -> None:
        """Raises RunnerFailed if the host of ``url`` may not be requested. Ports and the brackets of IPv6 addresses do not count."""
        host = (urlsplit(url).hostname or "").lower()
        if host in self._blacklist:
            raise RunnerFailed(f'URL "{url}" is blacklisted')
        if self._whitelist and host not in self._whitelist:
            raise RunnerFailed(f'URL "{url}" is not whitelisted')


class _Session(requests.Session):
    """Checks the target of every redirect too."""

    def __init__(self, hosts: HostList) -> None:
        super().__init__()
        self._hosts = hosts

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        # called for each redirect, with the request about to be sent
        self._hosts.check(prepared_request.url or "")
        super().rebuild_auth(prepared_request, response)


class _Call:
    """One request, made in a thread of its own."""

    def __init__(self, hosts: HostList, job: Job) -> None:
        hosts.check(job.runner_parameters.get("url") or "")
        self._hosts = hosts
        self._request = request_arguments(job)
        self.finished = threading.Event()
        self._response: requests.Response | None = None
        self._error: Exception | None = None

    def make(self) -> None:
        try:
            with _Session(self._hosts) as session:
                self._response = session.request(**self._request)
        except Exception as error:  # noqa: BLE001 - raised again in the thread of the job
            self._error = error
        finally:
            self.finished.set()

    def outcome(self) -> Outcome:
        if isinstance(self._error, requests.exceptions.Timeout):
            return Outcome(states.TIMEOUT, {"error": str(self._error)})
        if self._error is not None:
            raise self._error
        if self._response is None:
            return Outcome(states.CANCELED, {"error": "The request was abandoned."})
        status = states.SUCCEEDED if self._response.status_code in _SUCCESSES else states.FAILED
        return Outcome(status, response_result(self._response))


def request_arguments(job: Job) -> dict[str, Any]:
    """Arguments of ``requests.Session.request`` for a job.

    Raises:
        ValueError, SyntaxError: a JSON body that is neither JSON nor a Python literal.
    """
    runner, action = job.runner_parameters, job.action_parameters
    headers = dict(runner.get("headers") or {})
    body, files = action.get("body"), _files(action)
    timeout = action.get("timeout")
    return {
        "method": action.get("method") or ("POST" if body or files else "GET"),
        "url": runner.get("url"),
        "params": action.get("params"),
        "data": _data(body, headers),
        "headers": _with_own_headers(headers, job.action["name"]),
        "cookies": runner.get("cookies"),
        "files": files,
        "auth": _auth(runner, action),
        "timeout": float(DEFAULT_TIMEOUT_S if timeout is None else timeout),
        "allow_redirects": bool(runner.get("allow_redirects")),
        "proxies": {scheme: runner[f"{scheme}_proxy"] for scheme in ("http", "https") if runner.get(f"{scheme}_proxy")} or None,
        "verify": runner.get("verify_ssl_cert") is not False,
    }


def _with_own_headers(headers: dict[str, Any], action_name: str) -> dict[str, Any]:
    others = {name: value for name, value in headers.items() if name.lower() not in _OWN_HEADERS}
    return {**others, "User-Agent": f"st2/v{API_COMPATIBILITY_VERSION}", "X-Stanley-Action": action_name}


def _data(body: Any, headers: dict[str, Any]) -> Any:
    if not body:
        return None
    if any(name.lower() == "content-type" and value == "application/json" for name, value in headers.items()):
        return orjson.dumps(_parsed(body) if isinstance(body, str) else body)
    return body.encode("utf-8") if isinstance(body, str) else body


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return ast.literal_eval(text)


def _files(action: dict[str, Any]) -> dict[str, Any] | None:
    name, content = action.get("file_name"), action.get("file_content")
    if not (name and content is not None):
        return None
    kind = action.get("file_content_type")
    return {name: (name, content, kind) if kind else (name, content)}


def _auth(runner: dict[str, Any], action: dict[str, Any]) -> HTTPBasicAuth | None:
    user, password = runner.get("username"), runner.get("password")
    if not (user or password) and action.get("auth"):
        user, _, password = str(action["auth"]).partition(":")
    return HTTPBasicAuth(user or "", password or "") if user or password else None


def response_result(response: requests.Response) -> dict[str, Any]:
    """The result object of a response; a body that says it is JSON, and is, comes parsed."""
    body, parsed = response.text, False
    if response.headers.get("Content-Type", "").split(";")[0].strip() == "application/json":
        try:
            body, parsed = orjson.loads(body), True
        except orjson.JSONDecodeError:
            parsed = False
    return {"status_code": response.status_code, "body": body, "parsed": parsed, "headers": dict(response.headers)}
