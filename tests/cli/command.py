"""The real command, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

REAL_TIME_SECONDS = 60
Done = subprocess.CompletedProcess[str]
ARGV = (sys.executable, "-m", "runoutcome")


def environment(**given: str) -> dict[str, str]:
    """This process's environment without what would change what is printed, and with what is given."""
    dropped = ("OPENAI_", "RUNOUTCOME_", "NO_COLOR", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **given}


def call(*words: object, stdin: str = "", **given: str) -> Done:
    """What `runoutcome` prints for these words, and its exit code; `given` are environment variables."""
    done = subprocess.run(
        [*ARGV, *map(str, words)],
        env=environment(**given),
        input=stdin.encode(),
        capture_output=True,
        timeout=REAL_TIME_SECONDS,
        check=False,
    )
    return Done(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def complaint(done: Done, exit_code: int = 2) -> str:
    """The one line on stderr of a command that could not do its work."""
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (exit_code, "", 1), done
    assert done.stderr.startswith("runoutcome: ")
    return done.stderr.strip()
