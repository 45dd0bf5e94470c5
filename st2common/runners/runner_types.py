"""The runner types that the platform registers: one row per type, parameters in the order users see (runners.md)."""

from __future__ import annotations

import copy
from typing import Any

Parameter = dict[str, Any]

_ANY = {
    "anyOf": [
        {"type": "object"},
        {"type": "string"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "array"},
        {"type": "null"},
    ]
}


def _parameter(description: str, kind: str, **more: Any) -> Parameter:
    return {"description": description, "type": kind, **more}


_CMD = _parameter("Command to execute.", "string")
_ENV = _parameter("Environment variables for the process, by name.", "object")
_SUDO = _parameter("Run the command with sudo.", "boolean", default=False)
_SUDO_PASSWORD = _parameter("Password for sudo, where it asks for one.", "string", default=None, secret=True, required=False)
_DEBUG = _parameter("Keep what helps to find faults, such as temporary work trees.", "boolean", required=False, default=False)
_CONTENT_VERSION = _parameter(
    "Git revision of the pack to run (commit, tag or branch); the pack's directory must be a git repository.", "string", required=False
)


def _timeout(seconds: int) -> Parameter:
    return _parameter("Time limit in seconds; the processes of the action are ended when it is reached.", "integer", default=seconds)


def _kwarg_op(operator: str) -> Parameter:
    return _parameter("What stands before the name of a named argument.", "string", default=operator)


_LOCAL: dict[str, Parameter] = {
    "cmd": _CMD,
    "cwd": _parameter("Directory that the command runs in.", "string"),
    "env": _ENV,
    "kwarg_op": _kwarg_op("--"),
    "sudo": _SUDO,
    "sudo_password": _SUDO_PASSWORD,
    "timeout": _timeout(60),
}

_REMOTE: dict[str, Parameter] = {
    "bastion_host": _parameter("Host through which the others are reached.", "string", required=False),
    "cmd": _CMD,
    "cwd": _parameter("Directory that the command runs in.", "string", default="/tmp"),
    "dir": _parameter("Directory on the remote hosts.", "string", default="/tmp", immutable=True),
    "env": _ENV,
    "hosts": _parameter("Comma separated hosts: name, name:port or [v6 address]:port.", "string", required=True),
    "kwarg_op": _kwarg_op("--"),
    "parallel": _parameter("Run on all hosts at once.", "boolean", default=False, immutable=True),
    "passphrase": _parameter("Passphrase of the private key.", "string", required=False, secret=True),
    "password": _parameter("Password to log in with.", "string", required=False, secret=True),
    "port": _parameter("SSH port.", "integer", required=False),
    "private_key": _parameter("Private key to log in with: its text, or the path of its file.", "string", required=False, secret=True),
    "sudo": _SUDO,
    "sudo_password": _SUDO_PASSWORD,
    "timeout": _timeout(60),
    "username": _parameter("User to log in as.", "string", required=False),
}

_WINRM: dict[str, Parameter] = {
    "cmd": _CMD,
    "cwd": _parameter("Directory that the command runs in.", "string"),
    "env": _ENV,
    "host": _parameter("Windows host.", "string", required=True),
    "kwarg_op": _kwarg_op("-"),
    "password": _parameter("Password to log in with.", "string", required=True, secret=True),
    "port": _parameter("WinRM port.", "integer", default=5986, required=False),
    "scheme": _parameter("https or http; port 5985 is always http.", "string", default="https", required=False),
    "timeout": _timeout(60),
    "transport": _parameter(
        "How to authenticate.",
        "string",
        default="ntlm",
        required=False,
        enum=["basic", "certificate", "credssp", "kerberos", "ntlm", "plaintext", "ssl"],
    ),
    "username": _parameter("User to log in as.", "string", required=True),
    "verify_ssl_cert": _parameter("Check the certificate of the host.", "boolean", default=True),
}

_PYTHON: dict[str, Parameter] = {
    "debug": _DEBUG,
    "content_version": _CONTENT_VERSION,
    "env": _ENV,
    "timeout": _timeout(600),
    "log_level": _parameter(
        "Least level that the action's logger writes.",
        "string",
        default="DEBUG",
        enum=["AUDIT", "CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"],
    ),
}

_HTTP: dict[str, Parameter] = {
    "allow_redirects": _parameter("Follow redirects.", "boolean", default=False),
    "cookies": _parameter("Cookies to send, by name.", "object"),
    "headers": _parameter("Headers to send, by name.", "object"),
    "http_proxy": _parameter("URL of the proxy for http.", "string"),
    "https_proxy": _parameter("URL of the proxy for https.", "string"),
    "password": _parameter("Password for basic authentication.", "string", secret=True),
    "url": _parameter("URL to request.", "string", required=True),
    "username": _parameter("User for basic authentication.", "string"),
    "verify_ssl_cert": _parameter("Check the certificate of the server.", "boolean", default=True),
    "url_hosts_blacklist": _parameter(
        "Hosts that may not be requested. Excludes url_hosts_whitelist.", "array", required=False, items={"type": "string"}
    ),
    "url_hosts_whitelist": _parameter(
        "The only hosts that may be requested. Excludes url_hosts_blacklist.", "array", required=False, items={"type": "string"}
    ),
}

