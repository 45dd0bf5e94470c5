"""The platform's Jinja environment for packs that render templates themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, Undefined
from jinja2.sandbox import SandboxedEnvironment

from st2common.expressions import is_template, render_value
from st2common.expressions.filters import FILTERS


def get_jinja_environment(allow_undefined: bool = False, trim_blocks: bool | None = None, lstrip_blocks: bool | None = None) -> SandboxedEnvironment:
    """A fresh sandboxed environment with the platform's filters (content.md section 8).

    Args:
        allow_undefined: undefined names print as empty text instead of failing.
        trim_blocks, lstrip_blocks: as Jinja's; None: on.
    """
    environment = SandboxedEnvironment(
        undefined=Undefined if allow_undefined else StrictUndefined,
        trim_blocks=True if trim_blocks is None else trim_blocks,
        lstrip_blocks=True if lstrip_blocks is None else lstrip_blocks,
    )
    environment.filters.update(FILTERS)
    environment.tests["in"] = lambda item, items: item in items
    return environment


def render_values(
    mapping: Mapping[str, Any] | None = None, context: Mapping[str, Any] | None = None, allow_undefined: bool = False
) -> dict[str, Any]:
    """``mapping`` with every template in its values rendered; lists and objects are gone through.

    Raises:
        RenderError: a template could not be rendered.
    """
    variables = context or {}
    return {name: render_value(value, variables, allow_undefined=allow_undefined) for name, value in (mapping or {}).items()}


def is_jinja_expression(value: Any) -> bool:
    """Whether ``value`` holds a template."""
    return is_template(value)
