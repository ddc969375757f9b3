"""The command `runoutcome`. Needs the extra `runoutcome[cli]`."""

from __future__ import annotations

import sys

_EXTRA = ("typer", "rich")


def main() -> None:
    """Run the command line, and exit with the code of the command."""
    try:
        from ._app import run_app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        print('The command line needs its extra: pip install "runoutcome[cli]"', file=sys.stderr)
        sys.exit(2)
    sys.exit(run_app())
