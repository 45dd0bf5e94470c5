"""The command ``st2ctl``: the embedded platform (``--data``), or the services of a production machine (operations.md section 3)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
from pymongo.errors import PyMongoError

from st2common import __version__
from st2common.ctl import production
from st2common.ctl.content import DEFAULT_KINDS, KINDS
from st2common.ctl.production import Refused

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
def up(data: Path, host: str, port_base: int, database_url: str | None, messaging_url: str | None, config_file: str | None, auth: bool) -> None:
    """Start the whole platform in the foreground; Ctrl-C stops it."""
    from st2common.ctl.embedded import Embedded, Options

    options = Options(data.expanduser(), host, port_base, database_url, messaging_url, config_file, auth)
    sys.exit(Embedded(options, say=lambda text: click.echo(text)).run())


@cli.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON list: service, pid, state, hosts.")
def status(data: Path | None, as_json: bool) -> None:
    """Show every process."""
    rows = _rows(data)
    if as_json:
        click.echo(json.dumps(rows))
    else:
        _print(rows)
    sys.exit(0 if rows and all(row["pid"] for row in rows) else 1)


def _rows(data: Path | None) -> list[dict[str, Any]]:
    return _embedded_rows(data) if data else production.rows()


def _print(rows: list[dict[str, Any]]) -> None:
    click.echo("##### st2 components status #####")
    for row in rows:
        hosted = f" ({', '.join(row['hosts'])})" if len(row.get("hosts", [])) > 1 else ""
        click.echo(f"{row['service']} PID: {row['pid']}{hosted}" if row["pid"] else f"{row['service']} is not running.")


@cli.command()
@data_option
def stop(data: Path | None) -> None:
    """Stop the platform (embedded: within 15 s)."""
    if data is None:
        _systemctl("stop", *production.components())
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
    _systemctl("start", *production.components())
    _print(production.rows())


@cli.command()
@data_option
def restart(data: Path | None) -> None:
    """Restart all services."""
    if data is None:
        _systemctl("stop", *production.components())
        _systemctl("start", *production.components())
        _print(production.rows())
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
        _must_be_component(name)
        _systemctl("restart", name)
        return
    supervisor, process = _hosting(data, name)
    supervisor.restart(process)


@cli.command("reopen-log-files")
@data_option
@click.argument("name")
def reopen_log_files(data: Path | None, name: str) -> None:
    """Have a service open its log files anew, after they were moved away."""
    if data is None:
        _must_be_component(name)
        _systemctl("kill", name, options=("--signal=SIGUSR1",))
        return
    supervisor, process = _hosting(data, name)
    supervisor.signal(process, "USR1")


def _must_be_component(name: str) -> None:
    if name not in production.components():
        _unknown(name, f"Unknown component {name}; one of: {', '.join(production.components())}")


def _hosting(data: Path, name: str) -> tuple[Any, str]:
    """The process manager of an embedded platform and the process in it that runs a service."""
    supervisor, hosts = _supervisor(data), _hosts(data)
    process = next((process for process, services in hosts.items() if name == process or name in services), None)
    if supervisor is None or process is None:
        _unknown(name, f"no process of {data} runs {name}")
    return supervisor, process


def _unknown(name: str, message: str) -> NoReturn:
    click.secho(f"Error: {message}", fg="red", err=True)
    click.echo(click.get_current_context().get_usage(), err=True)
    sys.exit(1)


def _register_flags(function: Any) -> Any:
    for kind in reversed(KINDS):
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
    config = _configuration(data, config_file, verbose)
    kinds = [kind for kind in KINDS if flags[f"register_{kind}"]] or list(DEFAULT_KINDS)
    failed = not _register(config, kinds, flags)
    if data is not None or not _is_kubernetes():
        _print(_rows(data))
    sys.exit(1 if failed else 0)


def _register(config: Any, kinds: list[str], flags: dict[str, Any]) -> bool:
    """Register and say so; False when it failed."""
    from st2common.ctl.content import reload
    from st2common.exceptions import St2Error

    chosen = [*kinds, *(name.replace("_", "-") for name in ("setup_virtualenvs", "recreate_virtualenvs") if flags[f"register_{name}"])]
    if not flags["register_fail_on_failure"]:
        chosen.append("no-fail-on-failure")
    click.echo("Registering content...[flags = " + " ".join(f"--register-{name}" for name in chosen) + "]")
    try:
        reload(
            config, kinds, fail_on_failure=flags["register_fail_on_failure"], virtualenvs=flags["register_setup_virtualenvs"],
            recreate=flags["register_recreate_virtualenvs"], say=click.echo, complain=lambda text: click.echo(text, err=True),
        )  # fmt: skip
    except St2Error as error:
        click.echo(f"Error: {error}", err=True)
        return False
    except PyMongoError as error:
        click.echo(f"Error: the database does not answer: {str(error)[:200]}", err=True)
        return False
    return True


def _is_kubernetes() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


@cli.command()
@data_option
@click.option("--config-file", multiple=True, help="Configuration of the platform (with --data it is known).")
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@click.option("--verbose", is_flag=True, help="Log more.")
def clean(data: Path | None, config_file: tuple[str, ...], yes: bool, verbose: bool) -> None:
    """Begin anew: stop, drop the database, delete the logs, register content, start."""
    from st2common.ctl.content import drop_database, empty_logs
    from st2common.ctl.supervision import SERVICES

    if data is None:
        production.must_be_root()
    config = _configuration(data, config_file, verbose)
    if not yes:
        if not sys.stdin.isatty():
            raise click.ClickException(f'this drops the database "{config.database.db_name}"; say --yes where nobody can be asked')
        click.confirm(f'Drop the database "{config.database.db_name}" and delete all logs?', abort=True)
    supervisor = _supervisor(data) if data is not None else None
    if data is not None and supervisor is None:
        raise click.ClickException(f"nothing runs on {data}; start it with: st2ctl up --data {data}")
    if supervisor is None:
        _systemctl("stop", *production.components())
    else:
        supervisor.stop_group(SERVICES)
    drop_database(config)
    count = empty_logs(production.LOGS if data is None else data.expanduser().resolve() / "logs")
    click.echo(f'Database "{config.database.db_name}" dropped, {count} log files emptied.')
    flags = {"register_fail_on_failure": False, "register_setup_virtualenvs": False, "register_recreate_virtualenvs": False}
    failed = not _register(config, ["all"], flags)
    if supervisor is None:
        _systemctl("start", *production.components())
    else:
        supervisor.start(SERVICES)
    _print(_rows(data))
    sys.exit(1 if failed else 0)


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


def _systemctl(action: str, *names: str, options: tuple[str, ...] = ()) -> None:
    """One action of systemd over components; ends the program when it fails."""
    production.must_be_root()
    code = production.systemctl(action, names, *options)
    if code:
        sys.exit(code)


def main() -> None:
    """Entry point. Whatever is not understood ends with the usage and 1."""
    try:
        code = cli.main(prog_name="st2ctl", standalone_mode=False)
    except Refused as error:
        click.secho(f"Error: {error}", fg="red", err=True)
        sys.exit(1)
    except click.Abort:
        click.echo("Aborted!", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
