"""The thread of an emulator: there for as long as somebody holds it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from runoutcome.testing._serving.loop_thread import LoopThread


async def ident() -> int:
    """The thread that a coroutine runs in."""
    return threading.get_ident()


def thread_of(loop: asyncio.AbstractEventLoop) -> int:
    """The thread of a running loop."""
    return asyncio.run_coroutine_threadsafe(ident(), loop).result(60)


def test_holders_share_one_loop() -> None:
    """Whoever holds it gets the same loop, which runs in a thread of its own and ends with the last holder."""
    thread = LoopThread()
    loop = thread.hold("a")
    assert thread.hold("b") is loop
    assert thread_of(loop) != threading.get_ident()
    thread.release("a")
    assert thread_of(loop)
    thread.release("b")
    assert loop.is_closed()


def test_it_can_be_held_again() -> None:
    """After the end a new holder gets a new loop."""
    thread = LoopThread()
    first = thread.hold("a")
    thread.end()
    second = thread.hold("a")
    assert (first.is_closed(), thread_of(second) > 0) == (True, True)
    thread.end()
    assert second.is_closed()


def test_a_stranger_ends_nothing() -> None:
    """Releasing and forgetting what does not hold it changes nothing, before, between and after."""
    thread = LoopThread()
    thread.release("a")
    thread.forget("a")
    thread.end()
    loop = thread.hold("a")
    thread.release("b", "c")
    thread.forget("b")
    assert thread_of(loop)
    thread.end()
    thread.release("a")
    thread.forget("a")
    assert loop.is_closed()


def test_a_finalizer_does_not_wait() -> None:
    """`forget` can be called in the loop's own thread, where waiting for the end would never come to one."""
    thread = LoopThread()
    loop = thread.hold("a")
    (runner,) = (found for found in threading.enumerate() if found.ident == thread_of(loop))
    loop.call_soon_threadsafe(thread.forget, "a")
    runner.join(60)
    assert loop.is_closed()


def test_tasks_that_are_left_are_cancelled() -> None:
    """Nothing goes on behind the end."""
    thread = LoopThread()
    task = asyncio.run_coroutine_threadsafe(asyncio.sleep(3600), thread.hold("a"))
    thread.release("a")
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - concurrent.futures has its own CancelledError
        task.result(60)
    assert type(caught.value).__name__ == "CancelledError"
