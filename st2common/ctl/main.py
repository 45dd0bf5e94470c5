"""The command ``st2ctl``: the embedded platform (``--data``), or the services of a production machine (operations.md section 3)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from st2common import __version__

COMPONENTS = ("st2actionrunner", "st2api", "st2stream", "st2auth", "st2garbagecollector", "st2notifier", "st2rulesengine",
              "st2sensorcontainer", "st2timersengine", "st2workflowengine", "st2scheduler")  # fmt: skip
"""Services in the order in which ``status`` names them; ``COMPONENTS`` in the environment overrides."""

_REGISTER = ("all", "actions", "aliases", "runners", "policies", "rules", "sensors", "triggers", "configs")
_RELOAD_DEFAULT = ("runners", "actions", "aliases", "sensors", "triggers", "configs", "rules")

data_option = click.option(
    "--data", type=click.Path(path_type=Path), envvar="ST2_DATA", help="Data folder of an embedded platform (environment: ST2_DATA)."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="st2ctl")
def cli() -> None:
    """Run and drive the platform."""


@cli.command()
@click.option("--data", type=click.Path(path_type=Path), envvar="ST2_DATA", default=Path("~/.st2-data"), show_default=True, help="Data folder.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that auth, API and stream listen on.")
@click.option("--port-base", default=9100, show_default=True, type=click.IntRange(1, 65533), help="auth = base, API = base+1, stream = base+2.")
@click.option("--database-url", help="A MongoDB of yours, mongodb://...; without it SecantusDB runs below the data folder.")
@click.option("--messaging-url", help="A RabbitMQ of yours, amqp://...; without it Valkey runs below the data folder.")
@click.option("--config", "config_file", type=click.Path(exists=True, dir_okay=False), help="Further options, read after the written ones.")
@click.option("--auth/--no-auth", default=True, show_default=True, help="Require credentials; without them anybody may do anything.")
def up(
    data: Path, host: str, port_base: int, database_url: str | None, messaging_url: str | None, config_file: str | None, auth: bool
) -> None:
    """Start the whole platform in the foreground; Ctrl-C stops it."""
    from st2common.ctl.embedded import Embedded, Options

    options = Options(data.expanduser(), host, port_base, database_url, messaging_url, config_file, auth)
    sys.exit(Embedded(options, say=lambda text: click.echo(text)).run())


@cli.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON list: service, pid, state, hosts.")
def status(data: Path | None, as_json: bool) -> None:
    """Show every process."""
    rows = _embedded_rows(data) if data else _systemd_rows()
    if as_json:
        click.echo(json.dumps(rows))
    else:
        click.echo("##### st2 components status #####")
        for row in rows:
            hosted = f" ({', '.join(row['hosts'])})" if len(row.get("hosts", [])) > 1 else ""
            click.echo(f"{row['service']} PID: {row['pid']}{hosted}" if row["pid"] else f"{row['service']} is not running.")
    sys.exit(0 if rows and all(row["pid"] for row in rows) else 1)


@cli.command()
@data_option
def stop(data: Path | None) -> None:
    """Stop the platform (embedded: within 15 s)."""
    if data is None:
        _systemctl("stop", *_components())
        return
    from st2common.ctl.embedded import stop_supervisor

    supervisor = _supervisor(data)
    if supervisor is None:
        click.echo(f"nothing runs on {data}")
        return
    stop_supervisor(supervisor, supervisor.pid())


@cli.command()
@data_option
def start(data: Path | None) -> None:
    """Start all services through systemd (the embedded platform: st2ctl up)."""
    if data is not None:
        raise click.UsageError(f"start the embedded platform with: st2ctl up --data {data}")
    _systemctl("start", *_components())
    _print_systemd()


@cli.command()
@data_option
def restart(data: Path | None) -> None:
    """Restart all services."""
    if data is None:
        _systemctl("restart", *_components())
        _print_systemd()
        return
    supervisor = _supervisor(data)
    if supervisor is None:
        raise click.ClickException(f"nothing runs on {data}; start it with: st2ctl up --data {data}")
    for row in supervisor.processes():
        if row["group"] == "st2":
            supervisor.restart(row["name"])


@cli.command("restart-component")
@data_option
@click.argument("name")
def restart_component(data: Path | None, name: str) -> None:
    """Restart one service."""
    if data is None:
        if name not in _components():
            raise click.ClickException(f"unknown component {name}; one of: {', '.join(_components())}")
        _systemctl("restart", name)
        return
    supervisor = _supervisor(data)
    hosts = _hosts(data)
    process = next((process for process, services in hosts.items() if name == process or name in services), None)
    if supervisor is None or process is None:
        raise click.ClickException(f"no process of {data} runs {name}")
    supervisor.restart(process)


@cli.command("reopen-log-files")
@click.argument("name")
def reopen_log_files(name: str) -> None:
    """Have a service open its log files anew (systemd)."""
    if name not in _components():
        raise click.ClickException(f"unknown component {name}; one of: {', '.join(_components())}")
    _systemctl("kill", "--signal=SIGUSR1", name)


def _register_flags(function: Any) -> Any:
    for kind in reversed(_REGISTER):
        function = click.option(f"--register-{kind}", f"register_{kind}", is_flag=True, help=f"Register {kind}.")(function)
    return function


@cli.command("reload")
@data_option
@click.option("--config-file", multiple=True, help="Configuration of the platform (with --data it is known).")
@_register_flags
@click.option("--register-setup-virtualenvs", is_flag=True, help="Make the packs' virtualenvs too.")
@click.option("--register-recreate-virtualenvs", is_flag=True, help="Make them anew.")
@click.option("--register-fail-on-failure/--register-no-fail-on-failure", default=True, show_default=True, help="Stop at the first bad file.")
@click.option("--verbose", is_flag=True, help="Log more.")
def reload_content(data: Path | None, config_file: tuple[str, ...], verbose: bool, **flags: Any) -> None:
    """Register the content of the packs on disk again."""
    from st2common.bus import CONTROL
    from st2common.ctl.registration import register_content
    from st2common.exceptions import St2Error
    from st2common.platform import Platform

    config = _configuration(data, config_file, verbose)
    kinds = [kind for kind in _REGISTER if flags[f"register_{kind}"]] or list(_RELOAD_DEFAULT)
    click.echo("Registering: " + " ".join(f"--register-{kind}" for kind in kinds))
    platform = Platform(config)
    try:
        report = register_content(platform, types=kinds, fail_on_failure=flags["register_fail_on_failure"])
        platform.bus.announce(CONTROL, {"do": "content", "kinds": ["trigger", "sensor", "rule"]})
        if flags["register_setup_virtualenvs"] or flags["register_recreate_virtualenvs"]:
            _virtualenvs(platform, recreate=flags["register_recreate_virtualenvs"])
    except St2Error as error:
        raise click.ClickException(str(error)) from error
    finally:
        platform.close()
    for kind, count in report.counts.items():
        click.echo(f"Registered {count} {kind}.")
    for problem in report.problems:
        click.echo(f"not registered: {problem}", err=True)


def _virtualenvs(platform: Any, *, recreate: bool) -> None:
    from st2common.ctl.registration import registrar, setup_virtualenv

    for pack in registrar(platform).packs():
        if (pack.path / "requirements.txt").exists():
            click.echo(f"virtualenv of {pack.name}")
            setup_virtualenv(platform, pack.name, recreate=recreate)


def _configuration(data: Path | None, files: tuple[str, ...], verbose: bool) -> Any:
    from st2common.config import load_config
    from st2common.ctl.layout import Layout
    from st2common.exceptions import ConfigError
    from st2common.log import setup_logging

    named = list(files)
    if data is not None:
        conf = Layout(data.expanduser().resolve()).conf
        if not conf.exists():
            raise click.ClickException(f'"{conf}" is missing; make the data folder with: st2ctl up --data {data}')
        named.insert(0, str(conf))
    try:
        config = load_config(named)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    setup_logging(config.log, debug=verbose)
    return config


# -- the embedded platform ---------------------------------------------------------------------------------------------


def _supervisor(data: Path) -> Any:
    from st2common.ctl.layout import Layout
    from st2common.ctl.supervision import Supervisor

    layout = Layout(data.expanduser().resolve())
    if not layout.supervisor_socket.exists():
        return None
    supervisor = Supervisor(layout)
    return supervisor if supervisor.is_running() else None


def _hosts(data: Path) -> dict[str, list[str]]:
    from st2common.ctl.layout import Layout, read_state

    hosts = read_state(Layout(data.expanduser().resolve())).get("hosts", {})
    return hosts if isinstance(hosts, dict) else {}


def _embedded_rows(data: Path) -> list[dict[str, Any]]:
    """The process manager, what it keeps alive, and their children (sensors, warm Python parents, gunicorn workers)."""
    import psutil

    supervisor = _supervisor(data)
    if supervisor is None:
        return []
    hosts = _hosts(data)
    rows: list[dict[str, Any]] = [{"service": "supervisord", "pid": supervisor.pid(), "state": "RUNNING", "hosts": []}]
    for process in supervisor.processes():
        row = {"service": process["name"], "pid": process["pid"] or None, "state": process["statename"], "hosts": hosts.get(process["name"], [])}
        rows.append(row)
        if not row["pid"]:
            continue
        try:
            children = psutil.Process(row["pid"]).children(recursive=True)
        except psutil.Error:
            continue
        rows += [{"service": f"{process['name']}:{_label(child)}", "pid": child.pid, "state": "RUNNING", "hosts": []} for child in children]
    return rows


def _label(process: Any) -> str:
    import psutil

    try:
        words = process.cmdline()
    except psutil.Error:
        return "child"
    line = " ".join(words)
    for mark, label in (("sensor", "sensor"), ("python_parent", "python"), ("gunicorn", "worker"), ("-m st2", "worker")):
        if mark in line:
            return label
    return "action"


# -- production --------------------------------------------------------------------------------------------------------


def _components() -> tuple[str, ...]:
    named = os.environ.get("COMPONENTS")
    return tuple(named.split()) if named else COMPONENTS


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(["systemctl", *arguments], check=False)
    except FileNotFoundError:
        raise click.ClickException(
            "systemd is not here; run the platform in the foreground with: st2ctl up, or name an embedded one with --data"
        ) from None
    if done.returncode:
        sys.exit(done.returncode)


def _systemd_rows() -> list[dict[str, Any]]:
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise click.ClickException("st2ctl status does not work under Kubernetes; ask kubectl")
    rows = []
    for name in _components():
        found = subprocess.run(["pgrep", "-f", f"bin/{name}( |$)"], capture_output=True, text=True, check=False).stdout.split()
        pids: list[int | None] = [int(pid) for pid in found]
        rows += [{"service": name, "pid": pid, "state": "RUNNING" if pid else "STOPPED", "hosts": [name]} for pid in pids or [None]]
    return rows


def _print_systemd() -> None:
    click.echo("##### st2 components status #####")
    for row in _systemd_rows():
        click.echo(f"{row['service']} PID: {row['pid']}" if row["pid"] else f"{row['service']} is not running.")


def main() -> None:
    """Entry point."""
    cli(prog_name="st2ctl")


if __name__ == "__main__":
    main()
