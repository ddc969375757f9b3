"""`StrictPolls`: polls of failed runs answered with an HTTP error, for clients that understand nothing else."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from .._catalog.catalog import Catalog
from .._outcome.body import FIELD
from .._outcome.classify import classify
from .._outcome.field import field_of
from .._outcome.outcome import Outcome
from ..asgi._outcome import BODY_HEADERS, MAX_BODY_BYTES, unzipped
from ._headers import STRICT, values_of
from ._proxy import App, Message, Receive, Send

NO_STATUS = 424
"""Failed Dependency, for a run whose failure has no HTTP error status: no SDK sends such a request again by itself."""
RESPONSE_ID = b"x-runoutcome-response-id"

_POLL = re.compile(rb"/responses/([^/]+)/?\Z")
_DROPPED = BODY_HEADERS | {b"content-type", b"content-encoding", b"x-should-retry", b"retry-after", b"retry-after-ms"}
_HEADER_VALUE = re.compile(r"[\x21-\x7e]{1,2000}")


class StrictPolls:
    """Turns `GET /responses/{id}` of a run that failed, ended early or expired into an HTTP error.

    Only whole JSON answers, as `OutcomeMiddleware` gives them. Creates and cancels pass: an error would look as if they
    were refused. Streams pass; so do cancelled runs, which somebody asked for, and requests with
    `x-runoutcome-strict: off`.
    """

    def __init__(self, app: App, *, catalog: Catalog | None = None) -> None:
        self._app = app
        self._catalog = catalog or Catalog.load()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle an http scope. Raises what the application raises."""
        match = _POLL.search(scope["raw_path"])
        if scope["method"] != "GET" or match is None or b"off" in values_of(scope["headers"], STRICT):
            return await self._app(scope, receive, send)
        start: Message | None = None

        async def send_judged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_json(message):
                start = message
                return
            if start is not None:
                error = None if message.get("more_body", False) else self._error(start, message, match[1])
                await send(start if error is None else error[0])
                start, message = None, message if error is None else error[1]
            await send(message)

        return await self._app(scope, receive, send_judged)

    def _error(self, start: Message, message: Message, path_id: bytes) -> tuple[Message, Message] | None:
        """The messages of an error in place of the answer; None if it passes."""
        headers = [(name.lower(), value) for name, value in start["headers"]]
        is_gzip = values_of(headers, b"content-encoding") == [b"gzip"]
        try:
            text = unzipped(message["body"], MAX_BODY_BYTES) if is_gzip else message["body"]
            outcome = classify(text, catalog=self._catalog)
            if not _is_failed(outcome):
                return None
            run = json.loads(text)
        except (ValueError, zlib.error):  # also a number of more digits than Python reads
            return None
        run_id = outcome.response_id or unquote(path_id.decode("ascii"))
        body = json.dumps({"error": error_of(run, outcome, run_id)}).encode()
        is_claimed = outcome.status_code is not None and outcome.status_code >= 400
        kept = [(name, value) for name, value in headers if name not in _DROPPED]
        kept += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        kept += [(b"x-should-retry", b"false")]
        kept += [(RESPONSE_ID, run_id.encode())] if _HEADER_VALUE.fullmatch(run_id) else []
        status = outcome.status_code if is_claimed else NO_STATUS
        return (
            {"type": "http.response.start", "status": status, "headers": kept},
            {"type": "http.response.body", "body": body},
        )


def error_of(run: Mapping[str, Any], outcome: Outcome, run_id: str) -> dict[str, Any]:
    """The error for an envelope of the API: the run's own, completed, with the `outcome` field and the run's id."""
    places = [part for name in ("error", "incomplete_details") if isinstance(part := run.get(name), Mapping)]
    own = run["error"] if isinstance(run.get("error"), Mapping) else {}
    claims = [part[FIELD] for part in (*places, run) if FIELD in part]
    return {
        "message": outcome.message or f"{outcome.title}. {outcome.remedy}",
        "type": outcome.error_type,
        "param": None,
        "code": outcome.code or outcome.reason,
        **{name: value for name, value in own.items() if value is not None},
        FIELD: claims[0] if claims else field_of(outcome),
        "response_id": run_id,
        "response_status": outcome.status,
    }


def _is_json(start: Message) -> bool:
    """The answer that starts so is a success in JSON."""
    kind = b"".join(values_of(start["headers"], b"content-type")).partition(b";")[0].strip()
    return 200 <= start["status"] < 300 and kind.endswith((b"/json", b"+json"))


def _is_failed(outcome: Outcome) -> bool:
    return (
        outcome.surface == "response"
        and outcome.phase == "terminal"
        and not outcome.ok
        and outcome.status != "cancelled"
    )
