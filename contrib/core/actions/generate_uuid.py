"""core.uuid: a new UUID as text."""

import uuid

from st2common.runners.base_action import Action


class GenerateUuidAction(Action):
    makers = {"uuid1": uuid.uuid1, "uuid4": uuid.uuid4}

    def run(self, uuid_type: str) -> str:
        """Returns a new UUID of the kind ``uuid_type`` (uuid1 or uuid4)."""
        try:
            make = self.makers[uuid_type]
        except KeyError:
            raise ValueError(f"Unknown uuid_type {uuid_type!r}, expected one of {', '.join(sorted(self.makers))}") from None
        return str(make())
