"""Decides whose body an answer holds, by its id and by the run's key. Pure, but for what `KnownRuns` remembers.

own       it has the id that was asked for, or the key of that run: some servers name a run anew in each answer
other     it has the id or the key of another run that is known here: a stray answer
unknown   nobody knows its id. The run is asked for once more, on a new connection; what is unknown then, too, is
          named so by its server
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Literal

from .resume_token import ResumeToken

Whose = Literal["own", "other", "unknown"]
MAX_KNOWN = 100_000


class KnownRuns:
    """The ids and keys of the runs that a `Runs` has made or was asked for, up to the last 100,000. Thread-safe."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()
        """The id of the run that has this id or key."""

    def add(self, token: ResumeToken) -> None:
        """Remember a run."""
        for name in (token.response_id, token.key):
            if name is not None:
                self._ids[name] = token.response_id
        while len(self._ids) > MAX_KNOWN:
            with suppress(KeyError):  # another thread was faster
                self._ids.popitem(last=False)

    def whose(self, token: ResumeToken, response_id: str | None, key: str | None) -> Whose:
        """The owner of a body with this id and key that came for the run of `token`."""
        if response_id == token.response_id:
            return "own"
        if self._is_other(token, response_id):  # first: a caller may give several runs one key
            return "other"
        if key is not None and key == token.key:
            return "own"
        # An id without its key may be one of the names that a server gave to a run of ours: the key is no proof then.
        return "other" if token.key is not None and self._is_other(token, key) else "unknown"

    def _is_other(self, token: ResumeToken, name: str | None) -> bool:
        return name is not None and self._ids.get(name, token.response_id) != token.response_id
