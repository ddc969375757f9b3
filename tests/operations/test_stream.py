"""The steps of following a stream, driven by hand: a server made of lists, and a clock that moves when they pause."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import openai
import pytest
from hypothesis import given, strategies as st

from colours import body_of, refusal
from runoutcome import Catalog, PollingLostError, RunGoneError, RunInternalServerError, WaitTimeoutError
from runoutcome._operations.effects import CloseStream, NextEvent, OpenStream, Pause, Poll, Tell
from runoutcome._operations.observation import Expected, Observation
from runoutcome._operations.poll import Wait, state_of
from runoutcome._operations.stream import Follower, next_event
from runoutcome._operations.stream_events import Emit, Ended
from runoutcome._sdk.event_stream import NoStreamError, StreamBrokenError
from runoutcome._sdk.responses import Answer, native_http_library
from runoutcome._waiting.polling import WaitPolicy
from runoutcome._waiting.resume_token import ResumeToken, loads
from runoutcome._waiting.stream_cursor import Cursor

ID = "resp_1"
SILENCE = TimeoutError("no event came")
ERROR = {"type": "error", "code": "server_error", "message": "Sorry."}
RESET = StreamBrokenError("reset")


def events_of(count: int, status: str = "completed", **fields: Any) -> list[dict[str, Any]]:
    """The events of a run that ends so, `count` of them before the last."""
    body = body_of("queued", ID)
    kinds = ["response.created", "response.in_progress", *["response.output_text.delta"] * count][:count]
    events: list[dict[str, Any]] = [
        {"type": kind, **({"response": body} if number < 2 else {"delta": f"word {number}"})}
        for number, kind in enumerate(kinds)
    ]
    last = status if status in ("completed", "incomplete") else "failed"
    events.append({"type": f"response.{last}", "response": body_of(status, ID, **fields)})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


@dataclass
class Stream:
    """What one opening of the stream brings; without changes, all events after the cursor, and no more."""

    refusal: Exception | None = None
    from_the_start: bool = False
    """The server takes no notice of the cursor."""
    skipped: frozenset[int] = frozenset()
    doubled: frozenset[int] = frozenset()
    most: int | None = None
    """So many events, and then the ending."""
    ending: Any = None
    """What comes in place of a further event: None (the end), an exception, or an event of its own."""


@dataclass
class Server:
    """Plays the events of one run; `streams` and `polls` are what the first openings and polls meet."""

    events: list[dict[str, Any]]
    streams: Sequence[Stream] = ()
    polls: Sequence[Any] = ()
    """Statuses, or exceptions."""
    now: float = 1000.0
    opened: list[int | None] = field(default_factory=list)
    asked: int = 0
    pauses: list[float] = field(default_factory=list)
    open_now: int = 0
    read_seconds: list[float] = field(default_factory=list)

    facts = (200, "req_1", f"https://api.example.test/v1/responses/{ID}?stream=true", None)

    def monotonic(self) -> float:
        """Moves by pauses and silence only."""
        return self.now

    def time(self) -> float:
        """The same clock."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Never called: the tests pause by hand."""

    def carry_out(self, effect: Any) -> Any:
        """What one effect gives."""
        match effect:
            case OpenStream(_, after, seconds):
                return self._open(after, seconds)
            case NextEvent(lines, seconds):
                self.read_seconds.append(seconds)
                return self._next(lines, seconds)
            case CloseStream():
                self.open_now -= 1
            case Poll():
                return self._poll()
            case Pause(seconds):
                self.pauses.append(seconds)
                self.now += seconds
            case Tell(function, argument):
                function(argument)
            case _:
                raise AssertionError(effect)
        return None

    def _open(self, after: int | None, seconds: float) -> Any:
        assert self.open_now <= 1
        plan = self.streams[len(self.opened)] if len(self.opened) < len(self.streams) else Stream()
        self.opened.append(after)
        self.read_seconds.append(seconds)
        if plan.refusal is not None:
            raise plan.refusal
        self.open_now += 1
        start = 0 if after is None or plan.from_the_start else after + 1
        lines = [
            event
            for event in self.events[start:]
            if event.get("sequence_number") not in plan.skipped
            for _ in range(2 if event.get("sequence_number") in plan.doubled else 1)
        ]
        if plan.most is not None:
            lines = lines[: plan.most]
        return Handle([*lines, plan.ending], self.facts)

    def _next(self, handle: Handle, seconds: float) -> Any:
        event = handle.lines.pop(0)
        if isinstance(event, TimeoutError):
            self.now += seconds
        if isinstance(event, BaseException):
            raise event
        return event

    def _poll(self) -> Any:
        told = self.polls[self.asked] if self.asked < len(self.polls) else None
        self.asked += 1
        if isinstance(told, BaseException):
            raise told
        body = self.events[-1]["response"] if told is None else body_of(told, ID)
        return Answer(json.dumps(body).encode(), 200, {}, f"https://x/{ID}", native_http_library())


