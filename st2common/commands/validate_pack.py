"""``st2-validate-pack``: check a pack's files without registering them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from st2common.exceptions import Invalid
from st2common.packs.reader import CONFIG_SCHEMA, DIRECTORIES, MANIFEST, PackDirectory, Problem, read_config_schema, read_kind, read_manifest
from st2common.packs.yaml_file import YamlProblem, read


def problems_of(pack: PackDirectory) -> Iterator[Problem]:
    """Everything that is wrong with a pack: manifest, configuration schema, metadata files."""
    for kind, file, step in (("pack", MANIFEST, read_manifest), ("config_schema", CONFIG_SCHEMA, read_config_schema)):
        try:
            step(pack)
        except Invalid as error:
            yield Problem(kind, pack.name, str(pack.path / file), _line(pack.path / file, error.path), error.message)
    for kind in DIRECTORIES:
        for found in read_kind(pack, kind):
            if isinstance(found, Problem):
                yield found


def _line(file: Path, path: str) -> int | None:
    try:
        return read(file).line_of(path) if path else None
    except YamlProblem as problem:
        return problem.line


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-p", "--pack-path", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of the pack.")
def main(pack_path: Path) -> None:
    """Check the manifest, the configuration schema and all metadata files of a pack. Ends with 1 when something is wrong."""
    pack = PackDirectory(pack_path.resolve())
    count = 0
    for problem in problems_of(pack):
        count += 1
        place = f'"{problem.file}", line {problem.line}' if problem.line else f'"{problem.file}"'
        click.echo(f'ERROR: {problem.reason} for file "{Path(problem.file).name}" at {place}', err=True)
    if count:
        sys.exit(1)
    click.echo(f'Pack "{pack.name}" is valid.')


if __name__ == "__main__":
    main()
