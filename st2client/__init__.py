"""The `st2` command line and the Python client library. Imports nothing of the server."""

__version__ = "0.1.0"
"""Version of the platform this client belongs to."""

API_COMPATIBILITY_VERSION = "3.10dev"
"""The StackStorm version whose client behaviour this package has; printed first by `st2 --version`, as scripts expect it there."""
