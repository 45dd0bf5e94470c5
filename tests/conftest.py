"""Fixtures that start the real thing: databases, brokers, whole platforms. Everything listens on loopback and is stopped by pid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import RabbitMq, RunningPlatform, Valkey, rabbitmq_binary, start_database

CONFORMANCE = Path(__file__).resolve().parents[2] / "shared" / "conformance"


@pytest.fixture(scope="session")
def conformance() -> Path:
    """Recorded answers; they lie outside the repository, so tests over them skip where they are absent."""
    if not CONFORMANCE.is_dir():
        pytest.skip(f"the recorded answers are not here ({CONFORMANCE})")
    return CONFORMANCE


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A SecantusDB for the session."""
    with start_database(tmp_path_factory.mktemp("db")) as url:
        yield url


@pytest.fixture
def database(database_url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A database of one's own with all indexes: a ``Store``."""
    import pymongo

    from st2common.store import Store

    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(database_url, retryWrites=False)
    name = f"t{abs(hash(request.node.nodeid)) % 10**10}"
    store = Store(client[name])
    store.ensure_indexes()
    yield store
    client.drop_database(name)
    client.close()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An embedded bus for the session."""
    with Valkey(tmp_path_factory.mktemp("bus")) as broker:
        yield broker.url


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A RabbitMQ for the session; in CI it must be there."""
    if rabbitmq_binary() is None:
        if os.environ.get("CI"):
            pytest.fail("RabbitMQ is not installed; .ci/run installs it")
        pytest.skip("RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)")
    with RabbitMq(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker.url


@pytest.fixture(scope="session", params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def bus_url(request: pytest.FixtureRequest) -> str:
    """Every supported broker in turn."""
    return str(request.getfixturevalue("valkey_url" if request.param == "embedded" else "rabbitmq_url"))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A whole embedded platform, authentication off: ``api_url``, ``auth_url``, ``stream_url``, ``data_dir``."""
    with RunningPlatform(tmp_path_factory.mktemp("platform"), auth=False) as running:
        yield running


@pytest.fixture(scope="session")
def rabbitmq_platform(tmp_path_factory: pytest.TempPathFactory, rabbitmq_url: str) -> Iterator[RunningPlatform]:
    """A whole platform over RabbitMQ, authentication off."""
    with RunningPlatform(tmp_path_factory.mktemp("platform-rabbitmq"), auth=False, messaging_url=rabbitmq_url) as running:
        yield running


@pytest.fixture(scope="session")
def secured_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A whole embedded platform with authentication on: also ``user`` and ``password``."""
    with RunningPlatform(tmp_path_factory.mktemp("secured"), auth=True) as running:
        yield running
