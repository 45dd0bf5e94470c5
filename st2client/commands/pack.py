"""`st2 pack` (cli.md 5.4)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import click

from st2client.commandline import Argument, Command, Group, flag, words
from st2client.commands import execution_output, output, resource
from st2client.commands.pack_progress import wait_with_tasks
from st2client.commands.resource import ID_OR_NAME, Noun
from st2client.completion import references
from st2client.exceptions.operations import OperationFailureException
from st2client.formatters import doc, table

LIST_ATTRIBUTES = ["ref", "name", "description", "version", "author"]
SEARCH_ATTRIBUTES = ["name", "description", "version", "author"]
GET_ATTRIBUTES = ("name", "version", "author", "email", "keywords", "description")

NOUN = Noun("Pack", identifier="ref", known_by=ID_OR_NAME, display_order=GET_ATTRIBUTES, get_attributes=GET_ATTRIBUTES)

CONTENT_KINDS = ("actions", "rules", "sensors", "aliases", "triggers")


def _print_index_content(manager: Any, name: str) -> None:
    """Say what the index knows to be in a pack; silent when it knows nothing or cannot be asked."""
    pack = manager.search(SimpleNamespace(pack=name), ignore_errors=True)
    content = getattr(pack, "content", None)
    if not content:
        return
    print(f'\nThe "{name}" pack has the following content:\n')
    for kind in CONTENT_KINDS:
        count = (content.get(kind) or {}).get("count")
        if count:
            print(f"{kind.ljust(10)}|{str(count).rjust(4)}")
    print("\nInstallation may take a while for packs with many items.")


def _run_operation(client: Any, started: Any, args: Any) -> Any:
    """Wait for the execution of an installation or removal; None when it failed (then it has been printed)."""
    execution = wait_with_tasks(client, started.execution_id, quiet=output.structured(args))
    if execution.status == "succeeded":
        return execution
    display = SimpleNamespace(
        json=args.json, yaml=args.yaml, width=args.width, key=None, raw=False, show_tasks=False, depth=1, detail=False, with_schema=False,
        attr=execution_output.GET_ATTRIBUTES,
    )  # fmt: skip
    print("")
    execution_output.print_execution(client, execution, display, attributes=execution_output.GET_ATTRIBUTES, with_elapsed=False)
    return None


def _print_packs(args: Any, packs: Sequence[Any]) -> None:
    attributes = output.ALL if args.detail else args.attr
    if len(packs) == 1:
        output.print_one(args, packs[0], attributes, attributes)
    else:
        output.print_many(args, packs, attributes)


def _result_output(execution: Any) -> dict[str, Any]:
    result = execution.result if isinstance(getattr(execution, "result", None), dict) else {}
    found = result.get("output")
    return found if isinstance(found, dict) else {}


def _install(session: Any, args: Any) -> int | None:
    client = session.connect(args)
    manager = client.managers["Pack"]
    if not output.structured(args):
        for name in args.pack:
            if not name.startswith("file://"):
                _print_index_content(manager, name)
    started = manager.install(list(args.pack), force=args.force, skip_dependencies=args.skip_dependencies)
    execution = _run_operation(client, started, args)
    if execution is None:
        return 1
    result = _result_output(execution)
    names = result.get("packs_list") or [_pack_name(name) for name in args.pack]
    packs = [pack for pack in (manager.get_by_ref_or_id(name) for name in names) if pack is not None]
    _print_packs(args, packs)
    if not output.structured(args):
        for warning in result.get("warning_list") or []:
            print(warning)
    return None


def _pack_name(source: str) -> str:
    """Name of a pack given as `name=version`, URL or path."""
    return os.path.basename(source.split("=", 1)[0].rstrip("/")).removesuffix(".git").removeprefix("stackstorm-")


def _remove(session: Any, args: Any) -> int | None:
    client = session.connect(args)
    manager = client.managers["Pack"]
    packs = [pack for pack in (manager.get_by_ref_or_id(name) for name in args.pack) if pack is not None]
    if _run_operation(client, manager.remove(list(args.pack)), args) is None:
        return 1
    if packs:
        _print_packs(args, packs)
    else:
        output.print_many(args, [], args.attr)
    return None


def _register(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    counts = resource.carry_out(lambda: manager.register(list(args.pack), list(args.types)))
    output.print_one(args, counts)


def _show(session: Any, args: Any) -> int | None:
    manager = NOUN.of(session.connect(args))
    pack = resource.carry_out(lambda: manager.search(args))
    if not pack:
        resource.print_not_found(manager, args.pack)
        return 2
    output.print_one(args, pack, display_order=GET_ATTRIBUTES)
    return None


def _search(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    output.print_many(args, manager.search(args), args.attr)


def _config(session: Any, args: Any) -> None:
    from st2client.utils.interactive import InteractiveForm

    client = session.connect(args)
    schema = client.managers["ConfigSchema"].get_by_ref_or_id(args.name)
    if schema is None:
        raise OperationFailureException(f"Pack \"{args.name}\" doesn't exist or doesn't have a config schema defined.")
    values = InteractiveForm(schema.attributes).initiate_dialog()
    config = client.managers["Config"].resource(pack=args.name, values=values)
    if click.confirm("~~~ Do you want to preview the config in an editor before saving?", default=True):
        edited = click.edit(doc.to_yaml(values, indent=2) + "\n", extension=".yaml")
        if edited is not None:
            config.values = _edited_values(edited)
    print(doc.to_yaml(masked_secrets(config.values, schema.attributes), indent=2))
    if not click.confirm("~~~ Do you want me to save it?", default=True):
        raise OperationFailureException("Interrupted. The configuration was not saved.")
    saved = client.managers["Config"].update(config)
    output.print_one(args, saved, ("pack", "values"), ("pack", "values"))


def masked_secrets(values: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """Configuration values without those the schema calls secret, for the screen."""
    shown = {}
    for name, item in values.items():
        schema = attributes.get(name) or {}
        if schema.get("secret") and item is not None:
            item = table.MASK
        elif isinstance(item, dict):
            item = masked_secrets(item, schema.get("properties") or {})
        shown[name] = item
    return shown


def _edited_values(text: str) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"The edited configuration is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError("The edited configuration is no object.")
    return values


def _operation_options() -> list[Any]:
    default = tuple(LIST_ATTRIBUTES)
    return [
        resource.width_option(),
        words("--attr", group="display", metavar="ATTR...", default=default, help=f"Attributes to show ({' '.join(default)})."),
        flag("-d", "--detail", group="display", help="Show all attributes."),
        *resource.common_options(),
    ]


group = Group(
    "pack",
    [
        resource.list_command(NOUN, LIST_ATTRIBUTES, "List packs.", partial=True),
        resource.get_command(NOUN, "Show packs."),
        Command("show", _show, [Argument("pack", help="Name in the index."), *resource.common_options()], "Show a pack of the index."),
        Command(
            "search",
            _search,
            [Argument("query", help="Words to look for."), *resource.list_options(SEARCH_ATTRIBUTES), *resource.common_options()],
            "Search the index of packs.",
        ),
        Command(
            "install",
            _install,
            [
                Argument("pack", nargs="+", help="Name in the index, name=version, git URL (url=ref) or file:///path."),
                flag("--force", help="Install even if the pack does not fit this platform's version."),
                flag("--skip-dependencies", help="Do not install the packs it depends on."),
                *_operation_options(),
            ],
            "Install packs.",
        ),
        Command(
            "remove",
            _remove,
            [Argument("pack", nargs="+", help="Which ones.", shell_complete=references("Pack")), *_operation_options()],
            "Remove packs.",
        ),
        Command(
            "register",
            _register,
            [
                Argument("pack", nargs="*", help="Which ones (all).", shell_complete=references("Pack")),
                words("--types", metavar="TYPE...", help="Only these kinds of content."),
                *resource.common_options(),
            ],
            "Register content of packs from disk.",
        ),
        Command(
            "config",
            _config,
            [Argument("name", help="Pack.", shell_complete=references("Pack")), *resource.common_options()],
            "Configure a pack, question by question.",
        ),
    ],
    "Packs.",
)
