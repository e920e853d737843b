"""The command's entry: says what to install where the server is not."""

from __future__ import annotations

import sys
from typing import NoReturn

CANNOT_START = 2


def main() -> NoReturn:
    """Run the command line; 0 done, 1 refused or failed, 2 not started."""
    try:
        from focusmate_server import commands
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        sys.stderr.write("focusmate: the server is not installed: install focusmate[server]\n")
        sys.exit(CANNOT_START)
    commands.main()
