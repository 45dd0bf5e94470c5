"""Schemas of the product's dialect in the description of the API."""

from __future__ import annotations

from st2api.app import endpoints
from st2api.openapi import describe, to_2020


def test_required_of_a_property_becomes_the_list_of_its_parent() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "required": True, "secret": True, "position": 1},
            "required": {"type": "array", "items": {"type": "object", "properties": {"x": {"required": True}, "y": {"required": False}}}},
        },
    }
    assert to_2020(schema) == {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "string"},
            "required": {"type": "array", "items": {"type": "object", "required": ["x"], "properties": {"x": {}, "y": {}}}},
        },
    }


def test_paths_and_permissions_come_from_the_declarations() -> None:
    document = describe(endpoints())
    operation = document["paths"]["/packs/views/file/{ref_or_id}/{file_path}"]["get"]
    assert [one["name"] for one in operation["parameters"]] == ["ref_or_id", "file_path"]
    assert document["paths"]["/executions"]["post"]["x-permission"] == "action_execute"
    assert document["paths"]["/healthz"]["get"]["security"] == []


def test_every_endpoint_says_what_it_does() -> None:
    for endpoint in endpoints():
        assert endpoint.summary.endswith((".", ")")) and len(endpoint.summary) < 120, endpoint.path
