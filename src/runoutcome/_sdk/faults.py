"""What an exception that came out of a request says: whether it is about the run at all."""

from __future__ import annotations

from . import APIConnectionError, APIStatusError, met_dead_loop, transport_errors

_KEEP_POLLING = (408, 409, 429)


class NoRunBodyError(Exception):
    """A 2xx answer to a poll that is no run body: HTML, `{}`, cut or empty JSON."""


def is_poll_fault(error: BaseException) -> bool:
    """Whether what came of a poll says nothing about the run, so that it is simply asked again. A 404 is none."""
    if isinstance(error, APIStatusError):
        return error.status_code in _KEEP_POLLING or not 400 <= error.status_code < 500
    if isinstance(error, (NoRunBodyError, APIConnectionError, *transport_errors())):
        return True
    return met_dead_loop(error)
