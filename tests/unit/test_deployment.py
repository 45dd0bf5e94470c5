"""Files of the deployments name what exists: every service has its unit, its container, its supervisor section."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from st2common.config import load_config
from st2common.ctl.production import COMPONENTS

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def ini(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(path)
    return parser


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def test_components__are_console_scripts() -> None:
    assert set(COMPONENTS) <= set(SCRIPTS)
    for name, target in SCRIPTS.items():
        module = ROOT / (target.partition(":")[0].replace(".", "/") + ".py")
        assert module.is_file(), f"{name} names {target}"


def test_systemd__a_unit_per_service() -> None:
    units = {path.name.partition(".")[0].rstrip("@"): path for path in (ROOT / "conf/systemd").glob("*.service")}
    assert set(units) == set(COMPONENTS)
    target = (ROOT / "conf/systemd/st2.target").read_text()
    for name, path in units.items():
        start = ini(path)["Service"]["ExecStart"].split()
        assert Path(start[0]).name == name
        assert re.search(rf"\b{name}(@\d)?\.service", target)


def test_supervisor__a_program_per_service() -> None:
    parser = ini(ROOT / "conf/supervisord.production.conf")
    programs = {name.removeprefix("program:") for name in parser.sections() if name.startswith("program:")}
    assert programs == set(COMPONENTS)
    for name in programs:
        assert Path(parser[f"program:{name}"]["command"].split()[0]).name == name


def test_compose__a_container_per_service__after_the_secrets(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(COMPONENTS) <= set(services)
    for name in COMPONENTS:
        assert services[name]["command"][0] == name
        assert services[name]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
    named = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert {volume for volume in named if not volume.startswith("$")} == set(compose["volumes"])
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), "published on the loopback interface only"


def test_compose__is_accepted_by_docker_compose() -> None:
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False) if shutil.which("docker") else None
    command = ["docker", "compose"] if plugin is not None and plugin.returncode == 0 else ["docker-compose"]
    if not shutil.which(command[0]):
        pytest.skip("docker compose is not installed")
    done = subprocess.run([*command, "config", "-q"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_container_configuration__can_be_read() -> None:
    config = load_config([str(ROOT / "conf/docker/st2.conf")], environ={})
    assert (config.api.host, config.auth.enable, config.database.connection_retry_max_delay_m) == ("0.0.0.0", True, 0)


def test_container__copies_every_package() -> None:
    text = (ROOT / "Dockerfile").read_text()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for name in [*packages, "contrib", "conf"]:
        assert f"COPY {name} {name}\n" in text


def test_nginx__passes_on_to_the_default_ports() -> None:
    text = (ROOT / "conf/nginx/st2.conf").read_text()
    config = load_config(environ={"ST2_CONFIG_PATH": "/dev/null"})
    for name, port in (("st2api", config.api.port), ("st2auth", config.auth.port), ("st2stream", config.stream.port)):
        assert re.search(rf"upstream {name}\s+{{ server 127\.0\.0\.1:{port};", text)
    assert text.count("{") == text.count("}")


def test_shell_scripts__are_shell() -> None:
    for path in (ROOT / ".ci/run", ROOT / "conf/docker/prepare"):
        shell = path.read_text().splitlines()[0].rsplit("/", 1)[1].split()[-1]
        done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert path.stat().st_mode & 0o111
