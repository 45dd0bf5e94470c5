"""The description of the API (OpenAPI 3.1), made from the declarations that validate requests, and a page to read it in."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import orjson

from st2api.endpoint import JSON, TEXT, Call, Endpoint, Param, Reply, Schema
from st2common import API_COMPATIBILITY_VERSION

TAG = "service"
_OWN_KEYWORDS = frozenset({"secret", "immutable", "position", "required"})
_NESTED = ("items", "additionalProperties", "additionalItems", "not")
_NAMED = ("properties", "patternProperties", "definitions")
_LISTED = ("anyOf", "allOf", "oneOf")
_PATH_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_TIMESTAMP = r"^\d{4}-\d{2}-\d{2}(\s|T)\d{2}:\d{2}:\d{2}(\.\d{3,6})?(Z|\+00|\+0000|\+00:00)$"

_KINDS: dict[str, Schema] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "array": {"type": "array", "items": {"type": "string"}},
    "timestamp": {"type": "string", "pattern": _TIMESTAMP},
}

ERROR: Schema = {
    "type": "object",
    "properties": {"faultstring": {"type": "string"}, "conflict-id": {"type": ["string", "null"]}},
    "required": ["faultstring"],
}


def endpoints(declared: Sequence[Endpoint]) -> list[Endpoint]:
    """The endpoints that show the description of ``declared`` (and of themselves)."""

    @cache
    def document() -> dict[str, Any]:
        return describe([*declared, *own])

    def get_document(call: Call) -> dict[str, Any]:
        return document()

    def get_page(call: Call) -> Reply:
        return Reply(data=page(document()).encode(), media="text/html; charset=utf-8")

    own = [
        Endpoint(
            "GET", "/openapi.json", get_document, TAG, "Get the description of this API.", public=True, answer={"type": "object"}, metrics=False
        ),
        Endpoint("GET", "/docs", get_page, TAG, "Read the description of this API.", public=True, media="text/html", metrics=False),
    ]
    return own


# -- the document --------------------------------------------------------------------------------------------------------------------


def describe(declared: Iterable[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document of these endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in declared:
        path = _PATH_PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Automation platform API",
            "version": API_COMPATIBILITY_VERSION,
            "description": "Events in, rules decide, actions and workflows do the work. Every path is also served without /v1.",
        },
        "servers": [{"url": "/v1"}],
        "security": [{name: []} for name in _SECURITY],
        "paths": paths,
        "components": {"securitySchemes": _SECURITY, "schemas": {"Error": ERROR}},
    }


_SECURITY: dict[str, Any] = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
    "key": {"type": "apiKey", "in": "header", "name": "St2-Api-Key"},
    "tokenInQuery": {"type": "apiKey", "in": "query", "name": "x-auth-token"},
    "keyInQuery": {"type": "apiKey", "in": "query", "name": "st2-api-key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "auth-token"},
}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint.path), *(_query_parameter(param) for param in endpoint.query)],
        "responses": _responses(endpoint),
    }
    permission = endpoint.permission or endpoint.object_permission
    if permission:
        operation["description"] = f"Permission: {permission}."
        operation["x-permission"] = permission
    if endpoint.public:
        operation["security"] = []
    if endpoint.body is not None:
        media = TEXT if endpoint.body.get("type") == "string" else JSON
        operation["requestBody"] = {"required": _needs_body(endpoint.body), "content": {media: {"schema": to_2020(endpoint.body)}}}
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"\w+", _PATH_PARAMETER.sub(r"by_\1", endpoint.path))
    return "_".join([endpoint.method.lower(), *words]) or "root"


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": found[1], "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for found in _PATH_PARAMETER.finditer(path)
    ]


def _query_parameter(param: Param) -> dict[str, Any]:
    schema: Schema = dict(_KINDS[param.kind])
    if param.default is not None:
        schema = {**schema, "default": param.default}
    if param.choices:
        schema = {**schema, "enum": list(param.choices)}
    made: dict[str, Any] = {"name": param.name, "in": "query", "schema": schema}
    if param.kind == "array":
        made.update(style="form", explode=False)
    if param.description:
        made["description"] = param.description
    return made


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "All is well."}
    if endpoint.answer is not None:
        good["content"] = {JSON: {"schema": to_2020(endpoint.answer)}}
    elif endpoint.media is not None:
        good["content"] = {"*/*": {"schema": {}}}
    if endpoint.headers:
        good["headers"] = {name: {"schema": {"type": "string"}} for name in endpoint.headers}
    responses: dict[str, Any] = {str(endpoint.status): good}
    if endpoint.media is not None:
        responses["304"] = {"description": "The client has this version."}
    error = {"description": "What is wrong, as text.", "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
    away = good if endpoint.path == "/healthz" else {**error, "description": "Database or broker is away; try again."}
    return {**responses, "4XX": error, "503": away}


def _needs_body(schema: Schema) -> bool:
    return any(isinstance(one, Mapping) and one.get("required") is True for one in (schema.get("properties") or {}).values())


def to_2020(schema: Any) -> Any:
    """A schema of the product's dialect as JSON Schema 2020-12: ``required: true`` on a property becomes the list of its parent, and an
    optional property accepts null, as it does here."""
    if not isinstance(schema, Mapping):
        return schema
    made = {key: value for key, value in schema.items() if key not in _OWN_KEYWORDS}
    for key in _NESTED:
        if isinstance(made.get(key), Mapping):
            made[key] = to_2020(made[key])
    for key in _NAMED:
        if isinstance(made.get(key), Mapping):
            made[key] = {name: to_2020(value) for name, value in made[key].items()}
    for key in _LISTED:
        if isinstance(made.get(key), list):
            made[key] = [to_2020(value) for value in made[key]]
    required = schema.get("required")
    names = list(required) if isinstance(required, list) else []
    names += [name for name, one in (schema.get("properties") or {}).items() if isinstance(one, Mapping) and one.get("required") is True]
    if names:
        made["required"] = names
    return made


# -- the page ------------------------------------------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.2rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; padding: .35rem .7rem; }
summary { cursor: pointer; } code, pre { font: 13px/1.4 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: 6px; overflow: auto; padding: .6rem; max-height: 30rem; }
.m { display: inline-block; font: bold 12px ui-monospace, monospace; min-width: 4.2rem; }
.get { color: #2874a6 } .post { color: #1e8449 } .put { color: #b9770e } .delete { color: #c0392b }
table { border-collapse: collapse; } td, th { border: 1px solid var(--line); padding: .2rem .6rem; text-align: left; vertical-align: top; }
nav a { margin-right: .9rem; } .p { opacity: .75 }
"""


