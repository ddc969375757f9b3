"""The event loop of an `AsyncRuns`, asyncio or trio: sleeping, shields, tasks, calls from other threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from contextvars import Context
from typing import Any

import anyio  # the SDK's own async backend, on every line

sleep = anyio.sleep
Event = anyio.Event
move_on_after = anyio.move_on_after
CancelScope = anyio.CancelScope
create_task_group = anyio.create_task_group


async def wait_for(event: anyio.Event, timeout_seconds: float | None) -> bool:
    """True if the event was set before the time was up; None waits for ever."""
    with anyio.move_on_after(timeout_seconds):
        await event.wait()
    return event.is_set()


def shielded(seconds: float | None) -> AbstractContextManager[object]:
    """No cancellation from outside gets in for so many seconds, and then TimeoutError; None for no shield."""
    return anyio.fail_after(seconds, shield=seconds is not None)


def from_any_thread(call: Callable[[], object]) -> Callable[[], None]:
    """A function for any thread that has the loop of this moment call `call` soon; nothing if that loop has ended."""
    schedule = _scheduler_of_this_loop()

    def call_soon() -> None:
        try:
            schedule(call)
        except RuntimeError:  # the loop is closed, so no wait is left there
            return

    return call_soon


def spawn(work: Callable[[], Coroutine[Any, Any, None]], context: Context) -> object:
    """Run a coroutine function beside everything else, until it ends or the loop does; it must not raise.

    Gives something to keep while it runs. It belongs to no task group, as the iterator it works for may outlive one.
    """
    if _loop() is not None:
        return context.run(asyncio.ensure_future, work())
    import trio

    return trio.lowlevel.spawn_system_task(work, context=context)


def this_loop() -> object:
    """An object that stands for the running loop, the same as long as it runs."""
    loop = _loop()
    if loop is not None:
        return loop
    import trio

    return trio.lowlevel.current_trio_token()


def is_over(loop_or_task: object) -> bool:
    """True if a loop or a task is known to have ended for good."""
    if isinstance(loop_or_task, asyncio.Future):
        return loop_or_task.done()
    return isinstance(loop_or_task, asyncio.AbstractEventLoop) and loop_or_task.is_closed()


def _loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _scheduler_of_this_loop() -> Callable[[Callable[[], object]], object]:
    loop = _loop()
    if loop is not None:
        return loop.call_soon_threadsafe
    import trio

    return trio.lowlevel.current_trio_token().run_sync_soon
