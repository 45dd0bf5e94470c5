"""Entry point of the library: `Client` (pyclient.md 2)."""

from __future__ import annotations

import os
import warnings
from typing import Any

from st2client import models
from st2client.models import core
from st2client.utils import httpclient

__all__ = ["Client"]

DEFAULT_API_PORT = 9101
DEFAULT_AUTH_PORT = 9100
DEFAULT_STREAM_PORT = 9102

DEFAULT_BASE_URL = "http://127.0.0.1"
DEFAULT_API_VERSION = "v1"


def split_basic_auth(value: str | None) -> tuple[str, str] | None:
    """`user:password` as a pair, split at the first colon. Raises `ValueError` without one."""
    if not value:
        return None
    user, colon, password = value.partition(":")
    if not colon:
        raise ValueError("basic_auth needs to be in the format username:password")
    return user, password


class Client:
    """Connections to the services, one manager per kind of resource.

    Args:
        base_url, api_url, auth_url, stream_url: where the services are; `ST2_BASE_URL`, `ST2_API_URL`, `ST2_AUTH_URL`, `ST2_STREAM_URL`
            where not given, else derived from the base with the default ports. `api_url` and `stream_url` include the version.
        api_version: version in derived URLs.
        cacert: path of a CA bundle, True (system bundle), False or None (https certificates are not verified).
        debug: print requests as curl lines.
        token, api_key: credentials. They are written to `ST2_AUTH_TOKEN`, `ST2_API_KEY` of this process: every manager reads them there.
        basic_auth: `user:password` for a proxy in front of the services.

    Raises:
        ValueError: `cacert` names no file, or `basic_auth` has no colon.
    """

    def __init__(
        self,
        base_url: str | None = None,
        auth_url: str | None = None,
        api_url: str | None = None,
        stream_url: str | None = None,
        api_version: str | None = None,
        cacert: str | bool | None = None,
        debug: bool = False,
        token: str | None = None,
        api_key: str | None = None,
        basic_auth: str | None = None,
    ) -> None:
        self.endpoints = _endpoints(base_url, auth_url, api_url, stream_url, api_version)
        self.cacert = cacert if cacert is not None else os.environ.get("ST2_CACERT")
        if isinstance(self.cacert, str) and self.cacert and not os.path.isfile(self.cacert):
            raise ValueError(f'CA cert file "{self.cacert}" does not exist.')
        self.cacert = self.cacert or None
        self.debug = debug
        self.basic_auth = split_basic_auth(basic_auth)
        self.token = self._credential("ST2_AUTH_TOKEN", token)
        self.api_key = self._credential("ST2_API_KEY", api_key)
        self.managers: dict[str, Any] = self._managers()

    @staticmethod
    def _credential(variable: str, value: str | None) -> str | None:
        if value:
            os.environ[variable] = value
        return os.environ.get(variable)

    def _managers(self) -> dict[str, Any]:
        options: dict[str, Any] = {"cacert": self.cacert, "debug": self.debug, "basic_auth": self.basic_auth}
        api, auth, stream = self.endpoints["api"], self.endpoints["auth"], self.endpoints["stream"]
        managers: dict[str, Any] = {name: manager(resource, api, **options) for name, (resource, manager) in _RESOURCES.items()}
        managers["LiveAction"] = managers["Execution"]
        # The token request carries basic auth of its own, so none for the proxy (cli.md 1).
        managers["Token"] = core.ResourceManager(models.Token, auth, cacert=self.cacert, debug=self.debug)
        managers["Stream"] = core.StreamManager(stream, **options)
        managers["Workflow"] = core.WorkflowManager(api, **options)
        managers["Execution"].stream = managers["Stream"]
        return managers

    @core.add_auth_token_to_kwargs_from_env
    def get_user_info(self, **kwargs: Any) -> dict[str, Any]:
        """Who the credentials belong to (GET /user)."""
        http = httpclient.HTTPClient(self.endpoints["api"], cacert=self.cacert, debug=self.debug, basic_auth=self.basic_auth)
        response = http.get("/user", **kwargs)
        if response.status_code != 200:
            core.ResourceManager.handle_error(response)
        return response.json()

    @property
    def actions(self) -> Any:
        """Manager of actions."""
        return self.managers["Action"]

    @property
    def apikeys(self) -> Any:
        """Manager of API keys."""
        return self.managers["ApiKey"]

    @property
    def executions(self) -> Any:
        """Manager of executions."""
        return self.managers["Execution"]

    @property
    def inquiries(self) -> Any:
        """Manager of inquiries."""
        return self.managers["Inquiry"]

    @property
    def keys(self) -> Any:
        """Manager of the datastore."""
        return self.managers["KeyValuePair"]

    @property
    def liveactions(self) -> Any:
        """Old name of `executions`."""
        warnings.warn("'liveactions' is deprecated, use 'executions'.", DeprecationWarning, stacklevel=2)
        return self.managers["Execution"]

    @property
    def packs(self) -> Any:
        """Manager of packs."""
        return self.managers["Pack"]

    @property
    def policies(self) -> Any:
        """Manager of policies."""
        return self.managers["Policy"]

    @property
    def policytypes(self) -> Any:
        """Manager of policy types."""
        return self.managers["PolicyType"]

    @property
    def rules(self) -> Any:
        """Manager of rules."""
        return self.managers["Rule"]

    @property
    def runners(self) -> Any:
        """Manager of runner types."""
        return self.managers["RunnerType"]

    @property
    def sensors(self) -> Any:
        """Manager of sensors."""
        return self.managers["Sensor"]

    @property
    def tokens(self) -> Any:
        """Manager of tokens (auth service)."""
        return self.managers["Token"]

    @property
    def triggertypes(self) -> Any:
        """Manager of trigger types."""
        return self.managers["TriggerType"]

    @property
    def triggerinstances(self) -> Any:
        """Manager of trigger instances."""
        return self.managers["TriggerInstance"]

    @property
    def trace(self) -> Any:
        """Manager of traces."""
        return self.managers["Trace"]

    @property
    def ruleenforcements(self) -> Any:
        """Manager of rule enforcements."""
        return self.managers["RuleEnforcement"]

    @property
    def webhooks(self) -> Any:
        """Manager of webhooks."""
        return self.managers["Webhook"]

    @property
    def workflows(self) -> Any:
        """Inspection of workflow definitions."""
        return self.managers["Workflow"]


