"""The `st2` console script.

`--version` is answered here, before anything is imported: scripts and prompts call it often, and it must stay cheap
(tests/unit/client/test_import_weight.py watches over it).
"""

from __future__ import annotations

import sys


def version_line() -> str:
    """What `st2 --version` prints."""
    from st2client import API_COMPATIBILITY_VERSION, __version__

    python = ".".join(str(part) for part in sys.version_info[:3])
    return f"st2 {API_COMPATIBILITY_VERSION} (platform {__version__}), on Python {python}"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--version"]:
        print(version_line())
        return 0
    from st2client.shell import Shell

    return Shell().run(arguments)


if __name__ == "__main__":
    sys.exit(main())
