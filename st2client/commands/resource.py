"""Commands that most nouns have: list, get, create, update, delete, enable, disable, clone (cli.md 1 and 2)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from st2client.commandline import Argument, Command, Option, flag, value, words
from st2client.commands import output
from st2client.commands.suggestions import did_you_mean
from st2client.completion import references
from st2client.exceptions.operations import OperationFailureException

ALLOWED_EXTS = [".json", ".yaml", ".yml"]

ID_OR_REFERENCE, ID_OR_NAME, ID_ONLY = "id or reference", "id or name", "id"


class ResourceNotFoundError(Exception):
    """There is no such resource."""


class Noun(NamedTuple):
    """A kind of resource as the commands know it.

    Args:
        manager: key in `Client.managers`.
        identifier: title of the argument that names one.
        known_by: what identifies one, in messages.
        display_order: first properties of the table of one object.
        get_attributes: default attributes of `get`.
    """

    manager: str
    identifier: str = "ref-or-id"
    known_by: str = ID_OR_REFERENCE
    display_order: tuple[str, ...] = ("id", "name", "pack", "description")
    get_attributes: tuple[str, ...] = output.ALL
    detail_order: tuple[str, ...] = ("id", "name", "pack", "description")

    def argument(self, nargs: str = "", help: str = "Which one.") -> Argument:
        """The argument that names one, completed from the server where it is no id."""
        attribute = {ID_OR_REFERENCE: "ref", ID_OR_NAME: "name"}.get(self.known_by)
        settings = {"shell_complete": references(self.manager, attribute)} if attribute else {}
        return Argument(self.identifier, nargs=nargs, help=help, **settings)

    def of(self, client: Any) -> Any:
        """Manager of this noun."""
        return client.managers[self.manager]


def common_options() -> list[Any]:
    """Options every command has."""
    return [
        value("-t", "--token", metavar="TOKEN", help="Access token (ST2_AUTH_TOKEN)."),
        value("--api-key", metavar="KEY", help="API key (ST2_API_KEY)."),
        flag("-j", "--json", help="Print JSON."),
        flag("-y", "--yaml", help="Print YAML."),
    ]


def attribute_option(default: Sequence[str]) -> Any:
    """`-a/--attr`."""
    return words("-a", "--attr", metavar="ATTR...", default=tuple(default), help=f"Attributes to show, or 'all' ({' '.join(default)}).")


def pack_option() -> Option:
    """`-p/--pack` of lists."""
    return value("-p", "--pack", metavar="PACK", help="Only of this pack.", shell_complete=references("Pack"))


def width_option() -> Any:
    """`-w/--width`."""
    from st2client.commandline import Integer

    return words("-w", "--width", metavar="WIDTH...", type=Integer(), help="Width of all columns, or of each.")


def list_options(attributes: Sequence[str]) -> list[Any]:
    """Options of a list."""
    return [attribute_option(attributes), width_option()]


def include_attributes(attributes: Sequence[str], extra: Sequence[str] = ()) -> dict[str, str]:
    """Query that asks only for what is shown."""
    if "all" in attributes:
        return {}
    return {"include_attributes": ",".join(dict.fromkeys([*extra, *attributes]))}


def fetch(manager: Any, identifier: str) -> Any:
    """One resource. As recorded, every error but 401 and 403 counts as "not found".

    Raises:
        ResourceNotFoundError
    """
    import http.client

    try:
        found = manager.get_by_id(identifier)
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is None or status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise
        found = None
    if found is None:
        raise ResourceNotFoundError(f"Resource {identifier} not found.")
    return found


def print_not_found(manager: Any, identifier: str) -> None:
    """Say that there is no such resource."""
    print(f'{manager.resource.get_display_name()} "{identifier}" is not found.\n')


def fetch_each(manager: Any, identifiers: Sequence[str], look_up: Callable[[str], Any] | None = None) -> list[Any]:
    """Those of several resources that there are; for each other one a line says so, first of all (as recorded).

    Args:
        look_up: fetches one, raising `ResourceNotFoundError` or returning None when it is not there; default `fetch`.

    Raises:
        ResourceNotFoundError: only one was asked for, and it is not there.
    """
    found = []
    for identifier in identifiers:
        try:
            one = look_up(identifier) if look_up else fetch(manager, identifier)
            if one is None:
                raise ResourceNotFoundError(f"Resource {identifier} not found.")
        except ResourceNotFoundError as error:
            print_not_found(manager, identifier)
            if len(identifiers) == 1:
                raise ResourceNotFoundError(f"{error}{did_you_mean(manager, identifier)}") from error
        else:
            found.append(one)
    return found


def get_existing(noun: Noun, manager: Any, identifier: str) -> Any:
    """One resource that has to be there, by the words of commands that change it."""
    try:
        return fetch(manager, identifier)
    except ResourceNotFoundError as error:
        hint = did_you_mean(manager, identifier)
        raise ResourceNotFoundError(f'Resource with {noun.known_by} "{identifier}" doesn\'t exist.{hint}') from error


def load_meta_file(path: str) -> Any:
    """Content of a JSON or YAML file. Raises `ValueError` naming what is wrong with it."""
    if not os.path.isfile(path):
        raise ValueError(f'File "{path}" does not exist.')
    extension = os.path.splitext(path)[1].lower()
    if extension not in ALLOWED_EXTS:
        raise ValueError(f"Unsupported meta type {extension}, file {path}. Allowed: {ALLOWED_EXTS}")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return json.loads(text) if extension == ".json" else _yaml(text)
    except ValueError as error:
        raise ValueError(f'File "{path}" is not valid: {error}') from error


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def load_resource_file(path: str) -> dict[str, Any]:
    """As `load_meta_file`, for a file that describes one resource."""
    data = load_meta_file(path)
    if not isinstance(data, dict):
        raise ValueError(f'File "{path}" describes no resource: an object is expected, found {type(data).__name__}.')
    return data


def list_command(
    noun: Noun,
    attributes: Sequence[str],
    help: str,
    *,
    options: Sequence[Any] = (),
    query: Callable[[Any], dict[str, Any]] | None = None,
    partial: bool = False,
    transforms: Callable[[], dict[str, Any]] | None = None,
) -> Command:
    """`<noun> list`.

    Args:
        attributes: default columns.
        options: filters.
        query: query parameters from the arguments.
        partial: ask the server only for the attributes shown.
        transforms: how values of some attributes are shown in tables.
    """

    def run(session: Any, args: Any) -> None:
        manager = noun.of(session.connect(args))
        params = {name: item for name, item in (query(args) if query else {}).items() if item is not None}
        if partial:
            params |= include_attributes(args.attr)
        limit = getattr(args, "last", None)
        if limit is not None:
            params["limit"] = limit
        resources, total = manager.get_all_with_count(params=params)
        output.print_many(args, resources, args.attr, transforms=transforms() if transforms else None)
        if limit is not None:
            model = manager.resource
            output.print_more_results_note(args, limit, total, model.get_alias().lower(), model.get_plural_name().lower())

    return Command("list", run, [*options, *list_options(attributes), *common_options()], help)


def get_command(noun: Noun, help: str) -> Command:
    """`<noun> get`."""

    def run(session: Any, args: Any) -> None:
        manager = noun.of(session.connect(args))
        for resource in fetch_each(manager, getattr(args, noun.identifier.replace("-", "_"))):
            output.print_one(args, resource, args.attr, noun.display_order)

    parameters = [noun.argument("+", "Which ones."), attribute_option(noun.get_attributes), *common_options()]
    return Command("get", run, parameters, help)


def create_command(noun: Noun, help: str) -> Command:
    """`<noun> create`."""

    def run(session: Any, args: Any) -> None:
        manager = noun.of(session.connect(args))
        created = carry_out(lambda: manager.create(manager.resource(**load_resource_file(args.file))))
        output.print_one(args, created, display_order=noun.detail_order)

    return Command("create", run, [Argument("file", help="JSON or YAML file."), *common_options()], help)


def carry_out(operation: Callable[[], Any]) -> Any:
    """Result of an operation whose errors end the command with exit code 2."""
    import requests

    try:
        return operation()
    except (requests.exceptions.RequestException, ValueError) as error:
        raise OperationFailureException(str(error)) from error


def update_command(noun: Noun, help: str, *, find: Callable[[Noun, Any, str], Any] = get_existing) -> Command:
    """`<noun> update`."""

    def run(session: Any, args: Any) -> None:
        manager = noun.of(session.connect(args))
        existing = find(noun, manager, getattr(args, noun.identifier.replace("-", "_")))
        data = load_resource_file(args.file)
        if "id" in data and data["id"] != existing.id:
            name = manager.resource.get_display_name().lower()
            raise ValueError(f"The value for the {name} id in the JSON/YAML file does not match the ID provided in the command line arguments.")
        updated = manager.update(manager.resource(**{**data, "id": existing.id}))
        output.print_one(args, updated, display_order=noun.detail_order)

    parameters = [noun.argument(), Argument("file", help="JSON or YAML file."), *common_options()]
    return Command("update", run, parameters, help)


def print_deleted(identifier: str) -> None:
    """Say that it is gone."""
    print(f'Resource with id "{identifier}" has been successfully deleted.')


def delete_command(noun: Noun, help: str, *, find: Callable[[Noun, Any, str], Any] | None = None) -> Command:
    """`<noun> delete`; exit code 2 when it is not there."""

    def run(session: Any, args: Any) -> int | None:
        manager = noun.of(session.connect(args))
        identifier = getattr(args, noun.identifier.replace("-", "_"))
        try:
            existing = find(noun, manager, identifier) if find else fetch(manager, identifier)
        except ResourceNotFoundError:
            print_not_found(manager, identifier)
            return 2
        manager.delete(existing)
        print_deleted(identifier)
        return None

    return Command("delete", run, [noun.argument(), *common_options()], help)


def _switch_command(noun: Noun, name: str, enabled: bool, help: str) -> Command:
    def run(session: Any, args: Any) -> None:
        manager = noun.of(session.connect(args))
        resource = get_existing(noun, manager, getattr(args, noun.identifier.replace("-", "_")))
        vars(resource).pop("ref", None)
        resource.enabled = enabled
        output.print_one(args, manager.update(resource), display_order=noun.detail_order)

    return Command(name, run, [noun.argument(), *common_options()], help)


def enable_command(noun: Noun, help: str) -> Command:
    """`<noun> enable`."""
    return _switch_command(noun, "enable", True, help)


def disable_command(noun: Noun, help: str) -> Command:
    """`<noun> disable`."""
    return _switch_command(noun, "disable", False, help)


def clone_command(noun_name: str) -> Command:
    """`<noun> clone` of nouns that have none: upstream lists it everywhere."""

    def run(session: Any, args: Any) -> None:
        raise NotImplementedError(f"clone '{noun_name}' is not implemented.")

    return Command("clone", run, [Argument("arguments", nargs="*"), *common_options()], "Not available for this kind of resource.")
