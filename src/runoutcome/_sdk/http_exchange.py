"""GETs over one HTTP/1.1 connection, one after the other: bytes in, bytes out. No I/O here; h11 knows the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import h11

MAX_HEAD_BYTES = 100 * 1024  # as the SDK's HTTP library allows

Headers = list[tuple[bytes, bytes]]


class RawAnswer(NamedTuple):
    """An answer as it came; names of headers are in lower case, and the body may be compressed."""

    status_code: int
    reason: bytes
    headers: Headers
    content: bytes


class ProtocolError(ConnectionError):
    """What was to be sent, or what came, is not HTTP: the end of the connection."""


class Exchange:
    """The state of one connection. Raises ProtocolError."""

    def __init__(self) -> None:
        import h11  # an extra, and not needed before

        self._h11 = h11
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._headers: Headers = []
        self._checked: h11.Request | None = None
        self._head: h11.Response | None = None
        self._chunks: list[bytes] = []
        self.has_begun = False
        """A byte of the answer to the last request has come."""

    def ask(self, target: bytes, headers: Headers) -> bytes:
        """What to send for a GET. The answer to the one before must be complete."""
        if self._connection.our_state is not self._h11.IDLE:
            self._connection.start_next_cycle()
        self._head, self._chunks, self.has_begun = None, [], False
        try:
            # To check the headers costs as much as to read an answer, and they are mostly those of the last request.
            known = self._checked.headers if self._checked is not None and headers == self._headers else headers
            request = self._h11.Request(method="GET", target=target, headers=known)
            self._headers, self._checked = headers, request
            return (self._connection.send(request) or b"") + (self._connection.send(self._h11.EndOfMessage()) or b"")
        except self._h11.ProtocolError as error:
            raise ProtocolError(str(error)) from error

    def receive(self, data: bytes) -> RawAnswer | None:
        """The answer, once `data` completes it; no data at all says that the other side has closed the connection."""
        self.has_begun = self.has_begun or bool(data)
        self._connection.receive_data(data)
        while True:
            try:
                event = self._connection.next_event()
            except self._h11.ProtocolError as error:
                raise ProtocolError(str(error)) from error
            if event is self._h11.NEED_DATA:
                return None
            if isinstance(event, self._h11.Response):
                self._head = event
            elif isinstance(event, self._h11.Data):
                self._chunks.append(bytes(event.data))
            elif isinstance(event, self._h11.EndOfMessage) and self._head is not None:
                return RawAnswer(
                    self._head.status_code, self._head.reason, list(self._head.headers), b"".join(self._chunks)
                )
            elif not isinstance(event, self._h11.InformationalResponse):
                raise ProtocolError("the connection was closed, or used for something else")

    @property
    def can_go_on(self) -> bool:
        """Whether the connection can be used again: both sides are done, and nothing came since, not even its end."""
        state = self._connection
        return state.our_state is state.their_state is self._h11.DONE and state.trailing_data == (b"", False)
