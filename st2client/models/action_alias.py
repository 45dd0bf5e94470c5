"""Chat commands."""

from st2client.models.core import Resource


class ActionAlias(Resource):
    """An action with the chat formats that start it."""

    _alias = "Action-Alias"
    _display_name = "Action Alias"
    _plural = "ActionAliases"
    _plural_display_name = "Action Aliases"
    _url_path = "actionalias"
    _repr_attributes = ["name", "pack", "action_ref"]


class ActionAliasMatch(Resource):
    """A command text to be matched against the aliases."""

    _alias = "ActionAliasMatch"
    _display_name = "ActionAlias Match"
    _plural = "ActionAliasMatches"
    _plural_display_name = "Action Alias Matches"
    _url_path = "actionalias/match"
    _repr_attributes = ["command"]
