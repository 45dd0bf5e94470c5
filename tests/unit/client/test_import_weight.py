"""What the command line loads. Start-up time is lost one import at a time; this keeps it from coming back."""

import json
import subprocess
import sys

import pytest

HEAVY = ("requests", "rich", "yaml", "click", "http.client", "email", "logging", "ssl", "asyncio", "urllib3")

PROGRAM = """
import sys
before = set(sys.modules)
from st2client.main import main
main({arguments!r})
loaded = sorted(set(sys.modules) - before)
import json
print()
print(json.dumps(loaded))
"""


def modules_after(*arguments: str) -> list[str]:
    program = PROGRAM.format(arguments=list(arguments))
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60).stdout
    return json.loads(output.splitlines()[-1])


def test_version__imports_next_to_nothing() -> None:
    loaded = modules_after("--version")
    assert not [name for name in loaded if name.startswith(HEAVY)]
    assert len(loaded) <= 6, loaded


def test_help__imports_click_but_no_command() -> None:
    loaded = modules_after("--help")
    assert not [name for name in loaded if name.startswith(("requests", "rich", "yaml", "http.client", "ssl", "urllib3", "asyncio"))]
    assert not [name for name in loaded if name.startswith("st2client.commands")]


@pytest.mark.parametrize("arguments", [("run", "--help"), ("action", "list", "--help"), ("execution", "get", "--help"), ("key", "set", "--help")])
def test_help_of_a_command__imports_neither_http_nor_rich(arguments: tuple[str, ...]) -> None:
    loaded = modules_after(*arguments)
    assert not [name for name in loaded if name.startswith(("requests", "rich", "yaml", "ssl", "urllib3", "asyncio"))]


def test_client_library__imports_no_command_line_and_no_requests() -> None:
    program = "import json, sys, st2client.client; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60).stdout
    loaded = json.loads(output)
    assert not [name for name in loaded if name.split(".")[0] in ("click", "rich", "requests", "yaml")]


def test_client__imports_nothing_of_the_server() -> None:
    program = (
        "import importlib, json, pkgutil, sys, st2client\n"
        "for module in pkgutil.walk_packages(st2client.__path__, 'st2client.'): importlib.import_module(module.name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60).stdout
    loaded = {name.split(".")[0] for name in json.loads(output)}
    assert not loaded & {"st2common", "st2api", "st2auth", "st2reactor", "st2actions", "jsonschema", "jinja2", "falcon", "kombu"}
