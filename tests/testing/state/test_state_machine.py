"""Any order of calls and any passing of time: the emulator finds no way into a state that the API does not have."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from in_process import Api, Reply

from runoutcome import Catalog, classify
from runoutcome.testing import load_scenario

QUEUED, RUNNING = 1.0, 4.0
DAY = 24 * 3600.0
KEPT = 30 * DAY
STREAMABLE = 300.0
PENDING = ("queued", "in_progress")
WITH_OUTPUT = ("completed", "incomplete")
ENDS = {"response.completed", "response.incomplete", "response.failed"}

ROWS = {entry.id: entry for entry in Catalog.load().entries if entry.surface == "response" and entry.field != "output"}
# The reason decides where there is one, and the lack of one where there is none.
DECIDED_BY = {
    "response/status/failed": "response/error/<null>",
    "response/status/incomplete": "response/incomplete_details.reason/<null>",
}
NEVER_ENDS = {"response/status/queued": "queued", "response/status/in_progress": "in_progress"}
SCRIPTED: dict[str, dict[str, Any]] = {
    "flips": {"completes_despite_cancel_seconds": 8.0},
    "expires": {"expires_after_seconds": 16.0},
    "late": {"hidden_seconds": 2.0},
    "comes-and-goes": {"missing_from_seconds": 3.0, "missing_until_seconds": 8.0},
    "cancel-409": {"cancel_status": 409},
    "cancel-200": {"cancel_status": 200},
}
SCENARIO = load_scenario(
    {
        "queued_seconds": QUEUED,
        "running_seconds": RUNNING,
        "outcomes": [
            {"name": name, "weight": 0, "queued_seconds": QUEUED, "running_seconds": RUNNING, **keys}
            for name, keys in SCRIPTED.items()
        ],
    }
)
WORDS = st.sampled_from(["response/status/completed", *SCRIPTED, *NEVER_ENDS]) | st.sampled_from(sorted(ROWS))
MOSTLY = st.sampled_from([True, True, True, False])
FORM = {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {"a": {}}}}}
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}
REQUESTS = st.sampled_from(
    [{}, {"text": FORM}, {"tools": [TOOL], "tool_choice": "required"}, {"reasoning": {"summary": "auto"}}]
)


@dataclass
class Known:
    """What the model knows of a run."""

    id: str
    word: str
    created: float
    background: bool
    streamed: bool
    cancelled: float | None = None
    deleted: bool = False
    statuses: list[str] = field(default_factory=list)
    bodies: dict[str, Any] = field(default_factory=dict)
    """The body of each terminal status."""
    events: dict[int, Any] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, Any]:
        """What is scripted for it."""
        return SCRIPTED.get(self.word, {})

    @property
    def ends(self) -> float | None:
        """When it comes to its own end."""
        if self.word in NEVER_ENDS:
            return None
        return self.created + (QUEUED + RUNNING if self.background else 0)

    def row(self, now: float) -> str:
        """The row of the catalog that decides."""
        if self.cancelled is not None:
            return f"response/status/{'completed' if self.has_flipped(now) else 'cancelled'}"
        if self.ends is None or now < self.ends:
            return f"response/status/{self.status(now)}"
        return "response/status/completed" if self.keys else DECIDED_BY.get(self.word, self.word)

    def has_flipped(self, now: float) -> bool:
        """It has completed although it was cancelled."""
        flip = self.keys.get("completes_despite_cancel_seconds")
        return self.cancelled is not None and flip is not None and now >= self.cancelled + flip

    def status(self, now: float) -> str | None:
        """The status it has to have; None where only the catalog knows."""
        if self.cancelled is not None:
            return "completed" if self.has_flipped(now) else "cancelled"
        if self.ends is not None and now >= self.ends:
            return "completed" if self.keys else None
        if self.word == "response/status/queued" or (self.background and now < self.created + QUEUED):
            return "queued"
        return "in_progress"

    def is_known(self, now: float) -> bool:
        """The server knows it."""
        age, expires = now - self.created, self.keys.get("expires_after_seconds")
        end = self.ends if self.cancelled is None else self.cancelled
        is_gone = end is not None and expires is not None and now >= end + expires
        is_missing = self.keys.get("missing_from_seconds", KEPT) <= age < self.keys.get("missing_until_seconds", KEPT)
        is_old = age >= KEPT if expires is None else False
        return not (self.deleted or is_gone or is_missing or is_old or age < self.keys.get("hidden_seconds", 0))


class BackgroundApi(RuleBasedStateMachine):
    """Clients that create, poll, stream, cancel and delete runs while time passes."""

    runs: Bundle[Known] = Bundle("runs")
    streams: Bundle[Known] = Bundle("streams")
    either = runs | streams

    def __init__(self) -> None:
        super().__init__()
        self.api = Api(SCENARIO)
        self.known: list[Known] = []

    @property
    def now(self) -> float:
        """Seconds (Unix)."""
        return self.api.clock.now()

    @rule(target=runs, word=WORDS, background=MOSTLY, stream=MOSTLY, params=REQUESTS)
    def create(self, word: str, background: bool, stream: bool, params: dict[str, Any]) -> Known:
        """A run is made, whose first sight is what it is at this moment."""
        reply = self.api.create(background=background, stream=stream, metadata={"emulate": word}, **params)
        assert reply.status == 200
        first = reply.events[0]["response"] if stream else reply.json
        run = Known(first["id"], word, self.now, background, stream)
        self.known.append(run)
        if stream:
            self.read(run, reply.events, -1)
        else:
            self.see(run, first)
        return run

    @rule(word=WORDS, params=REQUESTS)
    def stream_in_the_foreground(self, word: str, params: dict[str, Any]) -> None:
        """All of a run at once."""
        self.create(word, False, True, params)

    @rule(target=streams, word=WORDS, params=REQUESTS)
    def create_stream(self, word: str, params: dict[str, Any]) -> Known:
        """A run that can be streamed again."""
        return self.create(word, True, True, params)

    @rule(run=either, params=REQUESTS)
    def go_on_from(self, run: Known, params: dict[str, Any]) -> None:
        """A run can follow one that the server knows, and no other; it answers the calls of those before it."""
        reply = self.api.create(previous_response_id=run.id, **params)
        if reply.status == 400 and (
            call := re.search("No tool output found for function call (.*)\\.", reply.json["error"]["message"])
        ):
            output = {"type": "function_call_output", "call_id": call[1], "output": "found"}
            reply = self.api.create(**{**params, "previous_response_id": run.id, "input": [output]})
        assert reply.status == (200 if run.is_known(self.now) else 400)
        if reply.status == 200:
            self.known.append(Known(reply.json["id"], "response/status/completed", self.now, False, False))

    @rule(target=runs, word=WORDS, params=REQUESTS)
    def create_both_ways(self, word: str, params: dict[str, Any]) -> Any:
        """A run ends in the background as it does in the foreground."""
        pair = [self.create(word, background, False, params) for background in (True, False)]
        if word not in NEVER_ENDS and not SCRIPTED.get(word):
            self.api.clock.advance(QUEUED + RUNNING)
            bodies = [self.api.ask("GET", f"/v1/responses/{run.id}").json for run in pair]
            views = [plain(body) for body in bodies]
            assert views[0] == views[1]
        return multiple(*pair)

    @rule(run=either)
    def poll(self, run: Known) -> None:
        """The body of the run, for as long as the server knows it."""
        reply = self.api.ask("GET", f"/v1/responses/{run.id}")
        if self.is_found(run, reply):
            self.see(run, reply.json)
            assert self.api.requests[-1].told == reply.json["status"]

    @rule(run=either, after=st.integers(-1, 12))
    def stream(self, run: Known, after: int) -> None:
        """The events after any of them, of a run that was made to be streamed and is young enough."""
        query = f"stream=true&starting_after={after}" if after >= 0 else "stream=true"
        reply = self.api.ask("GET", f"/v1/responses/{run.id}", query=query.encode())
        if not self.is_found(run, reply):
            return
        if run.background and run.streamed and self.now < run.created + STREAMABLE:
            assert reply.status == 200
            self.read(run, reply.events, after)
        else:
            assert reply.status == 400

    @rule(run=either)
    def cancel(self, run: Known) -> None:
        """What is pending becomes cancelled; again is fine; what has ended otherwise stays as it is."""
        status, was_known = self.expected_status(run), run.is_known(self.now)
        reply = self.api.ask("POST", f"/v1/responses/{run.id}/cancel")
        if not was_known:
            assert reply.status == 404
        elif not run.background:
            assert reply.status == 400
        elif status in PENDING:
            run.cancelled = self.now
            assert reply.status == 200
            self.see(run, reply.json)
        elif status == "cancelled" or run.keys.get("cancel_status") == 200:
            assert reply.status == 200
            self.see(run, reply.json)
        else:
            assert reply.status == run.keys.get("cancel_status", 400)

    @rule(run=consumes(runs) | consumes(streams))
    def delete(self, run: Known) -> None:
        """It is gone for good."""
        reply = self.api.ask("DELETE", f"/v1/responses/{run.id}")
        if self.is_found(run, reply):
            assert reply.json == {"id": run.id, "object": "response", "deleted": True}
            run.deleted = True

    @rule(run=either)
    def list_input(self, run: Known) -> None:
        """What the run was asked."""
        reply = self.api.ask("GET", f"/v1/responses/{run.id}/input_items")
        if self.is_found(run, reply):
            assert [item["role"] for item in reply.json["data"]] == ["user"]

    @rule(seconds=st.sampled_from([0.25, 0.5, 1, 2, 4, 8]))
    def pass_moments(self, seconds: float) -> None:
        """The time in which a run begins and ends."""
        self.api.clock.advance(seconds)

    @rule(seconds=st.sampled_from([16, 286, 300, 3600, DAY, KEPT]))
    def pass_time(self, seconds: float) -> None:
        """The time in which a run is forgotten."""
        self.api.clock.advance(seconds)

    @rule(run=streams, seconds=st.sampled_from([0.5, 2, 4, 6]))
    def cancel_on_the_way(self, run: Known, seconds: float) -> None:
        """A stream whose run is cancelled, and what becomes of the two."""
        for step in (seconds, 0, 7.5, 0.5):
            self.api.clock.advance(step)
            self.stream(run, -1)
            self.poll(run)
            self.cancel(run)

    @rule(run=streams, after=st.integers(0, 12), seconds=st.sampled_from([0.5, 2, 4]))
    def follow(self, run: Known, after: int, seconds: float) -> None:
        """A stream is read, cut, resumed a while later, and read again from its start."""
        self.stream(run, -1)
        self.api.clock.advance(seconds)
        self.stream(run, min(after, max(run.events, default=0)))
        self.stream(run, -1)

    @invariant()
    def every_run_is_where_it_should_be(self) -> None:
        """Each is found until it expires or is deleted, and no run was made that nobody asked for."""
        assert [run.id for run in self.api.ledger.runs] == [run.id for run in self.known]
        for run in self.known[-4:]:
            self.poll(run)

    def is_found(self, run: Known, reply: Reply) -> bool:
        """The server knows the run when it should, and says so."""
        assert (reply.status != 404) == run.is_known(self.now)
        return reply.status != 404

    def expected_status(self, run: Known) -> str:
        """The status by the model, or by what was seen of the run's own end."""
        return run.status(self.now) or ROWS[run.word].value or str(ended(run.word))

    def see(self, run: Known, body: dict[str, Any]) -> None:
        """Check one sight of a run against the model and against all that was seen before."""
        status, expected = body["status"], run.status(self.now)
        assert body["id"] == run.id
        assert body["created_at"] == int(run.created)
        assert (status not in PENDING) if expected is None else (status == expected)
        if not run.statuses or run.statuses[-1] != status:
            before = run.statuses[-1] if run.statuses else None
            may_change = before in (None, "queued") or (before == "in_progress" and status != "queued")
            assert may_change or (before, status) == ("cancelled", "completed" if run.has_flipped(self.now) else None)
            run.statuses.append(status)
        outcome = classify(body)
        assert outcome.entry is not None
        assert outcome.entry.id == run.row(self.now)
        assert (outcome.phase == "pending") == (status in PENDING)
        assert bool(body["output"]) == (body["usage"] is not None) == (status in WITH_OUTPUT)
        assert body["error"] is None or status == "failed"
        assert body["incomplete_details"] is None or status == "incomplete"
        if status not in PENDING:
            assert run.bodies.setdefault(status, body) == body

    def read(self, run: Known, events: list[dict[str, Any]], after: int) -> None:
        """Check a part of a stream against the model and against every part that was read before."""
        numbers = [event["sequence_number"] for event in events]
        assert numbers == list(range(after + 1, after + 1 + len(events)))
        for event in events:
            assert run.events.setdefault(event["sequence_number"], event) == event
        ends = [event for event in events if event["type"] in ENDS]
        assert ends == events[-1:] if ends else True
        status = run.status(self.now)
        if after == -1:
            assert bool(ends) == (status not in PENDING)
        told = [event["response"]["status"] for event in events if "response" in event]
        assert told == sorted(told, key=lambda word: PENDING.index(word) if word in PENDING else len(PENDING))
        if ends and not run.has_flipped(self.now):
            self.see(run, ends[0]["response"])
        elif after == -1 and not ends:
            self.see(run, {**events[0]["response"], "status": told[-1]})
        if ends and after == -1 and run.cancelled is None:
            assert written(events) == said(ends[0]["response"])


def plain(body: dict[str, Any]) -> Any:
    """A body without what tells one run from another."""
    suffix = body["id"].removeprefix("resp_")
    text = re.sub(r'"call_[0-9a-f]+"', '"call"', json.dumps(body).replace(suffix, ""))
    return {
        key: value for key, value in json.loads(text).items() if key not in ("background", "created_at", "completed_at")
    }


def ended(word: str) -> Any:
    """The status that a run of this word ends with."""
    return SCENARIO.outcome(word).status


def written(events: list[dict[str, Any]]) -> str:
    """What the deltas of a stream add up to."""
    kinds = ("response.output_text.delta", "response.function_call_arguments.delta")
    return "".join(event["delta"] for event in events if event["type"] in kinds)


def said(body: dict[str, Any]) -> str:
    """The texts and the arguments of a body."""
    texts = [part["text"] for item in body["output"] if item["type"] == "message" for part in item["content"]]
    return "".join([*texts, *(item["arguments"] for item in body["output"] if item["type"] == "function_call")])


BackgroundApi.TestCase.settings = settings(max_examples=100, stateful_step_count=25)
TestBackgroundApi = BackgroundApi.TestCase
