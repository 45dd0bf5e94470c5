"""A real database (SecantusDB in a process of its own) with a fresh store for each test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest
from pymongo.errors import PyMongoError

from st2common.store import Store

START_S = 30


def _binary() -> str | None:
    beside = Path(sys.executable).parent / "secantusd-py"
    return str(beside) if beside.exists() else shutil.which("secantusd-py")


@pytest.fixture(scope="session")
def database_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of the database server."""
    binary = _binary()
    if binary is None:
        pytest.skip("SecantusDB is not installed (extra: embedded)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory = tmp_path_factory.mktemp("database")
    with open(directory / "server.log", "wb") as log:
        server = subprocess.Popen(
            [binary, "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(directory / "data")], stdout=log, stderr=log
        )
    uri = f"mongodb://127.0.0.1:{port}"
    try:
        _wait(uri, server)
        yield uri
    finally:
        server.terminate()
        server.wait(timeout=15)


def _wait(uri: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=500) as client:
        while True:
            try:
                client.admin.command("ping")
                return
            except PyMongoError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


@pytest.fixture
def store(database_uri: str) -> Iterator[Store]:
    """A store over an empty database."""
    client: pymongo.MongoClient[dict] = pymongo.MongoClient(database_uri, retryWrites=False)
    name = f"test_{uuid.uuid4().hex[:8]}"
    made = Store(client[name])
    made.ensure_indexes()
    yield made
    client.drop_database(name)
    made.close()
