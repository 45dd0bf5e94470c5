"""Logging: structured JSON or text lines, the AUDIT level, secrets masked (operations.md section 7, content.md section 9).

``getLogger`` is a name that packs import.
"""

from __future__ import annotations

import logging
import logging.handlers
import socket
import sys
import time
import traceback
from typing import Any

import orjson

AUDIT = logging.CRITICAL + 10
logging.addLevelName(AUDIT, "AUDIT")
logging.AUDIT = AUDIT  # type: ignore[attr-defined]  # packs write logging.AUDIT

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SYSLOG = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7, AUDIT: 6}
_SECRET_NAMES = ("password", "auth_token", "token", "secret", "credentials", "st2_auth_token")
MASK = "********"


class Logger(logging.Logger):
    """A logger with ``audit``."""

    def audit(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Write an audit record; it is above every other level, so no filter drops it."""
        if self.isEnabledFor(AUDIT):
            self._log(AUDIT, message, args, **kwargs)


logging.setLoggerClass(Logger)


def getLogger(name: str) -> Logger:
    """The logger ``st2.<name>`` (names that already begin with ``st2`` stay)."""
    logger = logging.getLogger(name if name.startswith("st2") else f"st2.{name}")
    if not isinstance(logger, Logger):
        logger.__class__ = Logger
    return logger  # type: ignore[return-value]


def mask(value: Any, names: frozenset[str]) -> Any:
    """Replace text and numbers under secret names in nested objects by the mask."""
    if isinstance(value, dict):
        return {
            key: MASK if isinstance(key, str) and key.lower() in names and isinstance(item, str | int | float) else mask(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [mask(item, names) for item in value]
    return value


class _Formatter(logging.Formatter):
    def __init__(self, secret_names: frozenset[str]) -> None:
        super().__init__()
        self._secret_names = secret_names

    def extras(self, record: logging.LogRecord) -> dict[str, Any]:
        found = {key: value for key, value in vars(record).items() if key not in _STANDARD and not key.startswith("_")}
        return mask(found, self._secret_names) if found else found


class TextFormatter(_Formatter):
    """``2026-11-22 13:04:53,055 INFO [-] text (key='value')``."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record)} {record.levelname} [-] {record.name}: {record.getMessage()}"
        extras = self.extras(record)
        if extras:
            line += " (" + ",".join(f"{key}={value!r}" for key, value in extras.items()) + ")"
        if record.exc_info:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return line


class JsonFormatter(_Formatter):
    """One JSON object per line in the structured form of reactor.md section 9 (GELF 1.1)."""

    def __init__(self, secret_names: frozenset[str]) -> None:
        super().__init__(secret_names)
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "version": "1.1",
            "host": self._host,
            "short_message": str(record.msg),
            "full_message": record.getMessage(),
            "timestamp": int(record.created),
            "timestamp_f": record.created,
            "level": _SYSLOG.get(record.levelno, 6),
            "_python": {"name": record.name, "process": record.process, "processName": record.processName, "module": record.module,
                        "filename": record.filename, "funcName": record.funcName, "lineno": record.lineno},
        }  # fmt: skip
        if record.exc_info:
            document["_exception"] = str(record.exc_info[1])
            document["_traceback"] = "".join(traceback.format_exception(*record.exc_info))
        for key, value in self.extras(record).items():
            document["_" + key] = value
        return orjson.dumps(document, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Excluded(logging.Filter):
    def __init__(self, prefixes: tuple[str, ...]) -> None:
        super().__init__()
        self._prefixes = prefixes

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.name.startswith(self._prefixes)


def setup_logging(options: Any, *, debug: bool = False) -> None:
    """Send the process's log to stderr in the configured form, audit records to their own file where one is named.

    Args:
        options: the ``log`` section of the configuration.
        debug: lower the level to DEBUG.
    """
    names = frozenset(_SECRET_NAMES) | {name.lower() for name in options.mask_secrets_blacklist}
    names = names if options.mask_secrets else frozenset()
    formatter: _Formatter = JsonFormatter(names) if options.format == "json" else TextFormatter(names)
    formatter.converter = time.gmtime
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if options.audit_file:
        audit = logging.handlers.WatchedFileHandler(options.audit_file, delay=True)
        audit.setLevel(AUDIT)
        audit.setFormatter(JsonFormatter(names))
        handlers.append(audit)
        handlers[0].addFilter(lambda record: record.levelno != AUDIT)
    handlers[0].setFormatter(formatter)
    if options.excludes:
        for handler in handlers:
            handler.addFilter(_Excluded(tuple(options.excludes)))
    root = logging.getLogger()
    root.handlers[:] = handlers
    level = logging.DEBUG if debug else logging.getLevelName(options.level.upper())
    root.setLevel(level if isinstance(level, int) else logging.INFO)
    for noisy in ("amqp", "kombu", "urllib3", "apscheduler", "pymongo", "asyncssh"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def reopen_log_files() -> None:
    """Close log files; each is opened anew, under its name, with the next record (after a rotation)."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.acquire()
            try:
                if handler.stream is not None:
                    handler.stream.close()
                    handler.stream = None  # emit() opens it again
            finally:
                handler.release()
