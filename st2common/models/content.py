"""Documents that come from packs (or from the API in their stead): content.md sections 2 and 3."""

from __future__ import annotations

from typing import Any, ClassVar

from mongoengine import BooleanField, FloatField, ListField, StringField

from st2common.models.base import PackResource, Resource
from st2common.models.fields import JsonField
from st2common.refs import trigger_uid


def _pack_meta(collection: str, *indexes: Any) -> dict[str, Any]:
    unique = {"fields": ["pack", "name"], "unique": True}
    return {"collection": collection, "indexes": [unique, *indexes], "auto_create_index": False}


class Pack(Resource):
    """An installed pack. ``ref`` is its short name, the directory."""

    uid_kind = "pack"
    meta: ClassVar[dict[str, Any]] = {
        "collection": "packs", "indexes": [{"fields": ["ref"], "unique": True}, "name"], "auto_create_index": False}  # fmt: skip

    ref = StringField(required=True)
    name = StringField(required=True)
    description = StringField(required=True)
    version = StringField(required=True)
    stackstorm_version = StringField(optional=True)
    author = StringField(required=True)
    email = StringField(optional=True)
    keywords = ListField()
    contributors = ListField()
    python_versions = ListField()
    dependencies = ListField()
    system = JsonField(default=dict)
    files = JsonField("array", default=list)
    path = StringField(default="")

    @property
    def uid(self) -> str:
        return f"pack:{self.ref}"


class ConfigSchema(Resource):
    """What a pack may be configured with: attribute name -> parameter schema."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "config_schemas", "indexes": [{"fields": ["pack"], "unique": True}], "auto_create_index": False}  # fmt: skip

    pack = StringField(required=True)
    attributes = JsonField(default=dict)


class PackConfig(Resource):
    """A pack's configuration values as written (templates unrendered, secrets as references)."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "configs", "indexes": [{"fields": ["pack"], "unique": True}], "auto_create_index": False}  # fmt: skip

    pack = StringField(required=True)
    values = JsonField(default=dict)

    def to_api(self) -> dict[str, Any]:
        form = super().to_api()
        if not form["values"]:
            del form["values"]
        return form


class RunnerType(Resource):
    """A kind of action: its parameters and where its code lives (runners.md section 1)."""

    uid_kind = "runner_type"
    meta: ClassVar[dict[str, Any]] = {
        "collection": "runner_types", "indexes": [{"fields": ["name"], "unique": True}], "auto_create_index": False}  # fmt: skip

    name = StringField(required=True)
    description = StringField(optional=True)
    enabled = BooleanField(required=True, default=True)
    runner_package = StringField(required=True)
    runner_module = StringField(required=True)
    runner_parameters = JsonField(default=dict)
    output_key = StringField(optional=True)
    output_schema = JsonField(default=dict)
    query_module = StringField(optional=True)


class Action(PackResource):
    """What can be run (content.md 3.1)."""

    uid_kind = "action"
    meta = _pack_meta("actions", "runner_type", "tags_index")

    description = StringField(optional=True)
    enabled = BooleanField(required=True, default=True)
    entry_point = StringField(default="")
    runner_type = StringField(required=True)
    parameters = JsonField(default=dict)
    output_schema = JsonField(default=dict)
    notify = JsonField(default=dict)
    tags = JsonField("array", default=list)
    tags_index = ListField(private=True)
    metadata_file = StringField(default="")


class ActionAlias(PackResource):
    """A chat command (content.md 3.7)."""

    uid_kind = "action_alias"
    meta = _pack_meta("action_aliases", "name")

    description = StringField(optional=True)
    enabled = BooleanField(required=True, default=True)
    action_ref = StringField(required=True)
    formats = JsonField("array", default=list)
    ack = JsonField(default=dict)
    result = JsonField(default=dict)
    extra = JsonField(default=dict)
    immutable_parameters = JsonField(default=dict)
    metadata_file = StringField(default="")


