"""The data folder of the embedded mode: what is in it, and how it is made on first start."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from st2common import __version__
from st2common.interpreters import SYSTEM_PACKS
from st2common.security import crypto

_DIRECTORIES = ("db", "bus", "packs", "configs", "virtualenvs", "overrides", "rbac", "exports", "keys", "logs", "run")


class DataFolderInUse(Exception):
    """Another platform runs on this folder."""


def builtin_content() -> Path:
    """Directory of the packs that come with the platform: inside an installed package, or ``contrib`` of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_content" / "packs"
    return installed if installed.is_dir() else package.parent / "contrib"


@dataclass
class Layout:
    """Paths below the data folder."""

    root: Path

    @property
    def conf(self) -> Path:
        """st2.conf, for every service."""
        return self.root / "st2.conf"

    @property
    def cli_conf(self) -> Path:
        """Configuration of the ``st2`` command, with the credentials of the first user."""
        return self.root / "cli.conf"

    @property
    def htpasswd(self) -> Path:
        """Users and password hashes."""
        return self.root / "htpasswd"

    @property
    def crypto_key(self) -> Path:
        """The datastore's encryption key."""
        return self.root / "keys" / "datastore_key.json"

    @property
    def supervisor_conf(self) -> Path:
        """Configuration of the process manager."""
        return self.root / "run" / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """Where the process manager listens."""
        return self.root / "run" / "supervisor.sock"

    @property
    def state(self) -> Path:
        """What is running: ports and URLs (JSON)."""
        return self.root / "run" / "state.json"

    def lock(self) -> int:
        """Take the folder for this process and its heirs. Returns the open file descriptor.

        Raises:
            DataFolderInUse: somebody has it.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise DataFolderInUse(
                f'the data folder "{self.root}" is in use by a running platform; stop it with: st2ctl stop --data {self.root}'
            ) from error
        return handle

    def prepare(self) -> str | None:
        """Make what is missing. Returns the new password of ``st2admin`` when this is the first start."""
        for name in _DIRECTORIES:
            (self.root / name).mkdir(parents=True, exist_ok=True, mode=0o750)
        self._install_packs()
        if not self.crypto_key.exists():
            crypto.write_key_file(self.crypto_key, crypto.CryptoKey.generate())
        if self.htpasswd.exists():
            return None
        password = secrets.token_urlsafe(15)
        write_private(self.htpasswd, f"st2admin:{sha_hash(password)}\n")
        return password

    def _install_packs(self) -> None:
        """Copy the built-in packs that are missing; those of the system are renewed with a new version of the platform."""
        marker = self.root / "packs" / ".platform-version"
        renewed = not marker.exists() or marker.read_text() != __version__
        for source in sorted(builtin_content().iterdir()):
            target = self.root / "packs" / source.name
            if not (source / "pack.yaml").exists():
                continue
            if target.exists() and renewed and source.name in SYSTEM_PACKS:
                shutil.rmtree(target)
            if not target.exists():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        marker.write_text(__version__)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    temporary = path.with_name(path.name + ".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def sha_hash(password: str) -> str:
    """The ``{SHA}`` form of htpasswd. Used for generated passwords of 120 random bits only, where a slow hash adds nothing."""
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()


def read_state(layout: Layout) -> dict[str, object]:
    """What the running platform wrote about itself; {} when there is nothing."""
    try:
        state = json.loads(layout.state.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
