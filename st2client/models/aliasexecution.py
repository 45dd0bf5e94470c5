"""Executions started by chat command."""

from st2client.models.core import Resource


class ActionAliasExecution(Resource):
    """A chat command to be run, and the answer to it."""

    _alias = "Action-Alias-Execution"
    _display_name = "Action Alias Execution"
    _plural = "ActionAliasExecutions"
    _plural_display_name = "Runs"
    _url_path = "aliasexecution"
    _repr_attributes = ["name", "format", "command", "user", "source_channel", "notification_channel", "notification_route"]
