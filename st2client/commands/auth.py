"""`st2 auth`, `st2 login`, `st2 whoami` (cli.md 5.9)."""

from __future__ import annotations

from typing import Any

from st2client.commandline import Argument, Command, flag, number, value
from st2client.commands import output

TOKEN_ATTRIBUTES = ("user", "token", "expiry")

_NOTES = """
Note: You didn't use --write-password option so the password is not stored in the config and you will need to authenticate \
again when the token expires, by default after 24 hours.

Use --write-password option to store the password in the config file and have new tokens fetched for you; the file is then only \
readable by you and your group, and the password is in it as plain text."""


def _request_token(session: Any, args: Any) -> Any:
    from st2client.models import Token

    client = session.client(login=False)
    password = args.password
    if not password:
        import getpass

        password = getpass.getpass()
    token = Token()
    if args.ttl is not None:
        token.ttl = args.ttl
    return client.managers["Token"].create(token, auth=(args.username, password))


def _auth(session: Any, args: Any) -> None:
    token = _request_token(session, args)
    if args.only_token:
        print(token.token)
    else:
        output.print_one(args, token, TOKEN_ATTRIBUTES, TOKEN_ATTRIBUTES)


def _login(session: Any, args: Any) -> None:
    import requests

    from st2client import config_parser, credentials

    try:
        token = _request_token(session, args)
    except requests.exceptions.RequestException as error:
        raise RuntimeError(f"Failed to log in as {args.username}: {error}") from error
    kept = args.password if args.write_password else None
    credentials.cache_token(token, credentials.fingerprint(session.client(login=False).endpoints["auth"], kept))
    config_parser.save_credentials(session.config_path, args.username, kept)
    print(f"Logged in as {args.username}")
    if not args.write_password:
        print(_NOTES)


_METHODS = {"authentication token": "authentication token", "api key": "API key"}


def _whoami(session: Any, args: Any) -> None:
    import requests

    try:
        user = session.client().get_user_info()
    except (requests.exceptions.RequestException, ValueError) as error:
        print("Unable to retrieve currently logged-in user")
        if session.debug:
            print(error)
        return  # exit code 0, as recorded (cli.md 1)
    authentication = user["authentication"]
    print(f'Currently logged in as "{user["username"]}".\n')
    print(f"Authentication method: {_METHODS.get(authentication['method'].lower(), authentication['method'])}")
    if authentication.get("token_expire"):
        print(f"Authentication token expire time: {authentication['token_expire']}")
    rbac = user["rbac"]
    print(f"\nRBAC:\n - Enabled: {rbac['enabled']}\n - Roles: {', '.join(rbac['roles'])}")


def _formats() -> list[Any]:
    return [flag("-j", "--json", help="Print JSON."), flag("-y", "--yaml", help="Print YAML.")]


def _password_options() -> list[Any]:
    return [
        Argument("username", help="User to log in as."),
        value("-p", "--password", metavar="PASSWORD", help="Password; asked for when it is not given."),
        number("-l", "--ttl", metavar="SECONDS", help="Lifetime of the token."),
    ]


auth = Command(
    "auth",
    _auth,
    [*_password_options(), flag("-t", "--only-token", help="Print the token and nothing else."), *_formats()],
    "Get an access token.",
)

login = Command(
    "login",
    _login,
    [*_password_options(), flag("-w", "--write-password", help="Store the password in the configuration file."), *_formats()],
    "Log in and remember it for the commands to come.",
)

whoami = Command("whoami", _whoami, _formats(), "Show who is logged in.")

__all__ = ["auth", "login", "whoami"]
