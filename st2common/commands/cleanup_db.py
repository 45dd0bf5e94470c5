"""``st2-cleanup-db``: drop the platform's database."""

from __future__ import annotations

import sys

import click
from pymongo.errors import PyMongoError

from st2common.commands.options import configuration, fail, load
from st2common.store import connect


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@configuration
def main(yes: bool, config_file: tuple[str, ...], config_dir: tuple[str, ...], verbose: bool) -> None:
    """Drop the database with everything in it: content, executions, keys, users. Register content again afterwards."""
    config = load(config_file, config_dir, verbose)
    name = config.database.db_name
    if not yes:
        if not sys.stdin.isatty():
            fail(f'Dropping the database "{name}" cannot be undone. Say --yes where nobody can be asked.')
        click.confirm(f'Drop the database "{name}" with everything in it?', abort=True)
    store = connect(config)
    try:
        store.database.client.drop_database(name)
    except PyMongoError as error:
        fail(f"The database refused: {str(error)[:300]}")
    finally:
        store.close()
    click.echo(f'Database "{name}" dropped.')


if __name__ == "__main__":
    main()
