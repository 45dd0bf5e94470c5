"""Base of the client's own errors."""


class StackStormCLIBaseException(Exception):
    """Base of every error the command line raises itself."""
