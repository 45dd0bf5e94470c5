"""Requests that nobody means well: made from the declared endpoints, each part replaced by something nasty. Same seed, same requests."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import orjson

from st2api.app import endpoints
from st2api.endpoint import Endpoint

DANGEROUS = ("/packs/install", "/packs/uninstall", "/packs/register", "/packs/index", "/packs/index/search", "/packs/index/health")
"""They reach out to the network or change the packs that other tests use."""

TEXTS: tuple[bytes, ...] = (
    b"",
    b"0",
    b"-1",
    b"null",
    b"NULL",
    b"true",
    b"x" * 3000,
    b"\x00",
    b"a\x00b",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    "é漢😀".encode(),
    b"../../../etc/passwd",
    b"..%2f..%2fetc/passwd",
    b"/etc/passwd",
    b"....//....//etc",
    b"$where",
    b"$ne",
    b'{"$gt": ""}',
    b"[$ne]",
    b"a.b.c",
    b"core.local",
    b"core.",
    b".core",
    b"(a+)+$",
    b"(.*)*$",
    b"[",
    b"(?P<",
    b"*",
    b"9" * 40,
    b"1e400",
    b"NaN",
    b"2026-13-45T99:99:99Z",
    b"2026-01-01T00:00:00Z",
    b"0000-00-00T00:00:00Z",
    b"6b02e4d9560fca4c7ce40000",
    b"6B02E4D9560FCA4C7CE40000",
    b"zzzzzzzzzzzzzzzzzzzzzzzz",
    b"last",
    b"'; drop table x; --",
    b"<script>",
    b"%",
    b"%zz",
    b"\r\nX-Injected: 1",
    b"{{ 7*7 }}",
    b"{% for x in range(9999999) %}x{% endfor %}",
    b"st2kv.system",
    b"id,name,-id,+x",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**31,
    2**53,
    2**63,
    -(2**63),
    1e308,
    "",
    "x",
    "x" * 5000,
    "\x00",
    "a\x00b",
    "$ne",
    "é漢😀",
    "../../etc/passwd",
    "{{ x }}",
    "{% if %}",
    "core.noop",
    "core.local",
    [],
    [[]],
    [None],
    ["a", 1, {}],
    {},
    {"$ne": 1},
    {"$where": "sleep(1000)"},
    {"a.b": 1, "$c": {"$d": 2}},
    {"\x00": 1},
    {"": ""},
    {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}},
    {"$ref": "#"},
    {"$ref": "http://127.0.0.1:1/x"},
    {"required": ["a"]},
    "2026-01-01T00:00:00Z",
    "9" * 400,
)


def _deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


RAW_BODIES: tuple[bytes, ...] = (
    b"{",
    b"[",
    b"nul",
    b'"\xff"',
    b"\xef\xbb\xbf{}",
    b'{"a": "\\ud800"}',
    b'{"a": 1e999}',
    b'{"a": NaN}',
    b"\x00",
    b"[" * 100_000,
    _deep(90),
    _deep(300),
    _deep(5000),
    b"a=1&b=%ff&c",
    b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--",
    b'{"a":1,"a":2}',
    b"x" * 200_000,
)
CONTENT_TYPES = (
    "application/json",
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain",
    "text/xml",
    "",
    "application/",
    "*/*",
)


@dataclass
class Attack:
    """One request, ready to be sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    endpoint: Endpoint


def attacks(seed: int, count: int) -> Iterator[Attack]:
    """``count`` requests over all endpoints in turn."""
    dice = random.Random(seed)
    table = [endpoint for endpoint in endpoints() if endpoint.path not in DANGEROUS]
    for number in range(count):
        endpoint = table[number % len(table)]
        yield _attack(dice, endpoint)


def _attack(dice: random.Random, endpoint: Endpoint) -> Attack:
    path = "/v1" + re.sub(
        r"{\w+(:path)?}", lambda found: quote_from_bytes(dice.choice(TEXTS) or b"-", safe="" if dice.random() < 0.7 else "/"), endpoint.path
    )
    query = {param.name: dice.choice(TEXTS) for param in endpoint.query if dice.random() < 0.25}
    if dice.random() < 0.1:
        query[dice.choice(["status[$ne]", "$where", "zzz", "x-auth-token"])] = dice.choice(TEXTS)
    headers = {"St2-Context": dice.choice(['{"a": {"$b": 1}}', "[1]", "x"])} if dice.random() < 0.05 else {}
    body = None
    if endpoint.method in ("POST", "PUT", "DELETE"):
        headers["Content-Type"] = "application/json" if dice.random() < 0.85 else dice.choice(CONTENT_TYPES)
        body = dice.choice(RAW_BODIES) if dice.random() < 0.2 else orjson.dumps(_value(dice, endpoint.body or {}, 0))
    return Attack(endpoint.method, f"{path}?{urlencode(query)}" if query else path, headers, body, endpoint)


def _segment(dice: random.Random) -> str:
    return quote_from_bytes(dice.choice(TEXTS) or b"-", safe="" if dice.random() < 0.7 else "/")


def _value(dice: random.Random, schema: Any, depth: int) -> Any:
    """Something like what the schema wants, with a nasty part here and there."""
    if depth > 3 or not isinstance(schema, dict) or dice.random() < 0.12:
        return dice.choice(VALUES[:8] + VALUES[10:])  # integers that fit in 64 bits as orjson writes them
    if schema.get("enum"):
        return dice.choice(schema["enum"])
    kind = schema.get("type")
    kind = dice.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        made = {
            name: _value(dice, one, depth + 1)
            for name, one in (schema.get("properties") or {}).items()
            if dice.random() < (0.95 if isinstance(one, dict) and one.get("required") is True else 0.4)
        }
        if dice.random() < 0.15:
            made[dice.choice(["$set", "a.b", "", "\x00", "zzz", "__proto__"])] = dice.choice(VALUES[:8])
        return made
    if kind == "array":
        return [_value(dice, schema.get("items") or {}, depth + 1) for _ in range(dice.randrange(3))]
    return {
        "string": dice.choice(["x", "fuzz.a", "core.noop", "default", "noop", "fuzz_\u00e9", "a b", "", "{{ a }}"]),
        "boolean": dice.random() < 0.5,
        "integer": dice.choice([0, 1, 7, -1, 2**40]),
        "number": dice.choice([0, 1.5, -2]),
    }.get(str(kind), dice.choice(VALUES[:8]))
