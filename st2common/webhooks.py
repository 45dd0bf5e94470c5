"""What a webhook may ask of a request beyond upstream: a signature of the body, and each delivery only once.

Both are declared in the parameters of the rule's trigger (``st2common.triggers.WEBHOOK``); without them everything is taken.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from st2common.datastore import SYSTEM, Datastore
from st2common.exceptions import Invalid
from st2common.expressions import RenderError, render
from st2common.log import getLogger
from st2common.store import Store

LOG = getLogger("st2common.webhooks")
DELIVERY = "delivery"
"""Kind of the leases by which deliveries are remembered."""

_WINDOW_S = 86400.0


@dataclass(frozen=True)
class Delivery:
    """A remembered delivery, so that it can be forgotten again when the event could not be accepted."""

    name: str
    owner: str


class WebhookGate:
    """Decides for one trigger whether a request is to be taken.

    Args:
        store: keeps the leases and the shared keys.
        datastore: decrypts the shared keys.
    """

    def __init__(self, store: Store, datastore: Datastore) -> None:
        self._store = store
        self._datastore = datastore

    def is_signed(self, parameters: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the body carries the signature that the trigger asks for, if it asks for one.

        Args:
            headers: by lower-case name.
            body: as received.
        """
        wanted = parameters.get("signature")
        if not wanted:
            return True
        key = self._shared_key(wanted["key"])
        if key is None:
            LOG.warning("webhook %s: there is no datastore key %s to check signatures with", parameters.get("url"), wanted["key"])
            return False
        given = headers.get(wanted["header"].lower(), "")
        prefix = wanted.get("prefix") or ""
        if not given.startswith(prefix):
            return False
        right = hmac.new(key.encode(), body, wanted.get("algorithm") or "sha256").hexdigest()
        return hmac.compare_digest(given[len(prefix) :].strip().lower().encode(), right.encode())

    def remember(self, trigger_ref: str, parameters: Mapping[str, Any], headers: Mapping[str, str], payload: Mapping[str, Any]) -> Delivery | bool:
        """Remember a delivery for the trigger's window.

        Returns:
            True: nothing to remember (the trigger asks for nothing, or the request names no delivery). False: it came before.
            Else what ``forget`` takes.
        """
        wanted = parameters.get("deduplicate")
        name = self._name(wanted, headers, payload) if wanted else None
        if not wanted or not name:
            return True
        digest = hashlib.sha256(name.encode()).hexdigest()
        delivery = Delivery(f"{DELIVERY}:{trigger_ref}:{digest}", uuid.uuid4().hex)
        window = float(wanted.get("window_s") or _WINDOW_S)
        return delivery if self._store.leases.take(delivery.name, delivery.owner, window, kind=DELIVERY) else False

    def forget(self, delivery: Delivery) -> None:
        """The event was not accepted after all: the sender may try again."""
        self._store.leases.release(delivery.name, delivery.owner)

    def _shared_key(self, name: str) -> str | None:
        pair = self._store.keys.get(SYSTEM, name)
        if pair is None:
            return None
        return self._datastore.decrypt(pair.value, name) if pair.encrypted else str(pair.value)

    @staticmethod
    def _name(wanted: Mapping[str, Any], headers: Mapping[str, str], payload: Mapping[str, Any]) -> str | None:
        if wanted.get("header"):
            return headers.get(wanted["header"].lower())
        try:
            return render(wanted["expression"], {"trigger": dict(payload)})
        except RenderError as error:
            raise Invalid(f"The expression that names deliveries of this webhook failed: {error}") from error
