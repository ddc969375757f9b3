"""Status page of an emulator: scenario, runs, requests and the verdict so far, live in a browser.

It is served beside the API, at `/` and under `/_emulator/`, needs no key, and is not counted as a client's request.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from importlib.resources import files
from typing import Any, Protocol

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .._api.openapi import openapi_document
from .._state.recorded_request import RecordedRequest
from .._state.runs import EmulatedRun
from .._verdict.verdict import Verdict

PAGE, STATE, DOCUMENT = "/", "/_emulator/state.json", "/openapi.json"
_PATHS = (PAGE, STATE, DOCUMENT)
_RUNS_SHOWN, _REQUESTS_SHOWN, _FINDINGS_SHOWN = 100, 60, 5
_REQUEST_FIELDS = ("at", "method", "path", "route", "status", "response_id", "fault", "told", "created", "retry_after")
_SHARE_OF_TIME = 0.1
"""The largest share of the time that goes into the page; the rest is for the clients."""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
    ),
    "x-content-type-options": "nosniff",
}


class Subject(Protocol):
    """Part of an emulator that the page shows."""

    @property
    def about(self) -> dict[str, Any]:
        """Scenario, address, speed and time."""
        ...

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, oldest first."""
        ...

    @property
    def runs(self) -> list[EmulatedRun]:
        """The runs so far, oldest first."""
        ...

    def verdict(self, *, final: bool = True) -> Verdict:
        """The verdict on the client."""
        ...


def with_status_page(app: ASGIApp, subject: Subject) -> ASGIApp:
    """The application, with the page and the OpenAPI document beside it."""
    cache = _StateCache(subject)

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope["path"] not in _PATHS:
            await app(scope, receive, send)
        elif scope["path"] == DOCUMENT:
            await JSONResponse(openapi_document())(scope, receive, send)
        else:
            response = _page() if scope["path"] == PAGE else JSONResponse(await cache.state(), headers=_HEADERS)
            await response(scope, receive, send)

    return respond


class _StateCache:
    """The state as JSON, computed anew as often as its cost allows, in a thread of its own."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._state: dict[str, Any] | None = None
        self._due = 0.0

    async def state(self) -> dict[str, Any]:
        started = time.monotonic()
        if self._state is None or started >= self._due:
            self._due = math.inf  # requests that come meanwhile get the last state
            self._state = await asyncio.to_thread(_state_of, self._subject)
            ended = time.monotonic()
            self._due = ended + (ended - started) * (1 / _SHARE_OF_TIME - 1)
        return self._state


def _state_of(subject: Subject) -> dict[str, Any]:
    """Newest runs and requests first, findings by kind."""
    requests, verdict, about = subject.requests, subject.verdict(final=False), subject.about
    runs = {run.id: run for run in subject.runs}
    accounts = [account for account in verdict.runs if account.id in runs]
    return {
        **about,
        "totals": verdict.totals(),
        "statuses": Counter(account.status for account in accounts),
        "faults": Counter(request.fault for request in requests if request.fault),
        "findings": _findings(verdict),
        "runs": [
            {**account.to_dict(), **_run(runs[account.id], about["now"])}
            for account in accounts[: -_RUNS_SHOWN - 1 : -1]
        ],
        "requests": [
            {name: getattr(request, name) for name in _REQUEST_FIELDS}
            for request in requests[: -_REQUESTS_SHOWN - 1 : -1]
        ],
    }


def _run(run: EmulatedRun, now: float) -> dict[str, Any]:
    return {"word": run.word, "model": run.request["model"], "age_seconds": now - run.created_at}


def _findings(verdict: Verdict) -> list[dict[str, Any]]:
    kinds = {kind: verdict.of_kind(kind) for kind in verdict.counts()}
    return [
        {
            "kind": kind,
            "severity": findings[0].severity,
            "title": findings[0].title,
            "remedy": findings[0].remedy,
            "count": len(findings),
            "examples": [
                {"about": one.run or f"job {one.job}", "text": one.text} for one in findings[:_FINDINGS_SHOWN]
            ],
        }
        for kind, findings in kinds.items()
    ]


def _page() -> Response:
    return HTMLResponse((files("runoutcome") / "data" / "status.html").read_text("utf-8"), headers=_HEADERS)
