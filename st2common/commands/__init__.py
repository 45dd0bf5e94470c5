"""Command line tools that need no server (operations.md sections 4 and 5)."""
