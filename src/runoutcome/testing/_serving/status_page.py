"""The status page: what an emulator plays, its runs, its requests and the verdict so far, live in a browser.

Served beside the API, at `/` and under `/_emulator/`: it needs no key, and nobody's client is charged with it.
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
from .._verdict.verdict import RunAccount, Verdict

PAGE, STATE, DOCUMENT = "/", "/_emulator/state.json", "/openapi.json"
_PATHS = (PAGE, STATE, DOCUMENT)
_RUNS_SHOWN, _REQUESTS_SHOWN, _FINDINGS_SHOWN = 100, 60, 5
_SHARE_OF_TIME = 0.1
"""At most this much of the time goes into what the page shows; the rest is for the clients."""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
    ),
    "x-content-type-options": "nosniff",
}


class Watched(Protocol):
    """What the page needs of an emulator."""

    @property
    def about(self) -> dict[str, Any]:
        """What it plays, how fast, and the time by its clock."""
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
        """What the client did well and badly."""
        ...


def with_status_page(app: ASGIApp, watched: Watched) -> ASGIApp:
    """The application, and beside it the page and the OpenAPI document."""
    view = _View(watched)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope["path"] not in _PATHS:
            await app(scope, receive, send)
        elif scope["path"] == DOCUMENT:
            await JSONResponse(openapi_document())(scope, receive, send)
        else:
            response = _page() if scope["path"] == PAGE else JSONResponse(await view.state(), headers=_HEADERS)
            await response(scope, receive, send)

    return both


def state_of(watched: Watched) -> dict[str, Any]:
    """What the page shows, as JSON: the newest runs and requests first, the findings kind by kind."""
    requests, runs, verdict = watched.requests, watched.runs, watched.verdict(final=False)
    about = watched.about
    made = {run.id: run for run in runs}
    accounts = [account for account in verdict.runs if account.id in made]
    return {
        **about,
        "totals": verdict.totals(),
        "statuses": Counter(account.status for account in accounts),
        "faults": Counter(request.fault for request in requests if request.fault),
        "findings": _findings(verdict),
        "runs": [_run(account, made[account.id], about["now"]) for account in accounts[: -_RUNS_SHOWN - 1 : -1]],
        "requests": [_request(request) for request in requests[: -_REQUESTS_SHOWN - 1 : -1]],
    }


class _View:
    """The state as JSON, made anew as often as its cost allows, in a thread of its own."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._state: dict[str, Any] | None = None
        self._due = 0.0

    async def state(self) -> dict[str, Any]:
        started = time.monotonic()
        if self._state is None or started >= self._due:
            self._due = math.inf  # whoever comes meanwhile gets what there is
            self._state = await asyncio.to_thread(state_of, self._watched)
            ended = time.monotonic()
            self._due = ended + (ended - started) * (1 / _SHARE_OF_TIME - 1)
        return self._state


def _page() -> Response:
    return HTMLResponse((files("runoutcome") / "data" / "status.html").read_text("utf-8"), headers=_HEADERS)


def _findings(verdict: Verdict) -> list[dict[str, Any]]:
    found = [(kind, verdict.of_kind(kind)) for kind in verdict.counts()]
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
        for kind, findings in found
    ]


def _run(account: RunAccount, run: EmulatedRun, now: float) -> dict[str, Any]:
    return {**account.to_dict(), "word": run.word, "model": run.request["model"], "age_seconds": now - run.created_at}


def _request(request: RecordedRequest) -> dict[str, Any]:
    names = ("at", "method", "path", "route", "status", "response_id", "fault", "told", "created", "retry_after")
    return {name: getattr(request, name) for name in names}
