"""The recorded command lines, replayed against a live platform.

Each invocation runs in a fork of this process: the same code from arguments to exit code as a fresh `st2`, without paying for the
start of an interpreter several hundred times (what that start costs is watched by tests/unit/client/test_import_weight.py).
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

CONFORMANCE = Path(__file__).resolve().parents[3] / "shared" / "conformance"
CASES = CONFORMANCE / "cli"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the recorded cases (../shared/conformance/cli) are not here")

FEATURES = {"prefix-filter"}
NEEDS_AUTHENTICATION = "auth"

RECORDED_PACKS = "/opt/stackstorm/packs"
"""Where packs lay on the machine the cases were recorded on; a platform under test has them in its data folder."""

NOT_OURS = {"pack-get-all": "lists the files of upstream's own core pack; ours is written anew and has others"}


def load_cases() -> list[dict[str, Any]]:
    cases = []
    for path in sorted(CASES.glob("*.json")) if CASES.is_dir() else []:
        cases += json.loads(path.read_text())
    return cases


def load_replayer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay_cli", CONFORMANCE / "replay_cli.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_in_fork(argv: list[str], cwd: str, env: dict[str, str], stdin: str, timeout_s: float) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `st2 <argv>`."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(stdin.encode())
        source.seek(0)
        child = os.fork()
        if child == 0:
            _become_st2(argv, cwd, env, (source.fileno(), out.fileno(), err.fileno()), timeout_s)
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return os.waitstatus_to_exitcode(status), texts[0], texts[1]


def _become_st2(argv: list[str], cwd: str, env: dict[str, str], descriptors: tuple[int, int, int], timeout_s: float) -> None:
    """In the forked child; never returns."""
    code = 70
    try:
        signal.alarm(int(timeout_s))
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        from st2client.main import main

        code = main(argv)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


@pytest.fixture(scope="module")
def replayer() -> ModuleType:
    import requests  # noqa: F401  (what commands may import is imported once, before the forks)
    import yaml  # noqa: F401

    import st2client.shell  # noqa: F401

    return load_replayer()


def replay(replayer: ModuleType, platform: Any, case: dict[str, Any], variables: list[str]) -> None:
    urls = [f"ST2_API_URL={platform.api_url}/v1", f"ST2_AUTH_URL={platform.auth_url}", f"ST2_STREAM_URL={platform.stream_url}/v1"]
    case = json.loads(json.dumps(case).replace(RECORDED_PACKS, f"{platform.data_dir}/packs"))
    runner = replayer.Runner(SimpleNamespace(st2="st2", timeout=60.0, env=urls, var=variables))

    def call(argv: list[str], cwd: str, home: str, env: dict[str, str] | None = None, stdin: str | None = None) -> tuple[int, str, str]:
        code, out, err = run_in_fork(argv, cwd, {**runner.env, "HOME": home, **(env or {})}, stdin or "", 60.0)
        return code, replayer.ANSI.sub("", out), replayer.ANSI.sub("", err)

    runner.call = call
    runner.pending = None
    try:
        *_, verify = runner.run(case)
        verify()
    finally:
        if runner.pending:
            runner.finish()


def needs(case: dict[str, Any]) -> set[str]:
    return set(case.get("needs", []))


def as_parameter(case: dict[str, Any]) -> Any:
    reason = NOT_OURS.get(case["name"])
    return pytest.param(case, id=case["name"], marks=[pytest.mark.xfail(reason=reason, strict=True)] if reason else [])


OPEN = [case for case in load_cases() if needs(case) <= FEATURES]
AUTHENTICATED = [case for case in load_cases() if needs(case) - FEATURES == {NEEDS_AUTHENTICATION}]


@pytest.mark.parametrize("case", [as_parameter(case) for case in OPEN])
def test_recorded_command_line(replayer: ModuleType, platform: Any, case: dict[str, Any]) -> None:
    replay(replayer, platform, case, [])


@pytest.mark.parametrize("case", [as_parameter(case) for case in AUTHENTICATED])
def test_recorded_command_line__with_authentication(replayer: ModuleType, secured_platform: Any, case: dict[str, Any]) -> None:
    replay(replayer, secured_platform, case, [f"AUTH_USER={secured_platform.user}", f"AUTH_PASSWORD={secured_platform.password}"])


def test_every_recorded_case_is_replayed() -> None:
    assert len(OPEN) + len(AUTHENTICATED) == len(load_cases())
