"""Sensors, triggers, rules and what came of them."""

from st2client.models.core import Resource


class Sensor(Resource):
    """A program that watches something and emits events."""

    _alias = "Sensor"
    _display_name = "Sensor"
    _plural = "Sensors"
    _plural_display_name = "Sensors"
    _url_path = "sensortypes"
    _repr_attributes = ["name", "pack"]


class TriggerType(Resource):
    """A kind of event."""

    _alias = "Trigger"
    _display_name = "Trigger"
    _plural = "Triggers"
    _plural_display_name = "Triggers"
    _url_path = "triggertypes"
    _repr_attributes = ["name", "pack"]


class TriggerInstance(Resource):
    """One event."""

    _alias = "Trigger-Instance"
    _display_name = "Trigger Instance"
    _plural = "TriggerInstances"
    _plural_display_name = "Trigger Instances"
    _url_path = "triggerinstances"
    _repr_attributes = ["id", "trigger", "occurrence_time", "payload", "status"]


class Trigger(Resource):
    """A trigger type with parameters."""

    _alias = "Trigger-Specification"
    _display_name = "Trigger Specification"
    _plural = "Triggers"
    _plural_display_name = "Trigger Specifications"
    _repr_attributes = ["name", "pack", "type"]


class Rule(Resource):
    """Which event starts which action."""

    _alias = "Rule"
    _display_name = "Rule"
    _plural = "Rules"
    _plural_display_name = "Rules"
    _repr_attributes = ["name", "pack", "trigger", "criteria", "enabled"]


class RuleEnforcement(Resource):
    """A rule that matched an event, and the execution it led to."""

    _alias = "rule-enforcement"
    _display_name = "Rule Enforcement"
    _plural = "RuleEnforcements"
    _plural_display_name = "Rule Enforcements"
    _url_path = "ruleenforcements"
    _repr_attributes = ["id", "trigger_instance_id", "execution_id", "rule", "enforced_at"]
