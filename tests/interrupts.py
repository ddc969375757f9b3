"""Ctrl-C at every point of some code, one after the other, without a signal and without a clock."""

from __future__ import annotations

import dis
import gc
import sys
import threading
from collections.abc import Callable, Collection
from functools import cache, partial
from itertools import count
from types import CodeType, FrameType, ModuleType
from typing import Any, TypeVar

_T = TypeVar("_T")


class Interrupt(BaseException):
    """Stands in for KeyboardInterrupt, so that a test cannot end the tests."""


def interrupt_everywhere(
    modules: Collection[ModuleType],
    new: Callable[[], _T],
    act: Callable[[_T], object],
    check: Callable[[_T, Interrupt | None], object],
    *,
    has_begun: Callable[[_T], bool] = lambda state: True,
    everywhere: bool = False,
) -> int:
    """Call `act` again and again, each time with an `Interrupt` at a later point of `modules`, until none is left.

    Each call has a fresh value of `new`, and `check` is called with it and with what was raised. Gives the number of
    points. They are those where Python itself looks for signals: at the start of a function, where a generator goes on,
    after a call, and where a loop begins again; with `everywhere` they are all bytecodes. Left out is what the two
    outermost functions do after their last call: nothing can guard their return, and since 3.11 no signal comes there.
    `has_begun` says whether points count already.
    """
    for number in count():
        state = new()
        tracer = _Tracer({module.__file__ for module in modules}, number, partial(has_begun, state), everywhere)
        check(state, _interrupted(partial(act, state), tracer))
        if tracer.left >= 0:
            gc.collect()  # what the interrupts left half open complains here, and not in a later test
            return number
    raise AssertionError("it counts for ever")


def _interrupted(act: Callable[[], object], tracer: _Tracer) -> Interrupt | None:
    """The interrupt that leaves `act`. Raises any other exception that does.

    It runs on a thread of its own: an exception of a trace function can leave the thread with an exception in hand.
    """
    ended = list[BaseException]()

    def run() -> None:
        sys.settrace(tracer.trace)
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            ended.append(error)
        finally:
            sys.settrace(None)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in ended:
        if not isinstance(error, Interrupt):
            raise error
        return error
    return None


class _Tracer:
    """Raises an `Interrupt` at the point of this number."""

    def __init__(
        self, files: Collection[str | None], number: int, has_begun: Callable[[], bool], everywhere: bool
    ) -> None:
        self._files, self.left, self._has_begun, self._everywhere = files, number, has_begun, everywhere
        self._called: list[FrameType] = []
        """Functions that a test has called."""
        self._outermost: list[FrameType] = []

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Look at the start of a function, and have it traced further."""
        if frame.f_code.co_filename not in self._files:
            return None
        frame.f_trace = self._trace_code  # first: from Python 3.12 on the next line heeds it
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        is_ours = frame.f_back is not None and frame.f_back.f_code.co_filename in self._files
        if not is_ours:
            self._called.append(frame)
        if not is_ours or frame.f_back in self._called:
            self._outermost.append(frame)
        self._pass()
        return self._trace_code

    def _trace_code(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode" and self._is_point(frame):
            self._pass()
        return self._trace_code

    def _is_point(self, frame: FrameType) -> bool:
        if frame in self._outermost and frame.f_lasti in _ends(frame.f_code):
            return False
        return self._everywhere or frame.f_lasti in _points(frame.f_code)

    def _pass(self) -> None:
        if not self._has_begun():
            return
        self.left -= 1
        if self.left == -1:
            raise Interrupt


@cache
def _points(code: CodeType) -> frozenset[int]:
    """The offsets in a code object before which Python looks for signals."""
    points, is_after_call = set[int](), False
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name == "CACHE":
            continue
        is_jump_back = (
            "JUMP" in name and isinstance(instruction.argval, int) and instruction.argval <= instruction.offset
        )
        if is_after_call or is_jump_back:
            points.add(instruction.offset)
        is_after_call = name.startswith("CALL")
    return frozenset(points)


@cache
def _ends(code: CodeType) -> frozenset[int]:
    """The offsets in a code object that come after its last call, up to where it returns."""
    ends, tail = set[int](), list[int]()
    for instruction in dis.get_instructions(code):
        tail.append(instruction.offset)
        if instruction.opname.startswith("CALL"):
            tail.clear()
        elif "RETURN" in instruction.opname:
            ends.update(tail)
    return frozenset(ends)
