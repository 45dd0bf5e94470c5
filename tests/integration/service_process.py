"""One of the platform's services as a child process over the test session's servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from st2common.config import Config, load_config
from st2common.ctl import servers
from tests.running import end, port_answers, wait_until

ROOT = Path(__file__).resolve().parents[2]


class ServiceProcess:
    """A web service on a free port.

    Args:
        module: with a ``main`` to run (``st2auth.main``).
        section: of its options ``host`` and ``port`` (``auth``).
        options: more settings: ``{"auth": {"enable": "false"}}``.
    """

    def __init__(
        self, module: str, section: str, directory: Path, database_url: str, bus_url: str, options: dict[str, dict[str, str]] | None = None
    ) -> None:  # fmt: skip
        self.port = servers.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._module = module
        settings: dict[str, dict[str, str]] = {
            "database": {"host": database_url, "db_name": f"t{self.port}"}, "messaging": {"url": bus_url, "prefix": f"t{self.port}"},
            "system": {"base_path": str(directory)}, "coordination": {"service_registry": "false"},
        }  # fmt: skip
        for name, values in {section: {"port": str(self.port)}, **(options or {})}.items():
            settings[name] = {**settings.get(name, {}), **values, **({"port": str(self.port)} if name == section else {})}
        path = directory / f"{section}-{self.port}.conf"
        path.write_text("".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()) for name, values in settings.items()))
        self.config: Config = load_config([str(path)], environ={})
        self._path = path
        self.log = directory / f"{section}-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ServiceProcess:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ST2_")}
        environment["PYTHONPATH"] = str(ROOT)
        command = [sys.executable, "-m", self._module, "--config-file", str(self._path)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until(self._is_up, 30, f"{self._module} answers")
        return self

    def _is_up(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise SystemExit(f"{self._module} ended with {self.process.returncode}:\n{self.log.read_text()}")
        return port_answers(self.port)

    def stop(self) -> int:
        """SIGTERM, and wait. Returns the exit code."""
        return end(self.process) if self.process is not None else 0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
