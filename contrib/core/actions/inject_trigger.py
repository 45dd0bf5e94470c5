"""core.inject_trigger: dispatch a trigger instance through the generic webhook."""

from typing import Any

from st2common.runners.base_action import Action


class InjectTriggerAction(Action):
    def run(
        self, trigger: str | None = None, trigger_name: str | None = None, payload: dict[str, Any] | None = None, trace_tag: str | None = None
    ) -> Any:
        """Post the trigger and give back the API's answer. Exactly one of ``trigger`` and ``trigger_name`` names it."""
        if trigger and trigger_name:
            raise ValueError("Parameters trigger and trigger_name are mutually exclusive.")
        name = trigger_name or trigger
        if not name:
            raise ValueError("You must include the trigger_name parameter.")

        client = self.action_service.datastore_service.get_api_client()
        self.logger.debug("Injecting trigger %s (trace tag %s)", name, trace_tag)
        answer = client.webhooks.post_generic_webhook(trigger=name, payload=payload or {}, trace_tag=trace_tag)
        return answer