@dataclass
class Handle:
    """An open stream."""

    lines: list[Any]
    facts: Any


def following(server: Server, *, known: bool = True, **options: Any) -> Follower:
    """The beginning of following the server's run."""
    policy = WaitPolicy(options.pop("max_wait_seconds", 3600.0), options.pop("interval_seconds", None))
    callbacks = {name: options.pop(name, None) for name in ("on_update", "on_fault")}
    wait = Wait(policy, server, Catalog.load(), Expected(frozenset(options.pop("accept", ()))), **callbacks)
    token = ResumeToken(ID)
    return Follower(wait, token, state_of(server, token, known=known), **options)


def play(
    server: Server, at: Follower | None = None, *, event_seconds: float = 0.0, **options: Any
) -> tuple[list[Any], Observation]:
    """The events that come, and the end; whoever gets them takes so long for each."""
    at = at or following(server, **options)
    steps = at.follow()
    events: list[Any] = []
    result: Any = None
    failure: BaseException | None = None
    while True:
        try:
            effect = steps.throw(failure) if failure is not None else steps.send(result)
        except StopIteration as end:
            assert server.open_now == 0
            return events, end.value
        failure = result = None
        if isinstance(effect, Emit):
            events.append(effect.event)
            server.now += event_seconds
            continue
        try:
            result = server.carry_out(effect)
        except BaseException as error:  # noqa: BLE001 - the steps decide
            failure = error


def numbers(events: Sequence[Any]) -> list[Any]:
    """Their numbers."""
    return [event["sequence_number"] if isinstance(event, dict) else event.sequence_number for event in events]


def http_failure(status: int) -> Exception:
    """What the SDK raises for the API's own refusal."""
    library = native_http_library()
    response = refusal(status)
    response.request = library.Request("GET", f"https://api.example.test/v1/responses/{ID}")
    with openai.OpenAI(api_key="any", http_client=library.Client(verify=False)) as client:
        return client._make_status_error_from_response(response)


def in_place_of_a_stream(content: bytes) -> NoStreamError:
    """What opening a stream raises when JSON comes."""
    return NoStreamError(Answer(content, 200, {}, "https://x", native_http_library()))


