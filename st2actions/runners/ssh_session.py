"""One host over SSH: connecting, copying, running (runners.md section 3)."""

from __future__ import annotations

import asyncio
import functools
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from st2actions.runners.processes import Output
from st2actions.runners.ssh_command import Host, RemoteCommand, parse_host
from st2common.exceptions import RunnerFailed
from st2common.log import getLogger
from st2common.runners.contract import SshSettings

LOG = getLogger(__name__)

_DEFAULT_PORT = 22
_CHUNK_BYTES = 65536
_END_GRACE_S = 2
_SCRIPT_MODE = 0o744


@dataclass(frozen=True)
class Credentials:
    """How to log in.

    Attributes:
        username: "" : from the ssh configuration, else the system user.
        password: wins over keys.
        private_key: text of a key, or the path of its file.
        passphrase: of the key.
        system_user: last resort for the user name.
    """

    username: str = ""
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    system_user: str = ""

    def __post_init__(self) -> None:
        if self.passphrase and not self.private_key:
            raise RunnerFailed("A passphrase was given without the private key it belongs to (parameter private_key).")


class ConnectError(Exception):
    """A host could not be reached or would not let us in."""


@dataclass
class Finished:
    """How a remote command ended.

    Attributes:
        code: exit code, negative for signals; None: the time limit was reached.
        stdout, stderr: its output.
    """

    code: int | None
    stdout: str
    stderr: str


async def connect(host: Host, port: int, credentials: Credentials, settings: SshSettings, bastion: str | None) -> asyncssh.SSHClientConnection:
    """Open a connection, through ``bastion`` (same credentials) if there is one.

    Args:
        host: where to; its own port wins over ``port``.
        port: 0: from the ssh configuration, else 22.

    Raises:
        ConnectError: the text says why.
    """
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            tunnel = None
            if bastion:
                entrance = parse_host(bastion)
                tunnel = await asyncssh.connect(**_options(entrance, entrance.port, credentials, settings))
            return await asyncssh.connect(**_options(host, host.port or port, credentials, settings), tunnel=tunnel)
    except asyncssh.PermissionDenied as error:
        parameters = {"hostname": host.name, "port": host.port or port or _DEFAULT_PORT, "username": credentials.username or credentials.system_user}
        raise ConnectError(
            f"Connection error. Error connecting to host {host.name} with connection parameters {parameters}. "
            f"SSH error: Authentication failed. ({error.reason})"
        ) from error
    except TimeoutError as error:
        raise ConnectError(f"Failed connecting to host {host.name}. No connection in {settings.connect_timeout_s:g} seconds.") from error
    except (OSError, asyncssh.Error, asyncssh.KeyImportError, ValueError) as error:
        raise ConnectError(f"Failed connecting to host {host.name}. {error}") from error


def _options(host: Host, port: int, credentials: Credentials, settings: SshSettings) -> dict[str, Any]:
    config = [os.path.expanduser(settings.config_file_path)] if settings.use_ssh_config else None
    configured = asyncssh.SSHClientConnectionOptions(config=config, host=host.name).config if config else None
    options: dict[str, Any] = {
        "host": host.name,
        "username": credentials.username or (configured.get("User") if configured else None) or credentials.system_user,
        "config": config,
        "known_hosts": None,  # unknown hosts are accepted
        "agent_path": None,
        "client_keys": None,
    }
    if port or not (configured and configured.get("Port")):
        options["port"] = port or _DEFAULT_PORT
    if credentials.password:
        options["password"] = credentials.password
    elif credentials.private_key:
        options["client_keys"] = [_key(credentials.private_key, credentials.passphrase)]
    elif configured and configured.get("IdentityFile"):
        options["client_keys"] = ()  # asyncssh reads the files that the configuration names
    else:
        options["client_keys"] = [asyncssh.read_private_key(settings.key_file)]
    return options


def _key(key: str, passphrase: str | None) -> asyncssh.SSHKey:
    if "PRIVATE KEY-----" in key:
        return asyncssh.import_private_key(key, passphrase)
    return asyncssh.read_private_key(os.path.expanduser(key), passphrase)


async def run(
    connection: asyncssh.SSHClientConnection, command: RemoteCommand, *, timeout_s: float, limit_bytes: int, emit: Callable[[str, str], None] | None
) -> Finished:
    """Run a command to its end or its time limit. ``emit`` takes (stream, lines) meanwhile."""
    process = await connection.create_process(
        command.text, encoding=None, stdin=asyncssh.DEVNULL, term_type="xterm" if command.needs_terminal else None
    )
    outputs = {kind: Output(functools.partial(emit, kind) if emit else None, limit_bytes) for kind in ("stdout", "stderr")}
    code: int | None = None
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(_read(process.stdout, outputs["stdout"], command), _read(process.stderr, outputs["stderr"], command))
            await process.wait_closed()
        code = -1 if process.returncode is None else process.returncode
    except TimeoutError:
        LOG.debug("A remote command reached its time limit of %s seconds", timeout_s)
    finally:
        await _end(process)
    for output in outputs.values():
        output.flush()
    return Finished(code, outputs["stdout"].text(), outputs["stderr"].text())


async def _read(reader: Any, output: Output, command: RemoteCommand) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        output.feed(data.replace(b"\r\n", b"\n") if command.needs_terminal else data)


async def _end(process: Any) -> None:
    """End a process that still runs: ask the server to signal it, then close its channel."""
    if process.exit_status is None and process.exit_signal is None and not process.is_closing():
        for signal_name in ("TERM", "KILL"):
            try:
                process.send_signal(signal_name)
            except OSError:
                break  # the channel is closed already
    process.close()
    try:
        async with asyncio.timeout(_END_GRACE_S):
            await process.wait_closed()
    except TimeoutError:
        LOG.debug("A remote channel does not close in time")


async def upload(connection: asyncssh.SSHClientConnection, script: str, directory: str) -> None:
    """Copy a script, and the ``lib`` directory beside it, into a new remote directory.

    Raises:
        OSError, asyncssh.Error: the copy failed.
    """
    library = os.path.join(os.path.dirname(script), "lib")
    async with connection.start_sftp_client() as sftp:
        await sftp.mkdir(directory)
        target = f"{directory}/{os.path.basename(script)}"
        await sftp.put(script, target)
        await sftp.chmod(target, _SCRIPT_MODE)
        if os.path.isdir(library):
            await sftp.put(library, f"{directory}/lib", recurse=True)
            await sftp.chmod(f"{directory}/lib", stat.S_IMODE(os.stat(library).st_mode))
