"""chatops.match_and_execute: do what a chat message means and wait for the end."""

import time

from st2client.models.action_alias import ActionAliasMatch
from st2client.models.aliasexecution import ActionAliasExecution
from st2common.runners.base_action import Action

POLL_SECONDS = 1
UNDER_WAY = ("requested", "scheduled", "running", "canceling")


class MatchAndExecuteAction(Action):
    def run(self, text: str, source_channel: str | None = None, user: str | None = None) -> str:
        """Returns the id of the execution, once it is no longer under way."""
        client = self.action_service.datastore_service.get_api_client()
        alias, representation = client.managers["ActionAlias"].match(ActionAliasMatch(command=text))
        started = client.managers["ActionAliasExecution"].create(
            ActionAliasExecution(
                name=alias.name,
                format=representation,
                command=text,
                source_channel=source_channel or "",
                notification_channel="",
                notification_route="",
                user=user or "",
            )
        )
        execution_id = started.execution["id"]
        self.logger.info("Alias %s.%s started execution %s", alias.pack, alias.name, execution_id)
        while client.managers["LiveAction"].get_by_id(id=execution_id).status in UNDER_WAY:
            time.sleep(POLL_SECONDS)
        return execution_id
