"""What documents of metadata may hold: defaults, and texts of refusals (content.md sections 2 and 3)."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.exceptions import Invalid
from st2common.packs.metadata import manifest, validate

ACTION = {"name": "a", "runner_type": "local-shell-cmd"}
RULE = {"name": "r", "trigger": {"type": "core.st2.webhook", "parameters": {"url": "x"}}, "action": {"ref": "core.noop"}}
ALIAS = {"name": "al", "action_ref": "core.noop", "formats": ["x {{ y }}"]}
POLICY = {"name": "p", "resource_ref": "core.local", "policy_type": "action.retry", "parameters": {"retry_on": "failure"}}
SENSOR = {"class_name": "S", "entry_point": "s.py"}
PACK = {"name": "My Pack", "ref": "my_pack", "description": "d", "version": "1.2.3", "author": "a", "email": "a@example.com"}


def refusal(kind: str, document: Any, **options: Any) -> Invalid:
    with pytest.raises(Invalid) as caught:
        validate(kind, document, **{"pack": "demo", **options})
    return caught.value


# -- defaults


def test_action_of_a_file() -> None:
    assert validate("action", ACTION, pack="demo", from_file=True) == {
        **ACTION, "pack": "demo", "enabled": True, "entry_point": "", "parameters": {}, "output_schema": {}, "notify": {}, "tags": [],
        "metadata_file": "",
    }  # fmt: skip


def test_action_of_the_api_shows_the_defaults_of_its_output_schema() -> None:
    values = validate("action", ACTION)
    assert values["pack"] == "default"
    assert values["output_schema"] == {
        "additionalItems": {}, "items": {}, "uniqueItems": False, "required": False, "secret": False, "additionalProperties": {},
        "definitions": {}, "properties": {}, "patternProperties": {}, "immutable": False,
    }  # fmt: skip


def test_rule() -> None:
    values = validate("rule", {"name": "r", "trigger": {"type": "core.x"}, "action": {"ref": "core.noop"}})
    assert values["enabled"] is False
    assert values["pack"] == "default"
    assert values["type"] == {"ref": "standard", "parameters": {}}
    assert values["trigger"] == {"type": "core.x", "parameters": {}}
    assert values["action"] == {"ref": "core.noop", "parameters": {}}
    assert (values["criteria"], values["context"], values["tags"]) == ({}, {}, [])
    assert validate("rule", {**RULE, "type": {"ref": "backstop"}})["type"] == {"ref": "backstop", "parameters": {}}


def test_policy_parameters_are_filled() -> None:
    assert validate("policy", POLICY, pack="demo")["parameters"] == {"retry_on": "failure", "max_retry_count": 2}


def test_what_a_client_got_may_be_put_back() -> None:
    got = {**ACTION, "id": "5" * 24, "uid": "action:default:a", "ref": "default.a", "metadata_file": "", "description": None}
    values = validate("action", got)
    assert not {"id", "uid", "ref", "description"} & values.keys()


def test_notify() -> None:
    values = validate(
        "action", {**ACTION, "notify": {"on-complete": {"channels": ["a"], "data": {}}, "on-success": {}, "on-failure": {"message": "m"}}}
    )
    assert values["notify"] == {"on-complete": {"routes": ["a"]}, "on-failure": {"message": "m"}}


def test_documents_are_not_changed() -> None:
    document: dict[str, Any] = {"name": "r", "trigger": {"type": "x.y"}, "action": {"ref": "x.y"}}
    validate("rule", document, pack="demo")
    assert document == {"name": "r", "trigger": {"type": "x.y"}, "action": {"ref": "x.y"}}


def test_sensor() -> None:
    values = validate("sensor", {**SENSOR, "colour": "free", "trigger_types": [{"name": "t", "pack": "elsewhere"}]}, pack="demo", from_file=True)
    assert values["name"] == "S"
    assert values["enabled"] is True
    assert values["trigger_types"] == [{"name": "t", "pack": "demo", "payload_schema": {}, "parameters_schema": {}, "tags": [], "metadata_file": ""}]


# -- refusals


@pytest.mark.parametrize(
    ("kind", "document", "message", "path"),
    [
        ("action", {"runner_type": "noop"}, "'name' is a required property", "name"),
        ("action", {**ACTION, "enabled": "yes"}, "'yes' is not of type 'boolean'", "enabled"),
        ("action", {**ACTION, "colour": "red"}, "Additional properties are not allowed ('colour' was unexpected)", ""),
        ("action", {**ACTION, "pack": "other"}, 'Model is in pack "demo" but field "pack" is different: other', "pack"),
        ("action", {**ACTION, "parameters": {"x": {"foo": 1}}}, "Additional properties are not allowed ('foo' was unexpected)", "parameters.x"),
        ("action", {**ACTION, "parameters": {"x": {"required": ["y"]}}}, "['y'] is not of type 'boolean'", "parameters.x.required"),
        (
            "action",
            {**ACTION, "parameters": {"x": {"type": "string", "immutable": True}}},
            "Immutable param x requires a default value.",
            "parameters.x",
        ),
        (
            "action",
            {**ACTION, "parameters": {"x": {"position": 0}, "y": {"position": 0}}},
            "Parameters y and x have same position 0. Position values have to be unique.",
            "parameters.y",
        ),
        (
            "action",
            {**ACTION, "parameters": {"timeout": {"type": "string"}}},
            'The attribute "type" for the runner parameter "timeout" in action "demo.a" cannot be overridden.',
            "parameters.timeout.type",
        ),
        ("action", {**ACTION, "output_schema": {"type": "strng"}}, "strng", "output_schema.type"),
        ("action", {**ACTION, "tags": [{"name": "x"}]}, "'value' is a required property", "tags.0.value"),
        ("rule", {}, "'trigger' is a required property", "trigger"),
        ("rule", {**RULE, "trigger": "core.x"}, "'core.x' is not of type 'object'", "trigger"),
        ("rule", {**RULE, "action": {"ref": "x.y", "zzz": 1}}, "Additional properties are not allowed ('zzz' was unexpected)", "action"),
        ("rule", {**RULE, "enabled": "true"}, "'true' is not of type 'boolean'", "enabled"),
        ("rule", {**RULE, "criteria": {"trigger.x": {"pattern": 1}}}, "Operator not specified for field: trigger.x", None),
        ("rule", {**RULE, "type": {"ref": "other"}}, "'other' is not one of ['standard', 'backstop']", "type.ref"),
        ("alias", {"name": "al", "formats": []}, "'action_ref' is a required property", "action_ref"),
        ("alias", {**ALIAS, "ack": {"colour": 1}}, "Additional properties are not allowed ('colour' was unexpected)", "ack"),
        ("policy", {**POLICY, "policy_type": "action.zzz"}, 'Referenced policy_type "action.zzz" doesnt exist', "policy_type"),
        (
            "policy",
            {**POLICY, "parameters": {"retry_on": "failure", "max_retry_count": 9}},
            "9 is greater than the maximum of 5",
            "parameters.max_retry_count",
        ),
        (
            "policy",
            {**POLICY, "parameters": {"retry_on": "failure", "x": 1}},
            "Additional properties are not allowed ('x' was unexpected)",
            "parameters",
        ),
        ("sensor", {"class_name": "S"}, "Sensor definition missing entry_point", "entry_point"),
        ("sensor", {**SENSOR, "poll_interval": 3}, "Minimum possible poll_interval is 4 seconds", "poll_interval"),
        ("trigger_type", {"name": "t", "payload_schema": []}, "[] is not of type 'object'", "payload_schema"),
        ("action", [1], "[1] is not of type 'object'", ""),
    ],
)
def test_refusals(kind: str, document: Any, message: str, path: str | None) -> None:
    error = refusal(kind, document)
    assert message in error.message
    if path is not None:
        assert error.path == path


def test_unknown_runner() -> None:
    assert refusal("action", {"name": "a", "runner_type": "run-local"}).message.startswith(
        "RunnerType run-local is not found. If you are using old and deprecated runner name,"
    )


def test_parameter_names() -> None:
    document = {**ACTION, "parameters": {"x-y": {}}}
    assert refusal("action", document, from_file=True).message.startswith(
        'Parameter name "x-y" is invalid. Valid characters for parameter name are [a-zA-Z0-0_].\n\n'
    )
    assert refusal("action", document, pack=None).message == r"'x-y' does not match any of the regexes: '^\\w+$'"


@pytest.mark.parametrize("kind", ["alias", "policy", "trigger_type"])
def test_the_api_wants_a_pack_where_there_is_no_default(kind: str) -> None:
    document = {"alias": ALIAS, "policy": POLICY, "trigger_type": {"name": "t"}}[kind]
    assert refusal(kind, document, pack=None).message == "'pack' is a required property"


def test_legacy_output_schema_is_kept() -> None:
    legacy = {"hostname": {"type": "string", "secret": True}, "count": {"type": "integer"}}
    assert validate("action", {**ACTION, "output_schema": legacy})["output_schema"] == legacy
    assert "strng" in refusal("action", {**ACTION, "output_schema": {"hostname": {"type": "strng"}}}).message


# -- pack.yaml


def test_manifest() -> None:
    values = manifest({**PACK, "extra": "kept out of the way"})
    assert values["ref"] == "my_pack"
    assert (values["keywords"], values["contributors"], values["dependencies"], values["system"]) == ([], [], [], {})


@pytest.mark.parametrize(
    ("change", "directory", "ref"),
    [
        ({}, "dir", "my_pack"),
        ({"ref": None}, "dir", "dir"),
        ({"ref": None, "name": "named"}, "Not-fit", "named"),
        ({"ref": None, "name": "named"}, None, "named"),
    ],
)
def test_ref(change: dict[str, Any], directory: str | None, ref: str) -> None:
    document = {key: value for key, value in {**PACK, **change}.items() if value is not None}
    assert manifest(document, directory)["ref"] == ref


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (
            {"version": 0.1},
            'Pack version "0.1" doesn\'t follow a valid semver format. Valid versions and formats include: 0.1.0, 0.2.1, 1.1.0, etc.\n\n',
        ),
        ({"version": "01.0.0"}, 'Pack version "01.0.0" doesn\'t follow'),
        ({"version": "1.0.0-RC1"}, 'Pack version "1.0.0-RC1" doesn\'t follow'),
        ({"ref": "my-pack"}, "Pack ref / name can only contain valid word characters (a-z, 0-9 and _), dashes are not allowed.\n\n"),
        ({"ref": "_global"}, "_global is a reserved name, and cannot be used as a pack name"),
        ({"ref": None}, 'Pack name "My Pack" contains invalid characters and "ref" attribute is not available. '),
        ({"email": "x"}, "ValidationError (PackDB:None) (Invalid email address: x: ['email'])"),
        ({"email": None}, "'email' is a required property"),
        ({"python_versions": ["4"]}, "'4' is not one of ['2', '3']"),
        ({"stackstorm_version": "3.0"}, "'3.0' does not match"),
        ({"contributors": ["x" * 101]}, f"'{'x' * 101}' is too long"),
    ],
)
def test_bad_manifests(change: dict[str, Any], start: str) -> None:
    document = {key: value for key, value in {**PACK, **change}.items() if value is not None}
    with pytest.raises(Invalid) as caught:
        manifest(document, "Not-fit")
    assert caught.value.message.startswith(start)


@pytest.mark.parametrize("version", ["0.1.0", "1.2.3-alpha.1", "1.2.3+build5", "10.20.30"])
def test_good_versions(version: str) -> None:
    assert manifest({**PACK, "version": version})["version"] == version
