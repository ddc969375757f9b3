"""GETs over one connection, as bytes."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given, strategies

from runoutcome._sdk.http_exchange import Exchange, ProtocolError

HEADERS = [(b"Host", b"a.test"), (b"X-Own", b"1")]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\n"
ANSWERS = {
    "length": HEAD + b"Content-Length: 5\r\n\r\nhello",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "after a 103": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + HEAD + b"Content-Length: 5\r\n\r\nhello",
}


def asked() -> Exchange:
    """An exchange whose request is on its way."""
    exchange = Exchange()
    exchange.ask(b"/v1/responses/resp_1", HEADERS)
    return exchange


def test_what_is_sent() -> None:
    """A request is a GET of the target with the headers as they are given, in their order."""
    assert Exchange().ask(b"/v1/r?x=1", HEADERS) == b"GET /v1/r?x=1 HTTP/1.1\r\nHost: a.test\r\nX-Own: 1\r\n\r\n"


@pytest.mark.parametrize("header", [(b"X-Bad", b"a\r\nb: c"), (b"X Bad", b"a")], ids=repr)
def test_what_no_header_may_be_is_not_sent(header: tuple[bytes, bytes]) -> None:
    """A header that would be more than one line, or has no proper name, is refused."""
    with pytest.raises(ProtocolError):
        Exchange().ask(b"/", [*HEADERS, header])


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
@given(data=strategies.data())
def test_an_answer_in_any_pieces(answer: bytes, data: Any) -> None:
    """However an answer is cut, it is complete with its last byte, and the connection can be used again."""
    exchange = asked()
    cuts = sorted(data.draw(strategies.sets(strategies.integers(1, len(answer) - 1))))
    for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True):
        assert not exchange.can_go_on
        got = exchange.receive(answer[start:end])
        assert (got is not None) == (end == len(answer))
    assert got is not None
    assert (got.status_code, got.reason, got.content) == (200, b"OK", b"hello")
    assert got.headers[:3] == [(b"content-type", b"application/json"), (b"x-a", b"1"), (b"x-a", b"2")]
    assert exchange.can_go_on


def test_one_after_the_other() -> None:
    """A second GET gets its own answer."""
    exchange = asked()
    exchange.receive(ANSWERS["length"])
    assert exchange.has_begun
    exchange.ask(b"/", HEADERS)
    assert not exchange.has_begun
    got = exchange.receive(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert got is not None
    assert (got.status_code, got.content) == (404, b"")


def test_headers_that_change_are_checked_again() -> None:
    """A header that changed since the last request is sent as it is now, and refused if it is none."""
    exchange = asked()
    exchange.receive(ANSWERS["length"])
    assert b"X-Own: 2\r\n" in exchange.ask(b"/", [HEADERS[0], (b"X-Own", b"2")])
    exchange.receive(ANSWERS["length"])
    with pytest.raises(ProtocolError):
        exchange.ask(b"/", [HEADERS[0], (b"X-Own", b"2\r\nX-More: 3")])


def test_a_body_that_ends_with_the_connection() -> None:
    """Without a length the body is what comes until the server closes, and the connection is of no more use."""
    exchange = asked()
    assert exchange.receive(b"HTTP/1.1 200 OK\r\n\r\nhel") is None
    assert exchange.receive(b"lo") is None
    got = exchange.receive(b"")
    assert got is not None
    assert got.content == b"hello"
    assert not exchange.can_go_on


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
    ],
    ids=["close", "old", "more than was asked for"],
)
def test_a_connection_of_no_more_use(answer: bytes) -> None:
    """After an answer that ends the connection, or has something behind it, nothing else is asked there."""
    exchange = asked()
    assert exchange.receive(answer) is not None
    assert not exchange.can_go_on


@pytest.mark.parametrize("cut", [0, 10, len(HEAD) + 5, len(ANSWERS["length"]) - 1])
def test_a_cut_answer_is_an_error(cut: int) -> None:
    """An answer that ends before it is complete is none."""
    exchange = asked()
    if cut:
        assert exchange.receive(ANSWERS["length"][:cut]) is None
    with pytest.raises(ProtocolError):
        exchange.receive(b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.test ESMTP\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ],
    ids=["no HTTP", "an upgrade", "a head without end", "two lengths", "another encoding"],
)
def test_what_is_no_answer(answer: bytes) -> None:
    """What is no answer to a GET is an error."""
    with pytest.raises(ProtocolError):
        asked().receive(answer)


@given(pieces=strategies.lists(strategies.binary(max_size=60) | strategies.sampled_from(list(ANSWERS.values()))))
def test_any_bytes(pieces: list[bytes]) -> None:
    """Whatever comes is waited for, an answer, or an a ProtocolError, and the end of the connection is no more."""
    exchange = asked()
    try:
        for piece in pieces:
            if exchange.receive(piece or b"\r") is not None:
                return
        assert exchange.receive(b"") is None or exchange.has_begun
    except ProtocolError:
        pass


def test_the_body_is_as_it_came() -> None:
    """What the server compressed is still so."""
    body = zlib.compress(b"hello")
    got = asked().receive(HEAD + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert got is not None
    assert zlib.decompress(got.content) == b"hello"
