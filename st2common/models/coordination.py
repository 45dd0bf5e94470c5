"""Documents by which processes agree: leases, registry entries, revision counters."""

from __future__ import annotations

from typing import Any, ClassVar

from mongoengine import Document, IntField, StringField

from st2common.models.fields import JsonField, MomentField


class Lease(Document):
    """Something that one owner holds until it expires (a timer, a sensor, a sweep, a worker's own life)."""

    meta: ClassVar[dict[str, Any]] = {"collection": "leases", "indexes": ["kind"], "auto_create_index": False}

    id = StringField(primary_key=True)
    kind = StringField(required=True)
    owner = StringField(required=True)
    expires_us = MomentField(required=True)
    info = JsonField()


class Revision(Document):
    """Counters that rise with every change of a kind of content; caches compare them."""

    meta: ClassVar[dict[str, Any]] = {"collection": "revisions", "indexes": [], "auto_create_index": False}

    id = StringField(primary_key=True)
    value = IntField()
