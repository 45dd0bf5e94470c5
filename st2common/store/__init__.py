"""Named operations on the documents: the only writers of state. Each is one atomic change or one bounded query.

Never read, edit and write back: a status changes by compare-and-set on the document's id (``update_one`` with ``_id`` first;
``find_one_and_update`` is avoided because the embedded database scans for it). Nothing here publishes: callers write, then
publish, then acknowledge.
"""

from st2common.store.store import Store, connect

__all__ = ["Store", "connect"]
