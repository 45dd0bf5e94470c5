"""Errors the command line raises itself (HTTP errors are those of `requests`)."""
