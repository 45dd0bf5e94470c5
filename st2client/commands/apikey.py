"""`st2 apikey` (cli.md 5.9)."""

from __future__ import annotations

import json
from typing import Any

from st2client.commandline import Argument, Command, Group, flag, value
from st2client.commands import output, resource
from st2client.commands.resource import ID_ONLY, Noun

NOUN = Noun("ApiKey", identifier="key-or-id", known_by=ID_ONLY, display_order=("id", "user", "metadata"))

LIST_ATTRIBUTES = ["id", "user", "metadata"]


def _list(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    params = {"show_secrets": "true" if args.show_secrets else None, "user": args.user}
    keys = manager.get_all(params={name: item for name, item in params.items() if item})
    output.print_many(args, keys, output.ALL if args.detail else args.attr)


def _create(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    body: dict[str, Any] = {"metadata": json.loads(args.metadata)}
    if args.user:
        body["user"] = args.user
    key = manager.create(manager.resource(**body))
    if args.only_key:
        print(key.key)
    else:
        output.print_one(args, key, display_order=NOUN.detail_order)


def _delete(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    key = manager.get_by_id(args.key_or_id)
    if key is None:
        raise resource.ResourceNotFoundError("'NoneType' object has no attribute 'id': there is no such API key.")
    manager.delete(key)
    resource.print_deleted(args.key_or_id)


def _load(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    data = resource.load_meta_file(args.file)
    loaded = []
    for entry in data if isinstance(data, list) else [data]:
        key = manager.resource(**entry)
        known = manager.get_by_id(key.id) if getattr(key, "id", None) else None
        loaded.append(manager.update(key) if known is not None else manager.create(key))
    output.print_many(args, loaded, LIST_ATTRIBUTES)


group = Group(
    "apikey",
    [
        Command(
            "list",
            _list,
            [
                value("-u", "--user", metavar="USER", help="Only of this user."),
                flag("-d", "--detail", help="Show all attributes."),
                flag("--show-secrets", help="Show secrets (administrators)."),
                *resource.list_options(LIST_ATTRIBUTES),
                *resource.common_options(),
            ],
            "List API keys.",
        ),
        resource.get_command(NOUN, "Show API keys."),
        Command(
            "create",
            _create,
            [
                value("-u", "--user", metavar="USER", default="", help="User the key is for (yourself)."),
                value("-m", "--metadata", metavar="JSON", default="{}", help="Anything worth keeping with the key."),
                flag("-k", "--only-key", help="Print the key and nothing else."),
                *resource.common_options(),
            ],
            "Create an API key; it is shown once.",
        ),
        Command("delete", _delete, [Argument("key-or-id", help="Which one."), *resource.common_options()], "Delete an API key."),
        resource.enable_command(NOUN, "Enable an API key."),
        resource.disable_command(NOUN, "Disable an API key."),
        Command(
            "load",
            _load,
            [Argument("file", help="JSON or YAML file."), resource.width_option(), *resource.common_options()],
            "Create API keys from a file.",
        ),
        resource.clone_command("apikey"),
    ],
    "API keys.",
)