def _endpoints(base_url: str | None, auth_url: str | None, api_url: str | None, stream_url: str | None, api_version: str | None) -> dict[str, str]:
    base = (base_url or os.environ.get("ST2_BASE_URL") or DEFAULT_BASE_URL).rstrip("/")
    version = api_version or os.environ.get("ST2_API_VERSION") or DEFAULT_API_VERSION
    return {
        "base": base,
        "exp": f"{base}:{DEFAULT_API_PORT}/exp",
        "api": (api_url or os.environ.get("ST2_API_URL") or f"{base}:{DEFAULT_API_PORT}/{version}").rstrip("/"),
        "auth": (auth_url or os.environ.get("ST2_AUTH_URL") or f"{base}:{DEFAULT_AUTH_PORT}").rstrip("/"),
        "stream": (stream_url or os.environ.get("ST2_STREAM_URL") or f"{base}:{DEFAULT_STREAM_PORT}/{version}").rstrip("/"),
    }


_RESOURCES: dict[str, tuple[type[core.Resource], Any]] = {
    "Action": (models.Action, core.ActionResourceManager),
    "ActionAlias": (models.ActionAlias, core.ActionAliasResourceManager),
    "ActionAliasExecution": (models.ActionAliasExecution, core.ActionAliasExecutionManager),
    "ApiKey": (models.ApiKey, core.ResourceManager),
    "Config": (models.Config, core.ConfigManager),
    "ConfigSchema": (models.ConfigSchema, core.ResourceManager),
    "Execution": (models.Execution, core.ExecutionResourceManager),
    "Inquiry": (models.Inquiry, core.InquiryResourceManager),
    "KeyValuePair": (models.KeyValuePair, core.KeyValuePairResourceManager),
    "Pack": (models.Pack, core.PackResourceManager),
    "Policy": (models.Policy, core.ResourceManager),
    "PolicyType": (models.PolicyType, core.ResourceManager),
    "Role": (models.Role, core.ResourceManager),
    "Rule": (models.Rule, core.ResourceManager),
    "RuleEnforcement": (models.RuleEnforcement, core.ResourceManager),
    "RunnerType": (models.RunnerType, core.ResourceManager),
    "Sensor": (models.Sensor, core.ResourceManager),
    "ServiceRegistryGroups": (models.ServiceRegistryGroup, core.ServiceRegistryGroupsManager),
    "ServiceRegistryMembers": (models.ServiceRegistryMember, core.ServiceRegistryMembersManager),
    "Timer": (models.Timer, core.ResourceManager),
    "Trace": (models.Trace, core.ResourceManager),
    "Trigger": (models.Trigger, core.ResourceManager),
    "TriggerInstance": (models.TriggerInstance, core.TriggerInstanceResourceManager),
    "TriggerType": (models.TriggerType, core.ResourceManager),
    "UserRoleAssignment": (models.UserRoleAssignment, core.ResourceManager),
    "Webhook": (models.Webhook, core.WebhookManager),
}
