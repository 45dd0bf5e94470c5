"""What the commands of one invocation share: settings, the client, credentials."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from st2client import config, config_parser

if TYPE_CHECKING:
    from st2client.client import Client

_TRUE, _FALSE = ("true", "1", "t", "y", "yes"), ("false", "0", "f", "no")


class Session:
    """One invocation of `st2`.

    Args:
        options: global options (None: not given): base_url, api_url, auth_url, stream_url, api_version, cacert, basic_auth,
            config_file, skip_config, debug.

    Raises:
        ValueError: the configuration file cannot be used.
    """

    def __init__(self, options: Any) -> None:
        self.options = options
        self.debug: bool = bool(options.debug)
        self.skip_config = bool(options.skip_config) or os.environ.get("ST2_CLI_SKIP_CONFIG", "0").lower() in _TRUE
        self.config_path = config_parser.get_config_file_path(options.config_file)
        path = os.devnull if self.skip_config else self.config_path
        self.config = config_parser.CLIConfigParser(path).parse()
        config.set_config(self.config)
        self._client: Client | None = None

    def _setting(self, option: str, section: str, name: str) -> Any:
        """Command line before file; the environment comes last, inside `Client` (cli.md 1, as recorded)."""
        given = getattr(self.options, option)
        return given if given is not None else self.config[section][name]

    def client(self, *, login: bool = True) -> Client:
        """The client, made on first use.

        Args:
            login: use user name and password of the configuration file when nothing else identifies the user.

        Raises:
            ValueError: unusable `--cacert` or `--basic-auth`.
        """
        if self._client is None:
            from st2client.client import Client

            self._client = Client(
                base_url=self._setting("url", "general", "base_url"),
                auth_url=self._setting("auth_url", "auth", "url"),
                api_url=self._setting("api_url", "api", "url"),
                stream_url=self._setting("stream_url", "stream", "url"),
                api_version=self._setting("api_version", "general", "api_version"),
                cacert=_cacert(self._setting("cacert", "general", "cacert") or os.environ.get("ST2_CACERT")),
                debug=self.debug,
                api_key=self.config["credentials"]["api_key"],
                basic_auth=self._setting("basic_auth", "credentials", "basic_auth"),
            )
            self._warn_of_unverified_https(self._client)
            if login:
                self._log_in(self._client)
        return self._client

    def connect(self, args: Any) -> Client:
        """The client for a command with the usual options; `--token` and `--api-key` come first."""
        token, api_key = getattr(args, "token", None), getattr(args, "api_key", None)
        client = self.client(login=not (token or api_key))
        if token:
            os.environ["ST2_AUTH_TOKEN"] = token
        if api_key:
            os.environ["ST2_API_KEY"] = api_key
        return client

    def _log_in(self, client: Client) -> None:
        if self.skip_config or os.environ.get("ST2_AUTH_TOKEN") or os.environ.get("ST2_API_KEY"):
            return
        if not self.config["credentials"]["username"]:
            return
        from st2client import credentials

        token = credentials.login_from_config(client, self.config)
        if token:
            client.token = os.environ["ST2_AUTH_TOKEN"] = token

    def _warn_of_unverified_https(self, client: Client) -> None:
        secure = any(url.startswith("https:") for url in client.endpoints.values())
        if secure and not client.cacert and not self.config["general"]["silence_ssl_warnings"]:
            print("WARNING: Certificates of https services are not verified; --cacert or ST2_CACERT names the CA to trust.", file=sys.stderr)

    def describe(self) -> str:
        """Settings in force, shown after an error with `--debug`. Credentials are masked."""
        endpoints = self._client.endpoints if self._client is not None else {}
        lines = ["CLI settings:", "----------------", f"Config file path: {self.config_path}", "Client settings:", "----------------"]
        for variable, key in (("ST2_BASE_URL", "base"), ("ST2_AUTH_URL", "auth"), ("ST2_API_URL", "api"), ("ST2_STREAM_URL", "stream")):
            lines.append(f"{variable}: {endpoints.get(key)}")
        lines.append(f"ST2_AUTH_TOKEN: {'********' if os.environ.get('ST2_AUTH_TOKEN') else None}")
        lines += ["", "Proxy settings:", "---------------"]
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            lines.append(f"{variable}: {os.environ.get(variable) or os.environ.get(variable.lower()) or ''}")
        return "\n".join(lines)


def _cacert(value: Any) -> str | bool | None:
    """Path, or a boolean in words. False means: do not verify."""
    if not isinstance(value, str):
        return value
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    return value
