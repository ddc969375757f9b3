"""A read of a socket ends when its time is up, whatever trickles in."""

from __future__ import annotations

import socket
import threading

from runoutcome._sdk.watchdog import Watchdog


def test_a_silent_read_ends() -> None:
    """The socket is shut down when the time is up, so a blocked read comes back."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        dog = Watchdog(ours)
        dog.watch(0.05)
        assert ours.recv(1) == b""
        assert dog.has_bitten


def test_a_read_that_ends_in_time_is_left_alone() -> None:
    """After `rest` nothing happens; the next read has its own time, longer or shorter than the last."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        dog = Watchdog(ours)
        for seconds in (1800.0, 3600.0, 7200.0):
            dog.watch(seconds)
            theirs.sendall(b"x")
            assert ours.recv(1) == b"x"
            dog.rest()
        dog.watch(0.01)
        assert ours.recv(1) == b""
        assert dog.has_bitten


def test_nothing_is_touched_after_stop() -> None:
    """A stopped watchdog lets go of the socket, and its thread ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        dog = Watchdog(ours)
        dog.watch(3600.0)
        dog.stop()
        for thread in threading.enumerate():
            if thread is dog._thread:
                thread.join()
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
        assert not dog.has_bitten


def test_without_a_socket_there_is_no_thread() -> None:
    """Where the socket cannot be had, nothing is watched."""
    dog = Watchdog(None)
    dog.watch(0.0)
    dog.rest()
    dog.stop()
    assert dog._thread is None
    assert not dog.has_bitten
