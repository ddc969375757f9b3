"""Exceptions that are data: built from their `args` alone, copied and pickled without a live object inside.

`args` is `(text, state)`, both short texts, so `pickle`, `copy`, process pools and anything that stores an
exception as its class and its `args` (Celery's JSON) give back an error of the same class with the same outcome.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._waiting.attempts import Attempt
from .snapshot import Snapshot

ARGS = "runoutcome.args"
"""Key in `response.extensions`: an error rebuilt from a synthetic response keeps its outcome."""


class Portable:
    """Mixin for exceptions; comes before the SDK's class in the bases."""

    message: str
    run_token: str | None = None
    """Resume token: give it to `Runs.poll` to go on with this run; None where no run of ours is behind the error."""
    attempts: tuple[Attempt, ...] = ()
    """The runs of the job that have ended, in order; a pickle holds the last four. Empty where there was no job."""

    @property
    def token(self) -> str | None:
        """The resume token; the same as `run_token`."""
        return self.run_token

    def _snapshot(self) -> Snapshot:
        """Everything to carry beside the message."""
        raise NotImplementedError

    if not TYPE_CHECKING:
        # Built on each access, not per raise: most errors are handled where they happen.
        @property
        def args(self):
            return self._snapshot().dump(self.message)

        @args.setter
        def args(self, value):  # BaseException's own machinery may assign it
            pass

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args  # type: ignore[attr-defined]  # pyright: ignore

    def __copy__(self) -> Any:
        return self._copied(dict(self.__dict__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        # The outcome is frozen and a synthetic response is built again on demand: only the body is worth copying.
        values = {name: value for name, value in self.__dict__.items() if name not in ("response", "request")}
        with suppress(Exception):  # a body that cannot be copied is shared
            values["run"] = copy.deepcopy(values["run"], memo)
        return self._copied(values)

    def _copied(self, values: dict[str, Any]) -> Any:
        twin: Any = type(self).__new__(type(self))
        twin.__dict__.update(values)
        if isinstance(self, BaseException):
            twin.__cause__, twin.__suppress_context__ = self.__cause__, self.__suppress_context__
        return twin


def snapshot_in(message: str, state: str | None, response: Any) -> Snapshot:
    """The snapshot in an exception's own args, or in a response of ours; an empty one if neither holds any.

    Raises ValueError for a `state` that is no snapshot.
    """
    if state is None:
        extensions = getattr(response, "extensions", None)
        message, state = extensions.get(ARGS, ("", None)) if isinstance(extensions, Mapping) else ("", None)
    return Snapshot.load(message, state) if state is not None else Snapshot()
