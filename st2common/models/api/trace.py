"""The name under which packs import :class:`TraceContext`."""

from st2common.trace_context import TraceContext

__all__ = ["TraceContext"]
