"""What the HTTP services (API, auth, stream) share: common headers, bodies, error answers, health, and the gunicorn process.

Only the HTTP services import this package; nothing else in ``st2common`` does.
"""
