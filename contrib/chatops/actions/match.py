"""chatops.match: which alias a chat message means."""

from typing import Any

from st2client.models.action_alias import ActionAliasMatch
from st2common.runners.base_action import Action


class MatchAction(Action):
    def run(self, text: str) -> dict[str, Any]:
        """Returns the alias (name, pack, action_ref) and the representation that fits; the API's error when none or several do."""
        client = self.action_service.datastore_service.get_api_client()
        alias, representation = client.managers["ActionAlias"].match(ActionAliasMatch(command=text))
        return {
            "alias": {"name": alias.name, "pack": alias.pack, "action_ref": alias.action_ref},
            "representation": representation,
        }
