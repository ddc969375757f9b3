"""A process that is told to end in the middle of a poll ends, though its poll has no answer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from colours import WAYS, RawServer

LIMIT_SECONDS = 25.0
"""For the end of a process. A poll that is not interrupted takes 30 s, and the wait goes on after it."""
WAIT = """
import asyncio, sys, threading
import openai
from runoutcome import AsyncRuns, Runs

def transport():
    return "fast" if way.endswith("-fast") else "client"

def poll():
    with openai.OpenAI(api_key="k", base_url=base_url) as client:
        Runs(client, transport=transport()).poll("resp_1", max_wait_seconds=seconds)

async def poll_async():
    async with openai.AsyncOpenAI(api_key="k", base_url=base_url) as client:
        await AsyncRuns(client, transport=transport()).poll("resp_1", max_wait_seconds=seconds)

way, base_url = sys.argv[1:3]
seconds = float(sys.argv[3]) if sys.argv[3] != "None" else None
"""
IN_THE_FOREGROUND = "poll() if way.startswith('sync') else asyncio.run(poll_async())"
IN_THE_BACKGROUND = """
async def until_told():
    task = asyncio.ensure_future(poll_async())
    await asyncio.to_thread(sys.stdin.readline)

if way.startswith("sync"):
    threading.Thread(target=poll, daemon=True).start()
    sys.stdin.readline()
else:
    asyncio.run(until_told())
"""


@contextmanager
def polling(way: str, seconds: float | None, code: str) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of a poll, whose answer is held until the process is gone."""
    asked = threading.Event()

    def hold(connection: socket.socket, _: str) -> None:
        asked.set()
        connection.recv(1)

    command = [sys.executable, "-c", WAIT + code, way]
    with RawServer(hold) as server:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen([*command, server.base_url, str(seconds)], text=True, **pipes) as process:
            try:
                assert asked.wait(2 * LIMIT_SECONDS), process.communicate(timeout=LIMIT_SECONDS)
                yield process
            finally:
                process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("seconds", [None, 3600.0])
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_ends_a_wait(way: str, seconds: float | None) -> None:
    """Ctrl-C in the middle of a poll ends the wait and the process, on every transport, with and without deadline."""
    with polling(way, seconds, IN_THE_FOREGROUND) as process:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors.splitlines()


@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_ends_waits_for_no_poll(way: str) -> None:
    """A process whose main thread or main task ends in the middle of a poll exits, without a word."""
    with polling(way, 3600.0, IN_THE_BACKGROUND) as process:
        output, errors = process.communicate("end\n", timeout=LIMIT_SECONDS)
    assert (process.returncode, output, errors) == (0, "", "")
