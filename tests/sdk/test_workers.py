"""Calls that are waited for until a deadline, and no longer."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar

import pytest

from runoutcome._sdk import worker_threads as _workers
from runoutcome._sdk.worker_threads import Workers

PATIENCE = 30.0
word = ContextVar("word", default="nobody's")


def test_a_call_gives_its_result_on_a_thread_of_its_own() -> None:
    """What the function gives comes back; it ran on a daemon thread, which the next call uses too."""
    workers = Workers()
    first, second = (workers.call(threading.current_thread, PATIENCE) for _ in range(2))
    assert first is second is not threading.current_thread()
    assert first.daemon


def test_calls_at_the_same_time_have_a_thread_each() -> None:
    """A call that has not ended does not hold up another one."""
    workers, barrier = Workers(), threading.Barrier(2)
    others = [threading.Thread(target=workers.call, args=(barrier.wait, PATIENCE)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert not barrier.broken


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, TimeoutError])
def test_what_the_function_raises_comes_out(kind: type[BaseException]) -> None:
    """An exception of the function is raised where it was called, the same object; the thread stays of use."""
    workers, error = Workers(), kind("m")

    def fail() -> None:
        raise error

    with pytest.raises(kind) as caught:
        workers.call(fail, PATIENCE)
    assert caught.value is error
    assert workers.call(lambda: 1, PATIENCE) == 1


def test_nobody_waits_beyond_the_deadline() -> None:
    """When the time is up it is a TimeoutError; the call goes on, and what it brings is dropped."""
    workers, go_on, ended = Workers(), threading.Event(), threading.Event()

    class Result:
        pass

    results: list[weakref.ref[Result]] = []

    def take_long() -> Result:
        go_on.wait(PATIENCE)
        result = Result()
        results.append(weakref.ref(result))
        weakref.finalize(result, ended.set)
        return result

    with pytest.raises(TimeoutError, match=r"not ended after 0.01 s"):
        workers.call(take_long, 0.01)
    go_on.set()
    assert ended.wait(PATIENCE)
    assert results[0]() is None


def test_without_a_deadline_the_call_is_made_in_place() -> None:
    """A call that may take as long as it likes needs no thread."""
    assert Workers().call(threading.current_thread, None) is threading.current_thread()


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_is_no_call(seconds: float) -> None:
    """A call for which no time is left is not made."""
    with pytest.raises(TimeoutError):
        Workers().call(pytest.fail, seconds)


def test_the_callers_context_is_there() -> None:
    """The function sees the context variables of its caller, of the moment; what it sets stays with it."""
    workers = Workers()
    token = word.set("mine")
    try:
        assert workers.call(word.get, PATIENCE) == "mine"
        workers.call(lambda: word.set("theirs"), PATIENCE)
        assert word.get() == "mine"
    finally:
        word.reset(token)
    assert workers.call(word.get, PATIENCE) == "nobody's"


def test_idle_threads_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread without work ends after a while, and the next call has a new one."""
    monkeypatch.setattr(_workers, "LINGER_SECONDS", 0.001)
    workers = Workers()
    first = workers.call(threading.current_thread, PATIENCE)
    first.join(PATIENCE)
    assert not first.is_alive()
    assert workers.call(threading.current_thread, PATIENCE) is not first


def test_a_result_is_kept_by_nobody() -> None:
    """A thread that waits for work keeps neither the last function nor its result nor its error."""

    class Thing:
        def __call__(self) -> Thing:
            return self

        def fail(self) -> None:
            raise ValueError

    thing = Thing()
    gone = weakref.ref(thing)
    workers = Workers()
    workers.call(thing, PATIENCE)
    with pytest.raises(ValueError):  # noqa: PT011 - its own
        workers.call(thing.fail, PATIENCE)
    del thing
    workers.call(int, PATIENCE)
    gc.collect()
    assert gone() is None


def test_without_a_thread_the_call_is_made_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, as in an interpreter about to exit, the caller makes the call himself."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert Workers().call(threading.current_thread, PATIENCE) is threading.current_thread()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # multi-threaded, as what is tested
def test_a_fork_starts_its_own_threads() -> None:
    """In a forked process, where the threads of its parent are not, a call works."""
    workers = Workers()
    workers.call(int, PATIENCE)
    child = os.fork()
    if child == 0:
        try:
            os._exit(workers.call(lambda: 7, PATIENCE))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_the_wait() -> None:
    """Ctrl-C in the main thread comes out at once, while the call goes on."""
    workers, go_on = Workers(), threading.Event()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        go_on.wait(PATIENCE)

    with pytest.raises(KeyboardInterrupt):
        workers.call(interrupt, PATIENCE)
    go_on.set()


EXITS = {
    "while a call goes on": """
import time
try:
    workers.call(lambda: time.sleep(3600), 0.01)
except TimeoutError:
    print("left")
""",
    "in an exit handler": """
import atexit
atexit.register(lambda: print(workers.call(lambda: "left", 5.0)))
""",
}


@pytest.mark.parametrize("code", EXITS.values(), ids=EXITS.keys())
def test_the_interpreter_exits(code: str) -> None:
    """An interpreter exits with a call still going on, and quietly."""
    script = f"from runoutcome._sdk.worker_threads import Workers\nworkers = Workers()\n{code}\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert (done.stdout, done.stderr) == ("left\n", "")


def test_many_calls_by_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls by many threads at once, while idle threads end all the time, each give their own result."""
    monkeypatch.setattr(_workers, "LINGER_SECONDS", 1e-5)
    workers = Workers()
    wrong: list[tuple[int, int]] = []

    def ask(number: int) -> Callable[[], int]:
        return lambda: number

    def caller(start: int) -> None:
        for number in range(start, start + 200):
            if (got := workers.call(ask(number), PATIENCE)) != number:
                wrong.append((number, got))

    callers = [threading.Thread(target=caller, args=(start,)) for start in range(0, 2000, 200)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert wrong == []
