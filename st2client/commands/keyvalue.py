"""`st2 key`: the datastore (cli.md 5.3)."""

from __future__ import annotations

import json
import os
from typing import Any

from st2client.commandline import Argument, Command, Group, flag, number, value
from st2client.commands import output, resource
from st2client.commands.resource import ID_ONLY, Noun
from st2client.utils import date

NOUN = Noun("KeyValuePair", identifier="name", known_by=ID_ONLY)

LIST_ATTRIBUTES = ["name", "value", "secret", "encrypted", "scope", "user", "expire_timestamp"]
GET_ATTRIBUTES = ("name", "value", "secret", "encrypted", "scope", "expire_timestamp")
GET_ORDER = ("id", "name", "description")
SET_ATTRIBUTES = ("name", "value", "scope", "expire_timestamp")
LOAD_ATTRIBUTES = ("name", "value", "secret", "scope", "user", "ttl")


def _given(**params: Any) -> dict[str, Any]:
    return {name: item for name, item in params.items() if item}


def _list(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    params = _given(prefix=args.prefix, scope=args.scope, user=args.user, decrypt="true" if args.decrypt else None) | {"limit": args.last}
    pairs, total = manager.get_all_with_count(params=params)
    if output.structured(args):
        pairs.reverse()  # as recorded: JSON and YAML run the other way round
    transforms = {"expire_timestamp": date.format_isodate_for_user_timezone}
    output.print_many(args, pairs, args.attr, transforms=transforms, shows_empty_json=True)
    output.print_more_results_note(args, args.last, total, "key value pair", "key value pairs")


def _get(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    params = _given(scope=args.scope, decrypt="true" if args.decrypt else None)
    for pair in resource.fetch_each(manager, args.name, lambda name: manager.get_by_id(name, params=params)):
        output.print_one(args, pair, args.attr, GET_ORDER)


def _set(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    text = args.value or input("Please insert value for key: ")
    pair = manager.resource(name=args.name, value=text, scope=args.scope, user=args.user)
    if args.encrypt:
        pair.secret = True
    if args.encrypted:
        pair.encrypted = True
    if args.ttl:
        pair.ttl = args.ttl
    output.print_one(args, manager.update(pair), SET_ATTRIBUTES, SET_ATTRIBUTES)


def _delete(session: Any, args: Any) -> int | None:
    manager = NOUN.of(session.connect(args))
    params = _given(scope=args.scope, user=args.user)
    pair = manager.get_by_id(args.name, params=params)
    if pair is None:
        resource.print_not_found(manager, args.name)
        return 2
    manager.delete(pair, params=params)
    resource.print_deleted(args.name)
    return None


def _delete_by_prefix(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    pairs = manager.get_all(prefix=args.prefix, limit=-1)
    deleted = [pair.name for pair in pairs if manager.delete(pair)]
    print(f"Deleted {len(deleted)} keys")
    print(f"Deleted key ids: {', '.join(deleted)}")


def _load(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    data = resource.load_meta_file(os.path.abspath(args.file))
    loaded = []
    for item in data if isinstance(data, list) else [data]:
        pair = _pair_of_file(manager, item, convert=args.convert)
        manager.update(pair)
        loaded.append(pair)
    output.print_many(args, loaded, LOAD_ATTRIBUTES)


def _pair_of_file(manager: Any, item: Any, *, convert: bool) -> Any:
    if not isinstance(item, dict) or "name" not in item or "value" not in item:
        raise ValueError(f"Every item needs a name and a value; this one does not have them: {item!r}")
    text = item["value"]
    if not isinstance(text, str):
        if not convert:
            raise ValueError(
                f"Item '{item['name']}' has a value that is not a string. Either pass in the -c/--convert flag to convert non-string "
                "types into JSON strings automatically, or make it a string in the file."
            )
        text = json.dumps(text)
    pair = manager.resource(name=item["name"], value=text, scope=item.get("scope", "system"))
    for attribute in ("user", "secret", "encrypted", "ttl"):
        if item.get(attribute):
            setattr(pair, attribute, item[attribute])
    return pair


def _scope(default: str) -> Any:
    return value("-s", "--scope", metavar="SCOPE", default=default, help=f"Scope: system, user, all in lists ({default}).")


_user = value("-u", "--user", metavar="USER", help="User of keys in the user scope (administrators).")

group = Group(
    "key",
    [
        Command(
            "list",
            _list,
            [
                value("--prefix", metavar="PREFIX", help="Only names that start like this."),
                flag("-d", "--decrypt", help="Show secrets in the clear."),
                _scope("all"),
                _user,
                number("-n", "--last", default=50, metavar="N", help="How many (50; -1: all)."),
                *resource.list_options(LIST_ATTRIBUTES),
                *resource.common_options(),
            ],
            "List keys.",
        ),
        Command(
            "get",
            _get,
            [
                Argument("name", nargs="+", help="Which ones."),
                flag("-d", "--decrypt", help="Show a secret in the clear."),
                _scope("system"),
                resource.attribute_option(GET_ATTRIBUTES),
                *resource.common_options(),
            ],
            "Show keys.",
        ),
        Command(
            "set",
            _set,
            [
                Argument("name", help="Key."),
                Argument("value", nargs="?", help="Value; asked for when it is not given."),
                flag("-e", "--encrypt", group="encryption", help="Store the value encrypted."),
                flag("--encrypted", group="encryption", help="The value is cipher text already."),
                number("-l", "--ttl", metavar="SECONDS", help="Forget the key after this time."),
                _scope("system"),
                _user,
                *resource.common_options(),
            ],
            "Create or change a key.",
        ),
        Command("delete", _delete, [Argument("name", help="Which one."), _scope("system"), _user, *resource.common_options()], "Delete a key."),
        Command(
            "delete_by_prefix",
            _delete_by_prefix,
            [
                value("-p", "--prefix", metavar="PREFIX", required=True, help="Names that start like this."),
                *resource.common_options(),
            ],
            "Delete all keys whose names start alike.",
        ),
        Command(
            "load",
            _load,
            [
                Argument("file", help="JSON or YAML file."),
                flag("-c", "--convert", help="Store values that are no strings as JSON."),
                *resource.common_options(),
            ],
            "Create or change keys from a file.",
        ),
        resource.clone_command("key"),
    ],
    "The datastore.",
)
