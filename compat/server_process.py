"""Servers as processes of their own: started on a free port, waited for, and ended. Stdlib only."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY_SECONDS, END_SECONDS = 120, 20


@contextmanager
def running(
    commands: Sequence[Sequence[str | Path]], url: str, variables: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run the commands, the last of which serves this URL, in an empty folder, until the block ends.

    `variables` are added to those of the environment. Raises RuntimeError with the end of what was printed if nothing
    answers.
    """
    with tempfile.TemporaryDirectory() as directory, (Path(directory) / "log").open("w+") as log:
        started = [
            subprocess.Popen(
                command, cwd=directory, env={**os.environ, **(variables or {})}, stdout=log, stderr=subprocess.STDOUT
            )
            for command in commands
        ]
        try:
            if not answers(url, started[-1]):
                raise RuntimeError(f"did not start: {Path(log.name).read_text()[-500:]}")
            yield
        finally:
            for process in reversed(started):
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def answers(url: str, process: subprocess.Popen[Any]) -> bool:
    """Whether the server answers anything, before long."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.5)
        else:
            return True
    return False


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
