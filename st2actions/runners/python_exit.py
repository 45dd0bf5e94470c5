"""The end of a forked Python action, without taking the whole interpreter apart.

An interpreter that ends clears every module it has loaded, which takes three quarters of the life of a small forked action, and all of
that for modules which belong to the warm parent and hold nothing of the action's. Here the same is done for what the action brought:
its threads are joined, its exit functions run, its modules cleared and their objects collected (files flushed, finalisers called), and
then the process ends at once. What native code buffers is not seen from here: an action that loaded foreign native modules ends the
long way.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import sysconfig
import threading
from types import ModuleType
from typing import Any, NoReturn

_STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"] + os.sep
_SITE_PACKAGES = "site-packages"
_NATIVE_SUFFIXES = (".so", ".pyd", ".dylib")
_NATIVE_BRIDGES = frozenset({"ctypes", "_ctypes", "cffi", "_cffi_backend"})


def may_leave_quickly(preloaded: frozenset[str]) -> bool:
    """Whether everything that the action loaded can be taken apart from here.

    Args:
        preloaded: names of the modules that the parent had loaded.
    """
    return not any(name in _NATIVE_BRIDGES or _is_foreign_native(module) for name, module in _brought(preloaded))


def leave_quickly(code: Any, preloaded: frozenset[str]) -> NoReturn:
    """End the process as ``sys.exit(code)`` would.

    Args:
        code: as in ``SystemExit.code``.
        preloaded: see :func:`may_leave_quickly`.
    """
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # joins the threads that are not daemons, as the interpreter does
    atexit._run_exitfuncs()
    _flush()
    modules = [module for _, module in _brought(preloaded)]
    for name, _ in _brought(preloaded):
        del sys.modules[name]
    gc.collect()
    for module in reversed(modules):
        _clear(module)
    gc.collect()
    _flush()
    os._exit((code or 0) & 0xFF)


def _brought(preloaded: frozenset[str]) -> list[tuple[str, ModuleType]]:
    return [(name, module) for name, module in sys.modules.items() if name not in preloaded and isinstance(module, ModuleType)]


def _is_foreign_native(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None) or ""
    return file.endswith(_NATIVE_SUFFIXES) and (not file.startswith(_STANDARD_LIBRARY) or _SITE_PACKAGES in file)


def _clear(module: ModuleType) -> None:
    """Drop what a module holds, private names first, in the order of the interpreter."""
    names = vars(module)
    for is_private in (True, False):
        for name in list(names):
            if name != "__builtins__" and (name.startswith("_") and not name.startswith("__")) is is_private:
                names[name] = None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            continue  # replaced or closed by the action; there is nobody left to tell