class SensorType(PackResource):
    """A sensor class of a pack (content.md 3.2); ``name`` is the class name."""

    uid_kind = "sensor_type"
    meta = _pack_meta("sensor_types", "enabled", "trigger_types")

    description = StringField(optional=True)
    artifact_uri = StringField(default="")
    entry_point = StringField(default="")
    class_name = StringField(private=True)
    trigger_types = ListField()
    poll_interval = FloatField(optional=True)
    enabled = BooleanField(required=True, default=True)
    metadata_file = StringField(default="")

    def to_api(self) -> dict[str, Any]:
        form = super().to_api()
        interval = form.get("poll_interval")
        if isinstance(interval, float) and interval.is_integer():
            form["poll_interval"] = int(interval)
        return form


class Policy(PackResource):
    """A rule about how an action's executions may run (content.md 3.5)."""

    uid_kind = "policy"
    meta = _pack_meta("policies", "resource_ref")

    description = StringField(optional=True)
    enabled = BooleanField(required=True, default=True)
    resource_ref = StringField(required=True)
    policy_type = StringField(required=True)
    parameters = JsonField(default=dict)
    metadata_file = StringField(default="")


class PolicyType(Resource):
    """A kind of policy; ``ref`` is ``<resource_type>.<name>``."""

    uid_kind = "policy_type"
    meta: ClassVar[dict[str, Any]] = {
        "collection": "policy_types", "indexes": [{"fields": ["resource_type", "name"], "unique": True}], "auto_create_index": False}  # fmt: skip

    name = StringField(required=True)
    resource_type = StringField(required=True)
    description = StringField(optional=True)
    enabled = BooleanField(required=True, default=True)
    module = StringField(default="")
    parameters = JsonField(default=dict)

    @property
    def ref(self) -> str:
        """``action.retry``."""
        return f"{self.resource_type}.{self.name}"

    @property
    def uid(self) -> str:
        return f"policy_type:{self.resource_type}:{self.name}"

    def derived(self) -> dict[str, Any]:
        return {"uid": self.uid, "ref": self.ref}

    @classmethod
    def derived_names(cls) -> list[str]:
        return ["uid", "ref"]


class Rule(PackResource):
    """On this trigger, if these criteria hold, run that action (content.md 3.4).

    ``trigger_ref`` and ``action_ref`` repeat what is inside the JSON parts so that lists can filter by them; ``rev`` changes
    with every write, so that the rules engine fetches only what changed.
    """

    uid_kind = "rule"
    meta = _pack_meta("rules", "trigger_ref", "action_ref", "enabled")

    description = StringField(optional=True)
    enabled = BooleanField(required=True, default=False)
    type = JsonField(default=lambda: {"ref": "standard", "parameters": {}})
    trigger = JsonField(default=dict)
    trigger_ref = StringField(private=True)
    criteria = JsonField(default=dict)
    action = JsonField(default=dict)
    action_ref = StringField(private=True)
    context = JsonField(default=dict)
    tags = JsonField("array", default=list)
    metadata_file = StringField(default="")
    rev = StringField(private=True)


class RuleType(Resource):
    """``standard`` or ``backstop``."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "rule_types", "indexes": [{"fields": ["name"], "unique": True}], "auto_create_index": False}  # fmt: skip

    name = StringField(required=True)
    description = StringField(optional=True)
    enabled = BooleanField(required=True, default=True)
    parameters = JsonField(default=dict)


class TriggerType(PackResource):
    """A kind of event (content.md 3.3)."""

    uid_kind = "trigger_type"
    meta = _pack_meta("trigger_types")

    description = StringField(optional=True)
    payload_schema = JsonField(default=dict)
    parameters_schema = JsonField(default=dict)
    tags = JsonField("array", default=list)
    metadata_file = StringField(optional=True)


class Trigger(PackResource):
    """A trigger type with parameters, shared by the rules that name the same (reactor.md section 1).

    ``digest`` is that of the parameters (unique with the type), ``ref_count`` the number of rules that made it needed;
    ``hook`` repeats a webhook's url for the look-up on the hot path.
    """

    uid_kind = "trigger"
    meta = _pack_meta("triggers", {"fields": ["type", "digest"]}, {"fields": ["hook"], "sparse": True})

    description = StringField(optional=True)
    type = StringField(optional=True)
    parameters = JsonField(default=dict)
    digest = StringField(private=True)
    ref_count = FloatField(private=True, default=0)
    shadow = BooleanField(private=True, default=False)
    hook = StringField(private=True)

    @property
    def uid(self) -> str:
        return trigger_uid(self.pack, self.name, self.parameters)