_INQUIRER: dict[str, Parameter] = {
    "schema": _parameter(
        "JSON schema that a response must satisfy.",
        "object",
        default={
            "title": "response_data",
            "type": "object",
            "properties": {"continue": {"type": "boolean", "description": "Would you like to continue the workflow?", "required": True}},
        },
        required=True,
    ),
    "route": _parameter("Label that rules use to pick inquiries.", "string", default="", required=False),
    "roles": _parameter("Roles whose members may respond; empty: any.", "array", default=[], required=False),
    "users": _parameter("Users who may respond; empty: any.", "array", default=[], required=False),
    "ttl": _parameter("Minutes until an inquiry without response times out.", "integer", default=1440, required=True),
}

_ORQUESTA: dict[str, Parameter] = {
    "notify": {
        "type": "array",
        "description": "Tasks whose notify block is used.",
        "uniqueItems": True,
        "items": {"type": "string", "minLength": 1, "pattern": r"^\w+$"},
        "default": [],
    }
}

_ACTION_CHAIN: dict[str, Parameter] = {
    "display_published": _parameter("Show published variables in the result.", "boolean", default=True),
    "skip_notify": _parameter("Tasks for which no notification is sent.", "array", default=[]),
}

_ANNOUNCEMENT: dict[str, Parameter] = {
    "experimental": _parameter("Must be true: the runner is experimental.", "boolean", default=False, required=True),
    "route": _parameter("Last part of the name of the stream event.", "string", default="general", minLength=1, maxLength=255),
}


def _without(parameters: dict[str, Parameter], *names: str, **more: Parameter) -> dict[str, Parameter]:
    return {**{name: value for name, value in parameters.items() if name not in names}, **more}


def _object_schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _row(
    name: str,
    package: str,
    module: str,
    description: str,
    parameters: dict[str, Parameter],
    output_key: str | None = None,
    output_schema: dict[str, Any] | None = None,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "description": description,
        "enabled": True,
        "runner_package": package,
        "runner_module": module,
        "runner_parameters": parameters,
        "output_schema": output_schema or {},
    }
    if output_key:
        row["output_key"] = output_key
    return row


_PYTHON_OUTPUT = _object_schema(
    result=_ANY,
    stderr={"type": "string", "required": True},
    stdout={"type": "string", "required": True},
    exit_code={"type": "integer", "required": True},
)
_HTTP_OUTPUT = _object_schema(status_code={"type": "integer"}, body=_ANY, parsed={"type": "boolean"}, headers={"type": "object"})
_ORQUESTA_OUTPUT = _object_schema(errors={"anyOf": [{"type": "object"}, {"type": "array"}]}, output=_ANY)
_CHAIN_OUTPUT = _object_schema(published={"type": "object"}, tasks={"type": "array"})
_REMOTE_SCRIPT = _without(_REMOTE, "cmd", dir=_parameter("Directory on the remote hosts that the script is copied below.", "string", default="/tmp"))

_ROWS = [
    _row("action-chain", "action_chain_runner", "action_chain_runner", "Runs a chain of actions.", _ACTION_CHAIN, "published", _CHAIN_OUTPUT),
    _row("announcement", "announcement_runner", "announcement_runner", "Publishes its parameters on the stream.", _ANNOUNCEMENT),
    _row("http-request", "http_runner", "http_runner", "Makes an HTTP request.", _HTTP, "body", _HTTP_OUTPUT),
    _row("inquirer", "inquirer_runner", "inquirer_runner", "Asks somebody and waits for the response.", _INQUIRER),
    _row("local-shell-cmd", "local_runner", "local_shell_command_runner", "Runs a shell command on this machine.", _LOCAL),
    _row(
        "local-shell-script",
        "local_runner",
        "local_shell_script_runner",
        "Runs a script on this machine.",
        _without(_LOCAL, "cmd", debug=_DEBUG, content_version=_CONTENT_VERSION),
    ),
    _row("noop", "noop_runner", "noop_runner", "A runner that returns a static response regardless of input parameters", {}),
    _row("orchestra", "orquesta_runner", "orquesta_runner", "Runs an Orquesta workflow.", _ORQUESTA, "output", _ORQUESTA_OUTPUT),
    _row("orquesta", "orquesta_runner", "orquesta_runner", "Runs an Orquesta workflow.", _ORQUESTA, "output", _ORQUESTA_OUTPUT),
    _row("python-script", "python_runner", "python_runner", "Runs a Python action.", _PYTHON, "result", _PYTHON_OUTPUT),
    _row("remote-shell-cmd", "remote_runner", "remote_command_runner", "Runs a shell command on hosts over SSH.", _REMOTE),
    _row("remote-shell-script", "remote_runner", "remote_script_runner", "Runs a script on hosts over SSH.", _REMOTE_SCRIPT),
    _row("winrm-cmd", "winrm_runner", "winrm_command_runner", "Runs a command on a Windows host over WinRM.", _WINRM),
    _row("winrm-ps-cmd", "winrm_runner", "winrm_ps_command_runner", "Runs a PowerShell command on a Windows host over WinRM.", _WINRM),
    _row(
        "winrm-ps-script",
        "winrm_runner",
        "winrm_ps_script_runner",
        "Runs a PowerShell script on a Windows host over WinRM.",
        _without(_WINRM, "cmd"),
    ),
]

ASYNCHRONOUS = frozenset({"orquesta", "orchestra"})
"""Runner types whose ``run`` returns before the execution is done."""


def runner_types() -> list[dict[str, Any]]:
    """Every runner type document, sorted by name; the caller owns the copy."""
    return copy.deepcopy(_ROWS)


def runner_parameter_names(runner_type: str) -> frozenset[str]:
    """Names of the parameters of ``runner_type``; empty for an unknown type."""
    return frozenset(next((row["runner_parameters"] for row in _ROWS if row["name"] == runner_type), ()))
