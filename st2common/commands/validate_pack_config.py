"""``st2-validate-pack-config``: check a configuration file against a configuration schema."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from st2common.exceptions import Invalid
from st2common.packs import metadata
from st2common.packs.config import validate_config
from st2common.packs.reader import read_config

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--schema-path", required=True, type=_FILE, help="config.schema.yaml of a pack.")
@click.option("--config-path", required=True, type=_FILE, help="Configuration file to check.")
def main(schema_path: Path, config_path: Path) -> None:
    """Check a configuration file against the configuration schema of its pack."""
    try:
        schema = metadata.validate("config_schema", read_config(schema_path))
        validate_config(config_path.stem, read_config(config_path), schema, str(config_path))
    except Invalid as error:
        click.echo(f'Failed to validate config "{config_path}": {error.message}', err=True)
        sys.exit(1)
    click.echo(f'Config "{config_path}" successfully validated against schema in {schema_path}.')


if __name__ == "__main__":
    main()
