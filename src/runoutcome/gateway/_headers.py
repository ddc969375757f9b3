"""Headers of requests and answers on their way through. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Headers = Sequence[tuple[bytes, bytes]]

STRICT = b"x-runoutcome-strict"
"""Header by which a client says `off`: its polls are answered as they are."""
_OWN = frozenset({b"host", b"accept-encoding", STRICT})
_HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authorization"),
    }
)


def values_of(headers: Headers, name: bytes) -> list[bytes]:
    """The values of a header, split at commas, in lower case."""
    lines = [value for key, value in headers if key.lower() == name]
    return [part.strip().lower() for line in lines for part in line.split(b",")]


def end_to_end(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers that go on: without those of one connection, named by the standard or by `Connection`."""
    dropped = {*_HOP_BY_HOP, *values_of(headers, b"connection")}
    if values_of(headers, b"transfer-encoding"):
        dropped.add(b"content-length")  # it counts for nothing, and another server may believe it
    return [(name, value) for name, value in ((name.lower(), value) for name, value in headers) if name not in dropped]


def upstream_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of a request for the upstream. It is asked for no compression but gzip, the one that is read."""
    passed = [(name, value) for name, value in end_to_end(headers) if name not in _OWN]
    accepted = values_of(headers, b"accept-encoding")
    if accepted:
        passed.append((b"accept-encoding", b"gzip" if any(map(_is_gzip, accepted)) else b"identity"))
    return passed


def has_body(headers: Headers) -> bool:
    """True if a request with these headers has a body."""
    return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _is_gzip(coding: bytes) -> bool:
    name, _, weight = coding.partition(b";")
    return name.strip() in (b"gzip", b"x-gzip", b"*") and weight.replace(b" ", b"").rstrip(b"0.") != b"q="
