"""``st2-trigger-refire``: dispatch a stored event again, as it was (reactor.md 6.7)."""

from __future__ import annotations

import click

from st2common.commands.options import configuration, fail, load
from st2common.exceptions import St2Error
from st2common.platform import Platform
from st2common.refs import is_object_id


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-t", "--trigger-instance-id", required=True, metavar="ID", help="Id of the trigger instance.")
@configuration
def main(trigger_instance_id: str, config_file: tuple[str, ...], config_dir: tuple[str, ...], verbose: bool) -> None:
    """Dispatch the payload of a trigger instance again; it makes a new trigger instance."""
    platform = Platform(load(config_file, config_dir, verbose))
    try:
        instance = platform.store.instances.get(trigger_instance_id) if is_object_id(trigger_instance_id) else None
        if instance is None:
            fail(f'There is no trigger instance with id "{trigger_instance_id}".')
        platform.dispatcher.dispatch(instance.trigger, instance.payload)
    except St2Error as error:
        fail(error.message)
    finally:
        platform.close()
    click.echo("'Trigger re-fired'")


if __name__ == "__main__":
    main()
