"""Hosts and command lines of remote runs (runners.md section 3). Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from st2common.exceptions import RunnerFailed

MASK = "********"


@dataclass(frozen=True)
class Host:
    """A host to connect to.

    Attributes:
        given: as the user wrote it.
        name: name or address; key of the result.
        port: 0: not given.
    """

    given: str
    name: str
    port: int = 0


def parse_hosts(text: str) -> list[Host]:
    """A comma separated list of ``host``, ``host:port``, ``[v6]:port`` and bare IPv6 addresses.

    Raises:
        RunnerFailed: a port is not a number.
    """
    return [parse_host(part.strip()) for part in text.split(",") if part.strip()]


def parse_host(text: str) -> Host:
    """One host. Raises RunnerFailed if its port is not a number."""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        name, _, port = text.partition(":")
    else:
        name, port = text, ""
    if port and not port.isdigit():
        raise RunnerFailed(f'The port of host "{text}" is not a number')
    return Host(text, name, int(port) if port else 0)


@dataclass(frozen=True)
class RemoteCommand:
    """A command line for a remote shell.

    Attributes:
        text: what is sent.
        shown: the same, fit for messages: secrets are masked.
        needs_terminal: run it on a pseudo terminal (sudo).
    """

    text: str
    shown: str
    needs_terminal: bool = False


def remote_command(
    command: str, *, env: Mapping[str, str], cwd: str, sudo: bool = False, sudo_password: str | None = None, secrets: tuple[str, ...] = ()
) -> RemoteCommand:
    """``export A=1 B=2 && cd <cwd> && <command>``, under sudo if wanted.

    Args:
        command: a command line.
        env: variables to export, text to text.
        cwd: directory, as it is to stand in the command line (quoted by the caller where that is wanted).
        sudo: run as root.
        sudo_password: given to sudo on its input.
        secrets: texts to mask in messages.
    """
    variables = dict(env)
    if sudo and sudo_password:
        variables.update({"HISTFILE": "/dev/null", "HISTSIZE": "0"})
    exports = " ".join(f"{quote(name)}={quote(value)}" for name, value in sorted(variables.items()))
    text = f"export {exports} && cd {cwd} && {command}" if exports else f"cd {cwd} && {command}"
    if sudo and sudo_password:
        text = f"set +o history ; echo -e {quote(sudo_password + chr(92) + 'n')} | sudo -S -E -- bash -c {quote(text)}"
    elif sudo:
        text = f"sudo -E -- bash -c {quote(text)}"
    shown = text
    for secret in filter(None, (*secrets, sudo_password)):
        shown = shown.replace(secret, MASK)
    return RemoteCommand(text, shown, needs_terminal=sudo)
