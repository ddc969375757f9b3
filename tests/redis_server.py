"""A Redis server of a test's own: Debian's `redis-server`, on a free port, in a directory of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from runoutcome.webhooks import RedisNotices

REQUIRED = "RUNOUTCOME_REDIS_REQUIRED"
"""Set in CI, where a missing server is a failure and not a skip."""
BINARY = shutil.which("redis-server") or shutil.which("valkey-server")


def check_binary() -> None:
    """Skip the test where there is no server to be had; fail in CI."""
    if BINARY is None:
        reason = "no redis-server or valkey-server on this machine (Debian: apt-get install redis-server)"
        pytest.fail(reason) if os.environ.get(REQUIRED) else pytest.skip(reason)


class RedisServer:
    """A server that can be killed and started again; it keeps nothing on disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._notices: list[RedisNotices] = []
        self.start()

    def start(self) -> None:
        """Start the server; it answers when this returns."""
        assert BINARY is not None
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self._directory, "save": "", "appendonly": "no"}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen([BINARY, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with self.client() as client:
            client.ping()

    def kill(self) -> None:
        """Kill the server, and with it all that it kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def notices(self, **options: Any) -> RedisNotices:
        """Notices over this server, which `close` closes."""
        self._notices.append(RedisNotices(self.url, **options))
        return self._notices[-1]

    def close(self) -> None:
        """Close the notices, and kill the server."""
        for notices in self._notices:
            notices.close()
        self.kill()

    def client(self) -> Redis:
        """A client that waits until the server is there."""
        return Redis.from_url(self.url, retry=Retry(ConstantBackoff(0.05), 600))
