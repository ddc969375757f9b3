"""What makes an exception data: built from its `args` alone, copied and pickled without a live object inside.

`args` is `(text, state)`, both short texts, so `pickle`, `copy`, process pools and anything that stores an
exception as its class and its `args` (Celery's JSON) give back an error of the same class with the same outcome.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._outcome.outcome import Outcome
from .._waiting.attempts import Attempt, pack
from . import snapshot as _snapshot


class Portable:
    """Mixin for exceptions; comes before the SDK's class in the bases."""

    message: str
    run_token: str | None = None
    """Resume token: give it to `Runs.poll` to go on with this run; None where no run of ours is behind the error."""
    attempts: tuple[Attempt, ...] = ()
    """The runs of the job that have ended, in order; of many only the last travel. Empty where there was no job."""

    @property
    def token(self) -> str | None:
        """The resume token; the same as `run_token`."""
        return self.run_token

    def _state(self) -> tuple[Outcome | None, dict[str, Any]]:
        """The outcome to carry, and JSON values to carry beside it."""
        raise NotImplementedError

    if not TYPE_CHECKING:
        # Built when asked for, not per raise: most errors are handled where they happen.
        @property
        def args(self):
            outcome, extra = self._state()
            tries = pack(self.attempts, outcome.response_id if outcome else None)
            if self.run_token is not None:  # the token holds the id, which can be long
                outcome, extra = outcome and replace(outcome, response_id=None), {**extra, "id": None}
            return _snapshot.dump(self.message, outcome, {"token": self.run_token, "tries": tries, **extra})

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
        if "run" in values:
            values["run"] = copy.deepcopy(values["run"], memo)
        return self._copied(values)

    def _copied(self, values: dict[str, Any]) -> Any:
        twin: Any = type(self).__new__(type(self))
        twin.__dict__.update(values)
        if isinstance(self, BaseException):
            twin.__cause__, twin.__suppress_context__ = self.__cause__, self.__suppress_context__
        return twin
