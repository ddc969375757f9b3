"""The command, run in this process; or in a process of its own, for a test about signals, terminals and pipes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from runoutcome.cli._app import run_app

ARGV = (sys.executable, "-m", "runoutcome")
REAL_TIME_SECONDS = 300
"""A bound on the wait for another process."""


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what changes the output, and with these variables."""
    dropped = ("OPENAI_", "RUNOUTCOME_", "NO_COLOR", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **variables}


def call(*words: object, stdin: str = "", **variables: str) -> Done:
    """Run `runoutcome` with these words and environment variables in this process."""
    settings = environment(**variables)
    streams = {
        name: io.TextIOWrapper(io.BytesIO(content), settings["PYTHONIOENCODING"], newline="\n", write_through=True)
        for name, content in (("stdin", stdin.encode()), ("stdout", b""), ("stderr", b""))
    }
    with (
        mock.patch.dict(os.environ, settings, clear=True),
        mock.patch.multiple(sys, argv=["runoutcome", *map(str, words)], **streams),
    ):
        code = run_app()
    out, err = (streams[name].buffer.getvalue().decode() for name in ("stdout", "stderr"))
    return Done(code, out, err)


@contextmanager
def started(*words: object, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, which is killed at the end."""
    argv = [*ARGV, *map(str, words)]
    pipes: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(argv, env=environment(**variables), text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def signalled(process: subprocess.Popen[str], number: int = signal.SIGINT) -> Done:
    """How the command ended after a signal."""
    process.send_signal(number)
    out, err = process.communicate(timeout=REAL_TIME_SECONDS)
    return Done(process.returncode, out, err)


def complaint(done: Done, exit_code: int = 2) -> str:
    """The one line on stderr of a command that could not do its work."""
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (exit_code, "", 1), done
    assert done.stderr.startswith("runoutcome: ")
    return done.stderr.strip()
