"""What every service shares: the pure rooms (decisions), the stateful rooms (documents, bus, files) and the process frame."""

__version__ = "0.1.0"

API_COMPATIBILITY_VERSION = "3.10dev"
"""The StackStorm version whose API and behaviour this platform answers for."""
