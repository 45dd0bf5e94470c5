"""What a pack asks of the platform: its version and that of Python (content.md 6.2)."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

import semver

from st2common import API_COMPATIBILITY_VERSION
from st2common.exceptions import Invalid

PRODUCT_VERSION = API_COMPATIBILITY_VERSION.removesuffix("dev") + ".0"
"""The StackStorm version whose behaviour this platform has; packs state their requirements against it."""

_CLAUSE = re.compile(r"\s*(>=|<=|>|<|=)\s*(\d+\.\d+\.\d+)\s*")
_OVERRIDE = 'You can override this restriction by providing the "force" flag, but the pack is not guaranteed to work.'


def satisfies(version: str, specification: str) -> bool:
    """Whether a version fits all clauses of e.g. ``>=3.0.0, <4.0.0``. Pre-release suffixes of ``version`` do not count.

    Raises:
        Invalid: the specification cannot be read.
    """
    mine = semver.Version.parse(version).finalize_version()
    for clause in specification.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise Invalid(f'"{specification}" is not a valid version specification', "stackstorm_version")
        operator, wanted = match.groups()
        if not mine.match(f"{'==' if operator == '=' else operator}{wanted}"):
            return False
    return True


def check_requirements(manifest: Mapping[str, Any]) -> None:
    """Check ``stackstorm_version`` and ``python_versions`` of a pack.

    Raises:
        Invalid: the pack is not meant for this platform.
    """
    name = manifest["name"]
    wanted = manifest.get("stackstorm_version")
    if wanted and not satisfies(PRODUCT_VERSION, wanted):
        raise Invalid(f'Pack "{name}" requires StackStorm "{wanted}", but current version is "{PRODUCT_VERSION}". {_OVERRIDE}')
    pythons = manifest.get("python_versions") or []
    if pythons and str(sys.version_info.major) not in [str(item) for item in pythons]:
        current = ".".join(map(str, sys.version_info[:3]))
        raise Invalid(f'Pack "{name}" requires Python {pythons[0]}.x, but current Python version is "{current}". {_OVERRIDE}')


def is_semver(text: str) -> bool:
    """Whether a text is a whole semantic version."""
    return semver.Version.is_valid(text)