RUN_BODY = json.dumps(body_of("in_progress", ID)).encode()
FAULTS: dict[str, Stream] = {
    "reset": Stream(most=3, ending=RESET),
    "end": Stream(most=3),
    "silence": Stream(most=3, ending=SILENCE),
    "error event": Stream(most=3, ending=ERROR),
    "nested error event": Stream(most=3, ending={"type": "error", "error": {"code": 5}}),
    "no event": Stream(most=3, ending="[1]"),
    "no type": Stream(most=3, ending={"sequence_number": 3}),
    "an end that tells none": Stream(most=3, ending={"type": "response.completed", "sequence_number": 3}),
    "503": Stream(refusal=http_failure(503)),
    "408": Stream(refusal=http_failure(408)),
    "429": Stream(refusal=http_failure(429)),
    "connection": Stream(refusal=openai.APIConnectionError(request=native_http_library().Request("GET", "https://x"))),
    "not in time": Stream(refusal=TimeoutError("not opened")),
    "page": Stream(refusal=StreamBrokenError("HTML")),
    "{}": Stream(refusal=in_place_of_a_stream(b"{}")),
    "from the start": Stream(from_the_start=True, most=3),
    "doubled": Stream(doubled=frozenset(range(9))),
    "left out": Stream(skipped=frozenset({4, 5})),
    "last left out": Stream(skipped=frozenset({8})),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_each_event_comes_once(name: str, times: int) -> None:
    """Whatever the first streams are like, the events are those of the run, each once and in order."""
    fault = FAULTS[name]
    streams = [fault] if name == "left out" else [fault] * times
    server = Server(events_of(8), streams, polls=["in_progress"] * 9)
    events, seen = play(server)
    assert events == server.events
    assert seen.outcome.ok


def test_a_good_stream_is_one_request() -> None:
    """Without a fault nothing is paused for, nothing polled, and the stream is opened once, from its start."""
    server = Server(events_of(5))
    events, _ = play(server)
    assert (server.opened, server.asked, server.pauses) == ([None], 0, [])
    assert events == server.events


def test_it_goes_on_after_the_last_event() -> None:
    """What is asked for is what comes after the last event that was passed on."""
    server = Server(events_of(8), [Stream(most=2), Stream(most=1, ending=RESET), Stream(most=3)])
    play(server)
    assert server.opened == [None, 1, 2, 5]


def test_new_events_reset_the_delays() -> None:
    """A stream that brought something new is opened again after the first delay, and the run is not asked."""
    server = Server(events_of(8), [Stream(most=1, ending=RESET)] * 8)
    play(server)
    assert server.asked == 0
    assert all(0.4 <= pause <= 0.6 for pause in server.pauses)


def test_a_silent_run_is_asked_before_the_stream_is_opened_again() -> None:
    """A stream that brought nothing new may be dead, or the run may be at work: the run itself says which."""
    server = Server(events_of(8), [Stream(most=3), Stream(most=0, ending=SILENCE)], polls=["in_progress"])
    told: list[Any] = []
    events, _ = play(server, on_update=lambda outcome: told.append(outcome.status))
    assert numbers(events) == list(range(9))
    assert (server.opened, server.asked) == ([None, 2, 2], 1)
    assert told == ["queued", "in_progress", "completed"]


def test_a_run_that_ended_meanwhile_gives_its_last_events_all_the_same() -> None:
    """When the run says that it has ended, what the server still has of the stream is fetched first."""
    server = Server(events_of(8), [Stream(most=3), Stream(most=0, ending=SILENCE)])
    events, seen = play(server)
    assert events == server.events
    assert (server.asked, seen.outcome.status) == (1, "completed")
    assert server.read_seconds[-1] == 10.0


def test_an_end_without_its_event_gets_one() -> None:
    """Where the stream cannot be had to its end, one event of the end is made of the body, and marked."""
    server = Server(events_of(8), [Stream(most=3), *[Stream(most=0)] * 9])
    events, seen = play(server)
    assert numbers(events) == [0, 1, 2, 3]
    last = events[-1]
    assert (type(last).__name__, last.type, last.synthetic) == ("ResponseCompletedEvent", "response.completed", True)
    assert (last.response.id, last.response) == (ID, seen.origin.run)
    assert len(server.opened) == 6  # four times more after the run had said that it ended


@pytest.mark.parametrize(
    ("status", "kind", "cls"),
    [
        ("failed", "response.failed", "ResponseFailedEvent"),
        ("incomplete", "response.incomplete", "ResponseIncompleteEvent"),
        ("cancelled", "response.failed", "ResponseFailedEvent"),
        ("expired", "response.failed", "ResponseFailedEvent"),
    ],
)
def test_an_event_is_made_of_every_end(status: str, kind: str, cls: str) -> None:
    """What has no event of its own is in `response.failed`, as the API has it."""
    server = Server(events_of(3, status), [Stream(refusal=http_failure(400))])
    events, seen = play(server)
    assert [(type(event).__name__, event.type, event.response.status) for event in events] == [(cls, kind, status)]
    assert events[0].sequence_number == 0
    assert seen.outcome.status == status


# No stream to be had


REFUSALS = {
    "400": http_failure(400),
    "404": http_failure(404),
    "405": http_failure(405),
    "422": http_failure(422),
    "the run itself": in_place_of_a_stream(RUN_BODY),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_where_there_is_no_stream_the_run_is_polled(name: str) -> None:
    """It is not asked for again, and the end is one event."""
    server = Server(events_of(5), [Stream(refusal=REFUSALS[name])], polls=["queued", "in_progress"])
    told: list[Any] = []
    events, seen = play(server, on_update=lambda outcome: told.append(outcome.status))
    assert (server.opened, server.asked) == ([None], 3)
    assert [event.type for event in events] == ["response.completed"]
    assert told == ["queued", "in_progress", "completed"]
    assert seen.outcome.ok


def test_past_the_wall_it_goes_on_by_polling() -> None:
    """A stream that breaks off when the run is too old for another keeps what it gave, and ends with the end."""
    server = Server(events_of(8), [Stream(most=4, ending=RESET), Stream(refusal=http_failure(400))], ["in_progress"])
    events, _ = play(server)
    assert numbers(events) == [0, 1, 2, 3, 4]
    assert [event["type"] for event in events[:-1]] == [event["type"] for event in server.events[:4]]
    assert events[-1].synthetic is True


def test_after_five_fruitless_streams_the_run_is_polled() -> None:
    """Streams that bring nothing are given up, and what the server has is fetched when the run has ended."""
    server = Server(events_of(8), [Stream(most=2), *[Stream(most=0)] * 5], polls=["in_progress"] * 6)
    events, _ = play(server)
    assert events == server.events
    assert server.opened == [None, *[1] * 6]
    assert server.asked == 7


def test_a_model_that_thinks_in_silence_is_not_given_up() -> None:
    """Silence while the run says that it is going is no fault of the stream."""
    silent = [Stream(most=0, ending=SILENCE)] * 20
    server = Server(events_of(8), [Stream(most=2), *silent], polls=["in_progress"] * 60)
    events, _ = play(server, idle_seconds=1.0)
    assert events == server.events
    assert len(server.opened) == 22


def test_after_five_minutes_of_silence_the_run_is_polled() -> None:
    """Silence is waited out for as long as the API opens a stream for a run, and no longer."""
    silent = [Stream(most=0, ending=SILENCE)] * 999
    server = Server(events_of(8), [Stream(most=2), *silent], polls=["in_progress"] * 99)
    events, _ = play(server, idle_seconds=10.0)
    assert (numbers(events), events[-1].synthetic) == ([0, 1, 2], True)
    assert 20 <= len(server.opened) <= 30


def test_a_run_just_created_may_not_be_there_yet() -> None:
    """404 for a run that was created just now says nothing."""
    server = Server(events_of(4), [Stream(refusal=http_failure(404))], polls=[http_failure(404), "queued"])
    at = following(server)
    at.state = replace(at.state, created=server.now)
    assert play(server, at)[0] == server.events


def test_a_gap_does_not_cost_the_stream_that_has_it() -> None:
    """If there is no other stream to be had, the one that left something out goes on."""
    server = Server(events_of(8), [Stream(skipped=frozenset({4})), Stream(refusal=http_failure(400))])
    events, _ = play(server)
    assert numbers(events) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert len(server.opened) == 2


def test_what_is_missing_is_asked_for_until_it_can_be() -> None:
    """A fault that meets the request for the missing events has it made again."""
    server = Server(events_of(8), [Stream(skipped=frozenset({4})), FAULTS["503"], FAULTS["page"]], polls=["queued"] * 9)
    assert play(server)[0] == server.events


def test_a_gap_is_asked_for_once() -> None:
    """What does not come the second time either is passed over."""
    server = Server(events_of(8), [Stream(skipped=frozenset({4, 7}))] * 9)
    events, _ = play(server)
    assert numbers(events) == [0, 1, 2, 3, 5, 6, 8]
    assert server.opened == [None, 3, 6]


def test_events_without_numbers_are_not_given_twice() -> None:
    """A stream without numbers that breaks off is not begun again: the run is polled."""
    bare = [{name: value for name, value in event.items() if name != "sequence_number"} for event in events_of(5)]
    server = Server(bare, [Stream(most=3, ending=RESET)], polls=["in_progress"])
    events, _ = play(server)
    assert events[:-1] == bare[:3]
    assert (events[-1].type, server.opened) == ("response.completed", [None])


def test_a_cursor_is_where_it_begins() -> None:
    """Only what comes after a given cursor is asked for and passed on, also from a server that begins anew."""
    for stream in (Stream(), Stream(from_the_start=True)):
        server = Server(events_of(8), [stream])
        events, _ = play(server, cursor=Cursor(5))
        assert (numbers(events), server.opened) == ([6, 7, 8], [5])


# What is raised


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("when", ["opening", "asking"])
def test_refused_keys_are_raised_at_once(status: int, when: str) -> None:
    """401 and 403 are the SDK's own error, whoever meets them, with the token and the cursor."""
    error = http_failure(status)
    streams = [Stream(most=2), Stream(refusal=error) if when == "opening" else Stream(most=0)]
    with pytest.raises(openai.APIStatusError) as caught:
        play(Server(events_of(8), streams, polls=[error]))
    assert caught.value is error
    token = loads(getattr(error, "run_token", ""))
    assert (token.response_id, token.cursor, token.seen) == (ID, 1, True)


def test_a_run_that_is_gone() -> None:
    """A real 404 for a run that was seen is RunGoneError, as from `poll`."""
    server = Server(events_of(8), [Stream(most=2), Stream(refusal=http_failure(404))], polls=[http_failure(404)] * 2)
    with pytest.raises(RunGoneError) as caught:
        play(server)
    assert loads(caught.value.token or "").cursor == 1


def test_a_run_that_never_was() -> None:
    """404 for an id nobody has seen is the SDK's own error."""
    server = Server([], [Stream(refusal=http_failure(404))], polls=[http_failure(404)])
    with pytest.raises(openai.NotFoundError) as caught:
        play(server, known=False)
    assert not isinstance(caught.value, RunGoneError)


def test_the_deadline_covers_the_stream() -> None:
    """A run that is silent to the end of the wait is polled once more, and WaitTimeoutError holds the cursor."""
    server = Server(
        events_of(8), [Stream(most=3, ending=SILENCE), *[Stream(most=0, ending=SILENCE)] * 9], ["queued"] * 9
    )
    with pytest.raises(WaitTimeoutError) as caught:
        play(server, max_wait_seconds=100.0)
    assert server.now <= 1100.0
    assert loads(caught.value.token or "").cursor == 2
    assert server.open_now == 0


def test_a_stream_that_goes_on_and_on_ends_at_the_deadline() -> None:
    """Events that come without end do not prolong the wait."""
    beats = ({"type": "keepalive", "sequence_number": number} for number in range(3, 10_000))
    server = Server([*events_of(3)[:3], *beats], polls=["in_progress"])
    with pytest.raises(WaitTimeoutError):
        play(server, event_seconds=1.0, max_wait_seconds=50.0)
    assert server.now <= 1051.0


def test_no_time_is_one_poll() -> None:
    """Waiting for 0 seconds opens no stream; it asks once."""
    server = Server(events_of(4))
    events, seen = play(server, max_wait_seconds=0.0)
    assert (server.opened, server.asked, len(events), seen.outcome.ok) == ([], 1, 1, True)


def test_a_pending_run_that_is_accepted() -> None:
    """At the deadline a pending run that the caller accepts is the end, without an event that says it has ended."""
    server = Server(events_of(8), [Stream(refusal=http_failure(400))], polls=["in_progress"] * 999)
    at = following(server, max_wait_seconds=60.0, accept=["pending"])
    events, seen = play(server, at)
    assert (events, seen.outcome.phase) == ([], "pending")
    assert at.result(seen).status == "in_progress"


def test_polls_that_fail_for_too_long() -> None:
    """An outage of streams and polls that outlasts the budget is PollingLostError; the run is left alone."""
    server = Server(events_of(8), [Stream(refusal=RESET)] * 999, polls=[http_failure(503)] * 999)
    with pytest.raises(PollingLostError) as caught:
        play(server, max_wait_seconds=None)
    assert server.now - 1000 >= 600
    assert isinstance(caught.value.__cause__, openai.InternalServerError)


def test_an_outage_that_ends_costs_no_event() -> None:
    """After minutes in which nothing answers, the stream goes on where it was."""
    server = Server(events_of(8), [Stream(most=2), Stream(refusal=RESET)], polls=[http_failure(503)] * 40 + ["queued"])
    events, _ = play(server)
    assert events == server.events
    assert server.now - 1000 > 100


def test_a_run_that_failed_is_raised_only_when_asked_for() -> None:
    """The steps give what the run has become; the result is what raises, a fresh exception each time."""
    server = Server(events_of(4, "failed", error={"code": "server_error", "message": "Sorry."}))
    at = following(server)
    events, seen = play(server, at)
    assert events == server.events
    errors = []
    for _ in range(2):
        with pytest.raises(RunInternalServerError) as caught:
            at.result(seen)
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert (errors[0].request_id, errors[0].poll_status_code, errors[0].code) == ("req_1", 200, "server_error")
    assert loads(errors[0].run_token or "").cursor == 4


def test_what_interrupts_leaves_with_the_cursor() -> None:
    """Ctrl-C while an event is waited for closes the stream and carries the token."""
    server = Server(events_of(8), [Stream(most=3, ending=KeyboardInterrupt())])
    with pytest.raises(KeyboardInterrupt) as caught:
        play(server)
    assert loads(getattr(caught.value, "run_token", "")).cursor == 2
    assert server.open_now == 0


def test_a_callers_function_that_raises_leaves_too() -> None:
    """What a callback raises is not taken for a fault of the stream."""

    def refuse(_: object) -> None:
        raise OSError("disk full")

    server = Server(events_of(8))
    with pytest.raises(OSError, match="disk full"):
        play(server, on_update=refuse)
    assert (len(server.opened), server.open_now) == (1, 0)


def test_a_foreign_error_is_no_fault() -> None:
    """What nobody raises who reads a stream is not swallowed."""
    with pytest.raises(ZeroDivisionError):
        play(Server(events_of(8), [Stream(most=1, ending=ZeroDivisionError())]))
    with pytest.raises(ZeroDivisionError):
        play(Server(events_of(8), [Stream(refusal=ZeroDivisionError())]))


def test_a_failed_event_without_a_body_is_confirmed() -> None:
    """A `response.failed` event that holds no run is the connection's word: the run is asked before it counts."""
    bare = {"type": "response.failed", "error": {"code": "server_error", "message": "m"}, "sequence_number": 4}
    stream = Stream(most=4, ending=bare)
    events, seen = play(Server(events_of(8), [stream], ["queued"]))
    assert (seen.outcome.status, len(events)) == ("completed", 9)
    _, seen = play(Server(events_of(8, "failed", error={"code": "server_error", "message": "m"}), [stream]))
    assert (seen.outcome.status, seen.outcome.response_id) == ("failed", ID)


def test_faults_are_told() -> None:
    """`on_fault` hears what went wrong with each stream that is simply opened again."""
    server = Server(events_of(8), [FAULTS["error event"], FAULTS["503"], FAULTS["reset"]], polls=["queued"])
    told: list[BaseException] = []
    play(server, on_fault=told.append)
    assert [type(error).__name__ for error in told] == ["StreamBrokenError", "InternalServerError", "StreamBrokenError"]
    assert "server_error" in str(told[0])


# One event at a time


def test_the_steps_stop_at_each_event() -> None:
    """What drives the steps gets one event at a time, then what the run has become."""
    server = Server(events_of(2))
    steps = following(server).follow()
    found: list[Any] = []
    while not (found and isinstance(found[-1], Ended)):
        part, result = next_event(steps), None
        while True:
            try:
                result = server.carry_out(part.send(result))
            except StopIteration as end:
                found.append(end.value)
                break
    assert [one.event for one in found[:-1]] == server.events
    assert found[-1].seen.outcome.ok


def test_closing_twice_closes_once() -> None:
    """Nothing is closed that is not open."""
    server = Server([])
    at = following(server)
    assert list(at.close()) == []
    at.handle = handle = object()
    assert list(at.close()) == [CloseStream(handle)]
    assert list(at.close()) == []


# Whatever comes


ENDINGS: list[Any] = [None, RESET, SILENCE, ERROR, {"type": 5}]
small = st.frozensets(st.integers(0, 9), max_size=4)
any_stream = st.one_of(
    st.builds(Stream, refusal=st.sampled_from([RESET, http_failure(503), in_place_of_a_stream(b"{}")])),
    st.builds(
        Stream,
        from_the_start=st.booleans(),
        doubled=small,
        most=st.one_of(st.none(), st.integers(0, 12)),
        ending=st.sampled_from(ENDINGS),
    ),
)


@given(st.integers(1, 9), st.lists(any_stream, max_size=4), st.integers(0, 5))
def test_no_event_twice_and_none_lost(count: int, streams: list[Stream], pending: int) -> None:
    """Over any row of drops, replays, copies and refusals, the events are exactly those of the run."""
    server = Server(events_of(count), streams, polls=["in_progress"] * (len(streams) + pending))
    events, seen = play(server)
    assert events == server.events
    assert seen.outcome.ok


@given(st.integers(1, 9), st.lists(st.tuples(small, st.sampled_from(ENDINGS)), max_size=3))
def test_gaps_are_filled(count: int, gaps: list[tuple[frozenset[int], Any]]) -> None:
    """Events that one stream leaves out come from the next, if that has them."""
    streams = [one for skipped, ending in gaps for one in (Stream(skipped=skipped, ending=ending), Stream(most=10))]
    server = Server(events_of(count), streams, polls=["in_progress"] * 20)
    events, _ = play(server)
    assert events == server.events


refused = st.builds(Stream, refusal=st.sampled_from([http_failure(400), http_failure(404)]))
leaky = st.builds(Stream, skipped=small, doubled=small, most=st.integers(0, 9), ending=st.sampled_from(ENDINGS))
told = st.sampled_from(["queued", "in_progress", http_failure(500), RESET, "completed"])


@given(st.lists(st.one_of(any_stream, refused, leaky), max_size=30), st.lists(told, max_size=30))
def test_it_always_ends(streams: list[Stream], polls: list[Any]) -> None:
    """Whatever the server does, the numbers that are passed on only grow, and the last event is the end."""
    server = Server(events_of(8), streams, polls)
    events, seen = play(server)
    assert numbers(events) == sorted(set(numbers(events)))
    assert [event["type"] if isinstance(event, dict) else event.type for event in events][-1] == "response.completed"
    assert seen.outcome.ok
