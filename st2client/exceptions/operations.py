"""Errors of operations that were understood but could not be carried out."""

from st2client.exceptions.base import StackStormCLIBaseException


class OperationFailureException(StackStormCLIBaseException):
    """The operation failed; the message has been (or is) shown to the user. Exit code 2 on the command line (cli.md 1)."""
