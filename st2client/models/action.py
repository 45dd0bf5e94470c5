"""Actions, their runners and their executions."""

from st2client.models.core import Resource


class RunnerType(Resource):
    """What runs a kind of action."""

    _alias = "Runner"
    _display_name = "Runner"
    _plural = "RunnerTypes"
    _plural_display_name = "Runners"
    _url_path = "runnertypes"
    _repr_attributes = ["name", "enabled", "description"]


class Action(Resource):
    """A unit of work with a schema of parameters."""

    _plural = "Actions"
    _repr_attributes = ["name", "pack", "enabled", "runner_type"]


class Execution(Resource):
    """One run of an action or workflow."""

    _alias = "Execution"
    _display_name = "Action Execution"
    _plural = "ActionExecutions"
    _plural_display_name = "Action executions"
    _url_path = "executions"
    _repr_attributes = ["status", "action", "start_timestamp", "end_timestamp", "parameters", "delay"]


class LiveAction(Execution):
    """Old name of an execution; packs still make these."""

    _alias = "LiveAction"
    _display_name = "Action Execution"
