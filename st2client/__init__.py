"""The `st2` command line and the Python client library. Imports nothing of the server."""
