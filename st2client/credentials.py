"""Tokens of the command line: where they come from and where they are kept (cli.md 7)."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time
from typing import Any, TextIO

from st2client.config_parser import ST2_CONFIG_DIRECTORY_MODE, ST2_CONFIG_FILE_MODE, get_config_directory

EXPIRY_MARGIN_S = 15
"""A cached token is not used in its last seconds, so that it does not expire on the way."""


def open_private(path: str) -> TextIO:
    """Open a file for writing that only its owner and group may read; its folder is made likewise."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.makedirs(directory)
        os.chmod(directory, ST2_CONFIG_DIRECTORY_MODE)  # explicit: makedirs obeys the umask and drops the setgid bit
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, ST2_CONFIG_FILE_MODE)
    os.fchmod(descriptor, ST2_CONFIG_FILE_MODE)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def token_path(username: str) -> str:
    """File of the cached token of a user."""
    return os.path.join(get_config_directory(), f"token-{username}")


def fingerprint(auth_url: str, password: str | None) -> str:
    """Tells logins apart that the file name does not: other servers, and other passwords at the same one (a platform made anew)."""
    return hashlib.sha256(f"{auth_url}\0{password or ''}".encode()).hexdigest()[:8]


def cached_token(username: str, login: str | None = None) -> str | None:
    """Token of an earlier login that is still good for a while, or None.

    Args:
        username: whose token.
        login: fingerprint of the login it has to come from; a file without one (of an older client) is used anyway.

    Raises:
        ValueError: the file is corrupt.
    """
    path = token_path(username)
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        print(f"WARNING: Cached token {path} cannot be read and is ignored: {error.strerror}", file=sys.stderr)
        return None
    if mode & stat.S_IWOTH:
        print(f"WARNING: Cached token {path} may be changed by others; 'chmod 660 {path}' protects it.", file=sys.stderr)
    try:
        content = json.loads(text)
        usable = content["expire_timestamp"] - EXPIRY_MARGIN_S > time.time()
        if login is not None and "login" in content and content["login"] != login:
            return None
        return content["token"] if usable else None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'File "{path}" with the cached token is corrupted. Please delete it and log in again.') from error


def cache_token(token: Any, login: str) -> None:
    """Keep a token (model with `user`, `token`, `expiry`) for later commands, with the fingerprint of its login."""
    from st2client.utils import date

    content = {"token": token.token, "expire_timestamp": int(date.parse(token.expiry).timestamp()), "login": login}
    try:
        with open_private(token_path(token.user)) as file:
            json.dump(content, file)
    except OSError as error:
        print(f"WARNING: The token is not cached, every command will ask for a new one: {error}", file=sys.stderr)


def login_from_config(client: Any, values: dict[str, dict[str, Any]]) -> str | None:
    """Token for the user of the configuration file: cached, else fetched with the password there; None when there is neither.

    Raises:
        requests.exceptions.HTTPError: the auth service refused the password.
    """
    credentials = values["credentials"]
    username, password = credentials["username"], credentials["password"]
    if not username:
        return None
    auth_url = client.endpoints["auth"]
    login = fingerprint(auth_url, password)
    token = cached_token(username, login) if values["cli"]["cache_token"] else None
    if token or not password:
        return token
    import requests

    from st2client.models import Token

    try:
        fetched = client.managers["Token"].create(Token(), auth=(username, password))
    except requests.exceptions.ConnectionError as error:
        # As upstream: the command goes on unauthenticated, which is enough where authentication is off.
        print(f"WARNING: Cannot log in as {username}: {error}", file=sys.stderr)
        return None
    cache_token(fetched, login)
    return fetched.token
