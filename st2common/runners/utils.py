"""The loggers of Python actions. The module's name is one that packs import."""

from __future__ import annotations

import logging
import sys
from typing import Any

from st2common.log import Logger, getLogger

_ROOT = "st2.actions.python"
_FORMAT = "%(name)-12s: %(levelname)-8s %(message)s"


def set_action_log_level(level: str) -> None:
    """Set the least level of every action logger of this process, by name (``DEBUG`` ... ``CRITICAL``, ``AUDIT``)."""
    logging.getLogger(_ROOT).setLevel(logging.getLevelName(level.upper()))


def get_logger_for_python_runner_action(action_name: str, log_level: str | None = None) -> Logger:
    """Logger ``st2.actions.python.<action_name>``, which writes to stderr (runners.md section 5.5).

    Args:
        log_level: least level of this logger; None: the level of the process, DEBUG unless set.
    """
    root: Any = logging.getLogger(_ROOT)
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(_FORMAT))
        root.addHandler(handler)
        root.propagate = False
        if root.level == logging.NOTSET:
            root.setLevel(logging.DEBUG)
    logger = getLogger(f"{_ROOT}.{action_name}")
    if log_level:
        logger.setLevel(logging.getLevelName(log_level.upper()))
    return logger
