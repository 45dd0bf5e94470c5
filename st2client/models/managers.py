"""Managers of resources that can do more than be listed and edited (pyclient.md 4 and 6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from st2client.models.core import Resource, ResourceManager, add_auth_token_to_kwargs_from_env, iter_event_data
from st2client.utils import httpclient

_OK, _CREATED, _ACCEPTED, _NOT_FOUND = 200, 201, 202, 404


class ActionResourceManager(ResourceManager[Any]):
    """Actions."""

    @add_auth_token_to_kwargs_from_env
    def get_entrypoint(self, ref_or_id: str, **kwargs: Any) -> str:
        """Text of the action's entry point file (script, workflow)."""
        response = self.client.get(self._path("views", "entry_point", ref_or_id), **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        return response.text


class KeyValuePairResourceManager(ResourceManager[Any]):
    """Datastore."""

    @add_auth_token_to_kwargs_from_env
    def get_by_name(self, name: str, **kwargs: Any) -> Any:
        """The pair, or `[]` when there is none; `decrypt`, `scope`, `user` and other keywords are the query (pyclient.md 4)."""
        credentials = {key: kwargs.pop(key) for key in ("token", "api_key") if key in kwargs}
        params = {key: str(value) for key, value in {**kwargs, **(kwargs.pop("params", None) or {})}.items() if value is not None}
        response = self.client.get(f"{self._path(name)}/", params=params, **credentials)
        if response.status_code == _NOT_FOUND:
            return []
        return self._one(response)


class ExecutionResourceManager(ResourceManager[Any]):
    """Executions of actions and workflows."""

    stream: StreamManager | None = None
    """Live events of the same client, used to wait; None: waiting polls."""

    @add_auth_token_to_kwargs_from_env
    def re_run(
        self,
        execution_id: str,
        parameters: dict[str, Any] | None = None,
        tasks: list[str] | None = None,
        no_reset: list[str] | None = None,
        delay: int | None = 0,
        **kwargs: Any,
    ) -> Any:
        """Run an execution again.

        Args:
            parameters: replace those of the original, by name.
            tasks: workflow tasks to run again.
            no_reset: of these, the with-items tasks that keep the items which had succeeded.
            delay: milliseconds to wait before it is scheduled.

        Raises:
            ValueError: `no_reset` names a task that is not in `tasks`.
        """
        tasks, no_reset = tasks or [], no_reset or []
        if not set(no_reset) <= set(tasks):
            raise ValueError("List of tasks to reset does not match the tasks to rerun.")
        body = {"parameters": parameters or {}, "tasks": tasks, "reset": [task for task in tasks if task not in no_reset], "delay": delay or 0}
        return self._one(self.client.post(self._path(execution_id, "re_run"), body, **kwargs))

    @add_auth_token_to_kwargs_from_env
    def pause(self, execution_id: str, **kwargs: Any) -> Any:
        """Ask a workflow to pause."""
        return self._one(self.client.put(self._path(execution_id), {"status": "pausing"}, **kwargs))

    @add_auth_token_to_kwargs_from_env
    def resume(self, execution_id: str, **kwargs: Any) -> Any:
        """Ask a paused workflow to go on."""
        return self._one(self.client.put(self._path(execution_id), {"status": "resuming"}, **kwargs))

    @add_auth_token_to_kwargs_from_env
    def get_output(self, execution_id: str, output_type: str | None = None, **kwargs: Any) -> str:
        """Output produced so far, as text (`output_type`: stdout, stderr, other; None: all)."""
        params = {"output_type": output_type} if output_type else {}
        response = self.client.get(self._path(execution_id, "output"), params=params, **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        return response.text

    @add_auth_token_to_kwargs_from_env
    def get_result(self, execution_id: str, **kwargs: Any) -> str:
        """Result as JSON text, however large."""
        response = self.client.get(self._path(execution_id, "result"), **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        return response.text

    def get_children(self, execution_id: str, depth: int = -1, **kwargs: Any) -> list[Any]:
        """Descendants, depth first (`depth` levels, -1: all); `[]` when the execution is unknown."""
        return self.get_property(execution_id, "children", depth=depth, **kwargs) or []

    @add_auth_token_to_kwargs_from_env
    def get_graph(self, execution_id: str, **kwargs: Any) -> dict[str, Any]:
        """Workflow of an execution as nodes and edges with the state of each task (our addition)."""
        response = self.client.get(self._path(execution_id, "graph"), **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        return response.json()

    def wait(self, execution_id: str, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """Wait until the execution needs no more waiting and return it (our addition).

        Short executions are noticed by polling within milliseconds; longer ones by the event stream of the client that made this
        manager, or by polling in growing steps where there is no stream.

        Raises:
            TimeoutError: still running after `timeout_s` seconds.
        """
        from st2client.waiting import wait_for_execution

        return wait_for_execution(self, execution_id, timeout_s=timeout_s, **kwargs)


class InquiryResourceManager(ResourceManager[Any]):
    """Questions of workflows to people."""

    @add_auth_token_to_kwargs_from_env
    def respond(self, inquiry_id: str, inquiry_response: dict[str, Any], **kwargs: Any) -> Any:
        """Answer an inquiry."""
        body = {"id": inquiry_id, "response": inquiry_response}
        return self._one(self.client.put(self._path(inquiry_id), body, **kwargs))


class TriggerInstanceResourceManager(ResourceManager[Any]):
    """Events that came in."""

    @add_auth_token_to_kwargs_from_env
    def re_emit(self, trigger_instance_id: str, **kwargs: Any) -> dict[str, Any]:
        """Send the event through the rules again; returns the server's answer with its `message`."""
        response = self.client.post(self._path(trigger_instance_id, "re_emit"), {}, **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        return response.json()


class ActionAliasResourceManager(ResourceManager[Any]):
    """Chat commands."""

    @add_auth_token_to_kwargs_from_env
    def match(self, instance: Resource, **kwargs: Any) -> tuple[Any, str]:
        """The alias a command text fits, and the representation (pattern) that fits."""
        response = self.client.post(self._path("match"), instance.serialize(), **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        answer = response.json()
        return self.resource.deserialize(answer["actionalias"]), answer["representation"]


class ActionAliasExecutionManager(ResourceManager[Any]):
    """Executions asked for by chat command."""

    @add_auth_token_to_kwargs_from_env
    def match_and_execute(self, instance: Resource, **kwargs: Any) -> Any:
        """Find the alias of a command text and run it; returns the first of the results."""
        response = self.client.post(self._path("match_and_execute"), instance.serialize(), **kwargs)
        if response.status_code not in (_OK, _CREATED):
            self.handle_error(response)
        return self.resource.deserialize(response.json()["results"][0])


class PackResourceManager(ResourceManager[Any]):
    """Packs, and the index of packs that can be installed."""

    @add_auth_token_to_kwargs_from_env
    def install(self, packs: list[str], force: bool = False, skip_dependencies: bool = False, **kwargs: Any) -> Any:
        """Start the installation; the answer has `execution_id`."""
        body = {"packs": packs, "force": force, "skip_dependencies": skip_dependencies}
        return self._posted("install", body, kwargs)

    @add_auth_token_to_kwargs_from_env
    def remove(self, packs: list[str], **kwargs: Any) -> Any:
        """Start the removal; the answer has `execution_id`."""
        return self._posted("uninstall", {"packs": packs}, kwargs)

    @add_auth_token_to_kwargs_from_env
    def search(self, args: Any, ignore_errors: bool = False, **kwargs: Any) -> Any:
        """Search the index.

        Args:
            args: object with `query` (answer: list of packs) or `pack` (answer: the pack or None).
            ignore_errors: None instead of an exception when the index cannot be reached.
        """
        by_query = getattr(args, "query", None) is not None
        body = {"query": args.query} if by_query else {"pack": args.pack}
        response = self.client.post(self._path("index", "search"), body, **kwargs)
        if response.status_code != _OK:
            if ignore_errors:
                return None
            self.handle_error(response)
        data = response.json()
        if isinstance(data, list):
            return [self.resource.deserialize(item) for item in data]
        return self.resource.deserialize(data) if data else None

    @add_auth_token_to_kwargs_from_env
    def register(self, packs: list[str] | None = None, types: list[str] | None = None, **kwargs: Any) -> Any:
        """Register content from disk; the answer's attributes are counts by kind."""
        body = {name: value for name, value in (("packs", packs), ("types", types)) if value}
        return self._posted("register", body, kwargs)

    def _posted(self, operation: str, body: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        response = self.client.post(self._path(operation), body, **kwargs)
        if response.status_code not in (_OK, _ACCEPTED):
            self.handle_error(response)
        return self.resource.deserialize(response.json())


class ConfigManager(ResourceManager[Any]):
    """Configurations of packs."""

    @add_auth_token_to_kwargs_from_env
    def update(self, instance: Any, **kwargs: Any) -> Any:
        """Replace the values of a pack's configuration."""
        return self._one(self.client.put(self._path(instance.pack), instance.values, **kwargs))


class WebhookManager(ResourceManager[Any]):
    """Webhooks; also sends generic events."""

    @add_auth_token_to_kwargs_from_env
    def post_generic_webhook(self, trigger: str, payload: Any = None, trace_tag: str | None = None, **kwargs: Any) -> Any:
        """Fire a trigger through the generic webhook; returns what the server echoes."""
        headers = {"St2-Trace-Tag": trace_tag} if trace_tag else {}
        body = {"trigger": trigger, "payload": payload or {}}
        response = self.client.post("/webhooks/st2", body, headers=headers, **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        return response.json()


class WorkflowManager:
    """Workflow definitions."""

    def __init__(self, endpoint: str, cacert: str | bool | None = None, debug: bool = False, basic_auth: tuple[str, str] | None = None) -> None:
        self.endpoint = endpoint
        self.client = httpclient.HTTPClient(f"{endpoint}/workflows", cacert=cacert, debug=debug, basic_auth=basic_auth)

    @add_auth_token_to_kwargs_from_env
    def inspect(self, definition: str, places: bool = False, **kwargs: Any) -> list[dict[str, Any]]:
        """Problems of a workflow definition (YAML text), `[]` when there are none; with `places` also line and column (our addition)."""
        if not isinstance(definition, str):
            raise TypeError("Workflow definition is not type of string.")
        return self._text("/inspect?places=true" if places else "/inspect", definition, kwargs)

    @add_auth_token_to_kwargs_from_env
    def graph(self, definition: str | None = None, action: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Nodes and edges of a definition (YAML text) or of a registered workflow action (our addition)."""
        if definition is not None:
            return self._text("/graph", definition, kwargs)
        return self._answer(self.client.post("/graph", {"action": action}, **kwargs))

    def _text(self, path: str, definition: str, kwargs: dict[str, Any]) -> Any:
        return self._answer(self.client.post_raw(path, definition.encode(), headers={"content-type": "text/plain"}, **kwargs))

    @staticmethod
    def _answer(response: Any) -> Any:
        if response.status_code != _OK:
            ResourceManager.handle_error(response)
        return response.json()


class ServiceRegistryGroupsManager(ResourceManager[Any]):
    """Groups of running services."""

    @add_auth_token_to_kwargs_from_env
    def list(self, **kwargs: Any) -> Any:
        """All groups."""
        response = self.client.get("/service_registry/groups", **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        return [self.resource.deserialize({"group_id": group}) for group in response.json()["groups"]]


class ServiceRegistryMembersManager(ResourceManager[Any]):
    """Members of service groups."""

    @add_auth_token_to_kwargs_from_env
    def list(self, group_id: str, **kwargs: Any) -> Any:
        """Members of one group."""
        response = self.client.get(f"/service_registry/groups/{group_id}/members", **kwargs)
        if response.status_code != _OK:
            self.handle_error(response)
        return [self.resource.deserialize(member) for member in response.json()["members"]]


class StreamManager:
    """Live events."""

    def __init__(self, endpoint: str, cacert: str | bool | None = None, debug: bool = False, basic_auth: tuple[str, str] | None = None) -> None:
        self.endpoint = endpoint
        self.client = httpclient.HTTPClient(endpoint, cacert=cacert, debug=debug, basic_auth=basic_auth)

    def listen(self, events: list[str] | str | None = None, **kwargs: Any) -> Iterator[Any]:
        """Yield the data of every event until the server ends the stream.

        Args:
            events: names (globs) of the events wanted; None: the server's default set.
            end_event, end_execution_id: the server ends the stream after that event about that execution.
            token, api_key: credentials; sent in the query, as browsers have to.
        """
        for _, data in self.listen_named(events, **kwargs):
            yield data

    @add_auth_token_to_kwargs_from_env
    def listen_named(self, events: list[str] | str | None = None, on_open: Any = None, **kwargs: Any) -> Iterator[tuple[str, Any]]:
        """As `listen`, yielding (event name, data).

        Args:
            on_open: called with the open response: what is published from now on will be seen; closing it ends the stream.
            action_refs, execution_ids: only events of these (comma lists).
        """
        params: dict[str, Any] = {"x-auth-token": kwargs.pop("token", None), "st2-api-key": kwargs.pop("api_key", None)}
        if events:
            params["events"] = events if isinstance(events, str) else ",".join(events)
        for name in ("end_event", "end_execution_id", "action_refs", "execution_ids"):
            params[name] = kwargs.pop(name, None)
        return self._events("/stream", {name: value for name, value in params.items() if value}, on_open, kwargs)

    @add_auth_token_to_kwargs_from_env
    def listen_output(self, execution_id: str, output_type: str | None = None, on_open: Any = None, **kwargs: Any) -> Iterator[tuple[str, Any]]:
        """Output chunks of one execution from its start, until it is over (our addition)."""
        params = {"x-auth-token": kwargs.pop("token", None), "st2-api-key": kwargs.pop("api_key", None), "output_type": output_type}
        return self._events(f"/executions/{execution_id}/output", {name: value for name, value in params.items() if value}, on_open, kwargs)

    def _events(self, path: str, params: dict[str, Any], on_open: Any, kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        response = self.client.get(path, params=params, stream=True, headers={"Accept": "text/event-stream"}, **kwargs)
        if response.status_code != _OK:
            ResourceManager.handle_error(response)
        if on_open is not None:
            on_open(response)
        return _parsed(response)


def _parsed(response: Any) -> Iterator[tuple[str, Any]]:
    try:
        for name, data in iter_event_data(response.iter_lines()):
            if name == "EOF":
                return
            yield name, json.loads(data)
    finally:
        response.close()
