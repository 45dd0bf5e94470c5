"""A running token service and its database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import bcrypt
import pytest

from st2common.platform import Platform
from tests.integration.service_process import ServiceProcess

Start = Callable[..., ServiceProcess]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Start]:
    """``start(mode="proxy", ...)`` starts an auth service with these options of section auth."""
    running: list[ServiceProcess] = []

    def begin(**options: str) -> ServiceProcess:
        directory = tmp_path_factory.mktemp("auth")
        passwords = directory / "htpasswd"
        passwords.write_text(
            f"testu:{bcrypt.hashpw(b'testp', bcrypt.gensalt(4)).decode()}\nbot:{bcrypt.hashpw(b'botp', bcrypt.gensalt(4)).decode()}\n"
        )
        settings = {"backend_kwargs": json.dumps({"file_path": str(passwords)}), "api_url": "https://public.example/api", **options}
        service = ServiceProcess("st2auth.main", "auth", directory, database_url, "redis://127.0.0.1:1/0", {"auth": settings}).__enter__()
        running.append(service)
        return service

    yield begin
    for service in running:
        service.stop()


@pytest.fixture(scope="module")
def auth(start: Start) -> ServiceProcess:
    """A token service with users testu and bot, no more than three wrong passwords a minute."""
    return start(max_failures="3")


@pytest.fixture(scope="module")
def platform_of_auth(auth: ServiceProcess) -> Iterator[Any]:
    """The parts over its database."""
    platform = Platform(auth.config)
    platform.store.ensure_indexes()
    yield platform
    platform.store.database.client.drop_database(auth.config.database.db_name)
    platform.close()
