"""Errors of the gateway: for the person who starts it, and for the client whose request it could not pass on."""

from __future__ import annotations

import json
from types import MappingProxyType

from .._sdk.upstream import UpstreamError

Headers = list[tuple[bytes, bytes]]

_TYPE = "gateway_error"
_STATUSES = MappingProxyType({"connect_error": 502, "connect_timeout": 504, "read_error": 502, "read_timeout": 504})
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_NOT_SENT = "The request was not sent."
_MAYBE_SENT = "The API may have received the request: if it creates a run, the run may exist and be paid for."


class GatewayError(Exception):
    """The gateway cannot start: a wrong upstream, a taken port, a recording that exists."""

    __module__ = "runoutcome.gateway"


def failure_answer(error: UpstreamError, upstream: str, method: str) -> tuple[int, Headers, bytes]:
    """Status, headers and body for a request without an answer of the API.

    Nothing in it is a mark of the API, or proves that a create was refused.
    """
    did = "cannot connect to" if not error.is_sent else "got no whole answer from"
    fate = _MAYBE_SENT if error.is_sent else _NOT_SENT
    message = f"The gateway {did} {upstream} ({error}). {fate}"
    may_repeat = method in _IDEMPOTENT or not error.is_sent
    return error_answer(_STATUSES[error.kind], f"gateway_{error.kind}", message, may_repeat=may_repeat)


def error_answer(status: int, code: str, message: str, *, may_repeat: bool) -> tuple[int, Headers, bytes]:
    """Status, headers and body of an error of the gateway, in the envelope of the API.

    Unless `may_repeat`, the SDKs are asked to send the request no second time.
    """
    body = json.dumps({"error": {"message": message, "type": _TYPE, "param": None, "code": code}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return status, headers if may_repeat else [*headers, (b"x-should-retry", b"false")], body
