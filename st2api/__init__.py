"""HTTP API (WSGI) and the event stream (ASGI)."""
