"""gunicorn's ASGI worker, with streams that end when the process is told to stop."""

from __future__ import annotations

from gunicorn.workers.gasgi import ASGIWorker


class StreamWorker(ASGIWorker):
    """At SIGTERM the endless answers end at once instead of holding the process until the grace period is over."""

    def handle_exit_signal(self) -> None:
        super().handle_exit_signal()
        drain = getattr(self.app, "drain", None)
        if drain is not None:
            drain()
