"""Pack indexes: fetch, merge, search (content.md 6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import requests

from st2common.exceptions import Invalid

TIMEOUT_S = 20
_NOT_SEARCHED = ("repo_url", "email")
SUCCESS = "Success."


@dataclass(frozen=True)
class IndexStatus:
    """How fetching one index went.

    Attributes:
        url: of the index.
        packs: number of its packs.
        message: for people.
        error: None, "malformed", "unresponsive", "empty" or "other errors".
    """

    url: str
    packs: int
    message: str
    error: str | None

    def to_api(self) -> dict[str, Any]:
        """The form in answers."""
        return asdict(self)


@dataclass(frozen=True)
class PackIndex:
    """Packs of all indexes together, with the status of each index (in the order in which they were read)."""

    packs: dict[str, dict[str, Any]]
    statuses: list[IndexStatus]

    def entry(self, name: str) -> dict[str, Any] | None:
        """The entry of a pack by its exact name."""
        return self.packs.get(name)

    def search(self, query: str) -> list[dict[str, Any]]:
        """Entries that contain ``query`` anywhere but in ``repo_url`` and ``email``: first those with it in the name, then in the
        keywords, then the others; each entry once, by its first field that fits."""
        ranked: dict[str, list[dict[str, Any]]] = {"name": [], "keywords": [], "other": []}
        wanted = query.lower()
        for entry in self.packs.values():
            for key, value in entry.items():
                if key in _NOT_SEARCHED or not _contains(value, wanted):
                    continue
                ranked[key if key in ranked else "other"].append(entry)
                break
        return ranked["name"] + ranked["keywords"] + ranked["other"]


def _contains(value: Any, text: str) -> bool:
    if isinstance(value, Mapping):
        return any(_contains(item, text) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_contains(item, text) for item in value)
    return text in str(value).lower()


def fetch_index(urls: Sequence[str], *, proxies: Mapping[str, str] | None = None, ca_bundle: str | None = None) -> PackIndex:
    """Fetch every index. They are read last first, so that an earlier index overrides a later one.

    Args:
        urls: ``[content] index_url``.
        proxies: scheme -> proxy URL.
        ca_bundle: path of certificates to trust instead of the system's.

    Raises:
        Invalid: no index gave anything.
    """
    packs: dict[str, dict[str, Any]] = {}
    statuses: list[IndexStatus] = []
    with requests.Session() as session:
        session.proxies.update(dict(proxies or {}))
        if ca_bundle:
            session.verify = ca_bundle
        for url in reversed([text.strip() for text in urls if text.strip()]):
            status, found = _fetch_one(session, url)
            statuses.append(status)
            packs.update(found)
    if not packs:
        plural = "" if len(statuses) == 1 else "es"
        tried = ", ".join(status.url for status in statuses)
        details = orjson.dumps([status.to_api() for status in statuses], option=orjson.OPT_INDENT_2).decode()
        raise Invalid(f"No results from the index{plural}: tried {tried}.\nStatus: {details}")
    return PackIndex(packs, statuses)


def _fetch_one(session: requests.Session, url: str) -> tuple[IndexStatus, dict[str, dict[str, Any]]]:
    try:
        answer = session.get(url, timeout=TIMEOUT_S)
        answer.raise_for_status()
    except requests.ConnectionError as error:
        return IndexStatus(url, 0, f"Unable to reach the index: {error}", "unresponsive"), {}
    except requests.Timeout as error:
        return IndexStatus(url, 0, f"The index did not answer in time: {error}", "unresponsive"), {}
    except (requests.RequestException, ValueError) as error:
        return IndexStatus(url, 0, f"Unable to fetch the index: {error}", "other errors"), {}
    try:
        content = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        return IndexStatus(url, 0, f"The index is not valid JSON: {error}", "malformed"), {}
    if content == {}:
        return IndexStatus(url, 0, "The index URL returned an empty object.", "empty"), {}
    if not isinstance(content, dict) or not isinstance(content.get("packs"), dict):
        return IndexStatus(url, 0, "Expected an index object with a key packs.", "malformed"), {}
    found = {name: entry for name, entry in content["packs"].items() if isinstance(entry, dict)}
    return IndexStatus(url, len(found), SUCCESS, None), found


def health(statuses: Iterable[IndexStatus], packs: int) -> dict[str, Any]:
    """The API's view of the state of the indexes (api.md, GET /packs/views/index/health)."""
    rows = list(statuses)
    errors: dict[str, int] = {}
    for row in rows:
        if row.error is not None:
            errors[row.error] = errors.get(row.error, 0) + 1
    valid = sum(row.error is None for row in rows)
    return {
        "indexes": {"count": len(rows), "valid": valid, "invalid": len(rows) - valid, "errors": errors, "status": [row.to_api() for row in rows]},
        "packs": {"count": packs},
    }
