"""A read of a socket ends when its time is up, whatever trickles in."""

from __future__ import annotations

import socket
import threading

from runoutcome._sdk.event_stream import Watchdog


def test_a_silent_read_ends() -> None:
    """The socket is shut down when the time is up, so a blocked read comes back."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(ours)
        watchdog.watch(0.05)
        assert ours.recv(1) == b""
        assert watchdog.has_expired


def test_a_read_that_ends_in_time_is_left_alone() -> None:
    """After `rest` nothing happens; the next read has its own time, longer or shorter than the last."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(ours)
        for seconds in (1800.0, 3600.0, 7200.0):
            watchdog.watch(seconds)
            theirs.sendall(b"x")
            assert ours.recv(1) == b"x"
            watchdog.rest()
        watchdog.watch(0.01)
        assert ours.recv(1) == b""
        assert watchdog.has_expired


def test_nothing_is_touched_after_stop() -> None:
    """A stopped watchdog lets go of the socket, and its thread ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(ours)
        watchdog.watch(3600.0)
        watchdog.stop()
        for thread in threading.enumerate():
            if thread is watchdog._thread:
                thread.join()
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
        assert not watchdog.has_expired


def test_without_a_socket_there_is_no_thread() -> None:
    """Where the socket cannot be had, nothing is watched."""
    watchdog = Watchdog(None)
    watchdog.watch(0.0)
    watchdog.rest()
    watchdog.stop()
    assert watchdog._thread is None
    assert not watchdog.has_expired
