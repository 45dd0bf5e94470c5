"""``st2-generate-symmetric-crypto-key``: make a key file for the datastore."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from st2common.security.crypto import CryptoKey, write_key_file


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-k", "--key-path", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write the key to.")
@click.option("-f", "--force", is_flag=True, help="Overwrite a file that is there. What was encrypted with its key can no longer be read.")
def main(key_path: Path, force: bool) -> None:
    """Make a new AES-256 key with its signature key and write it to a file that only its owner can read."""
    try:
        write_key_file(key_path, CryptoKey.generate(), force=force)
    except FileExistsError:
        click.echo(
            f"There is a key at {key_path} already. With --force it is overwritten, and secrets stored with it cannot be read any more.", err=True
        )
        sys.exit(2)
    except OSError as error:
        click.echo(f"Cannot write {key_path}: {error.strerror}", err=True)
        sys.exit(1)
    click.echo(f"Key written to {key_path}.")


if __name__ == "__main__":
    main()
