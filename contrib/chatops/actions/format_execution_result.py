"""chatops.format_execution_result: the text that a chat shows for the end of an execution."""

from pathlib import Path
from typing import Any

import six

from st2common.runners.base_action import Action
from st2common.util import jinja

DEFAULT_TEMPLATE = Path(__file__).parent / "templates" / "default.j2"
LEFT_OUT = ["trigger", "trigger_type", "trigger_instance", "liveaction"]


class FormatExecutionResultAction(Action):
    def run(self, execution_id: str) -> dict[str, Any]:
        """Returns ``{"enabled": bool, "message": text}`` and ``extra`` when the alias has one.

        Raises ValueError when there is no such execution.
        """
        client = self.action_service.datastore_service.get_api_client()
        execution = client.managers["LiveAction"].get_by_id(id=execution_id)
        if execution is None:
            raise ValueError(f"Execution {execution_id} not found")
        context: dict[str, Any] = {"six": six, "execution": execution.to_dict(exclude_attributes=LEFT_OUT)}

        enabled = True
        template = DEFAULT_TEMPLATE.read_text(encoding="utf-8")
        extra: dict[str, Any] | None = None
        alias_id = (context["execution"].get("context") or {}).get("action_alias_ref", {}).get("id")
        if alias_id and (alias := client.managers["ActionAlias"].get_by_id(alias_id)) is not None:
            context["alias"] = alias.to_dict()
            wanted = getattr(alias, "result", None) or {}
            enabled = wanted.get("enabled", True)
            if enabled:
                template = wanted.get("format", template)
                extra = wanted.get("extra")

        answer: dict[str, Any] = {"enabled": enabled, "message": self._render(template, context)}
        if extra:
            answer["extra"] = jinja.render_values(extra, context)
        return answer

    @staticmethod
    def _render(template: str, context: dict[str, Any]) -> str:
        environment = jinja.get_jinja_environment(allow_undefined=True)
        return environment.from_string(template).render(context)