def page(document: Mapping[str, Any]) -> str:
    """The document as one HTML page without anything from elsewhere."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation_html(path, method, operation))
    info = document["info"]
    links = "".join(f'<a href="#{_anchor(tag)}">{html.escape(tag)}</a>' for tag in by_tag)
    sections = "".join(f'<h2 id="{_anchor(tag)}">{html.escape(tag)}</h2>{"".join(items)}' for tag, items in by_tag.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(info["title"])}</title><style>{_STYLE}</style></head><body>'
        f"<h1>{html.escape(info['title'])} <small>{html.escape(info['version'])}</small></h1><p>{html.escape(info['description'])} "
        f'The same for machines: <a href="openapi.json">openapi.json</a>.</p><nav>{links}</nav>{sections}</body></html>'
    )


def _anchor(tag: str) -> str:
    return re.sub(r"\W+", "-", tag)


def _operation_html(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f'<summary><span class="m {method}">{method.upper()}</span> <code>/v1{html.escape(path)}</code> {html.escape(operation["summary"])}</summary>'
    ]
    if operation.get("x-permission"):
        parts.append(f'<p class="p">Permission <code>{html.escape(operation["x-permission"])}</code></p>')
    if operation["parameters"]:
        rows = "".join(
            f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{one['in']}</td><td>{html.escape(str(one['schema'].get('type', '')))}</td>"
            f"<td>{html.escape(one.get('description', ''))}</td></tr>"
            for one in operation["parameters"]
        )
        parts.append(f"<table><tr><th>Parameter</th><th>in</th><th>type</th><th></th></tr>{rows}</table>")
    body = operation.get("requestBody")
    if body:
        media, content = next(iter(body["content"].items()))
        parts.append(f"<p>Body, <code>{media}</code></p><pre>{_json_html(content['schema'])}</pre>")
    for status, response in operation["responses"].items():
        schema = next(iter(response.get("content", {"": {}}).values())).get("schema")
        if status.startswith("2"):
            parts.append(f"<p>Answer {status}</p>" + (f"<pre>{_json_html(schema)}</pre>" if schema else ""))
    return f"<details>{''.join(parts)}</details>"


def _json_html(schema: Any) -> str:
    return html.escape(orjson.dumps(schema, option=orjson.OPT_INDENT_2, default=str).decode())
