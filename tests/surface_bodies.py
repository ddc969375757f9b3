"""Bodies of every surface but `response`, made from the rows of the catalog, and the SDK's models of them."""

from __future__ import annotations

from functools import reduce
from importlib import import_module
from itertools import pairwise
from typing import Any

from bodies import UNKNOWN_WORD
from runoutcome import Catalog, Entry

CATALOG = Catalog.load()
SURFACES = tuple(name for name in CATALOG.surfaces if name != "response")
ROWS: tuple[Entry, ...] = tuple(
    entry
    for entry in CATALOG.entries
    if entry.surface != "response" and entry.field != CATALOG.surfaces[entry.surface].output_field
)
"""Every row of these surfaces, but for the words about a completed one without output."""

_CREATED = 1_760_000_000
_COMMON: dict[str, dict[str, Any]] = {
    "batch": {
        "id": "batch_1",
        "endpoint": "/v1/responses",
        "input_file_id": "file-in",
        "completion_window": "24h",
        "created_at": _CREATED,
        "errors": None,
        "output_file_id": "file-out",
        "request_counts": {"total": 3, "completed": 2, "failed": 1},
    },
    "fine_tuning.job": {
        "id": "ftjob-1",
        "created_at": _CREATED,
        "model": "gpt-4.1-mini",
        "error": None,
        "fine_tuned_model": None,
        "hyperparameters": {"n_epochs": 3},
        "organization_id": "org-1",
        "result_files": [],
        "seed": 1,
        "training_file": "file-1",
    },
    "vector_store.file": {
        "id": "file-1",
        "created_at": _CREATED,
        "last_error": None,
        "usage_bytes": 5,
        "vector_store_id": "vs_1",
    },
    "vector_store.file_batch": {
        "id": "vsfb_1",
        "created_at": _CREATED,
        "vector_store_id": "vs_1",
        "file_counts": {"cancelled": 0, "completed": 1, "failed": 2, "in_progress": 0, "total": 3},
    },
    "eval.run": {
        "id": "evalrun_1",
        "created_at": _CREATED,
        "eval_id": "eval_1",
        "error": None,
        "model": "gpt-4.1",
        "name": "n",
        "report_url": "https://platform.example.test/e",
        "result_counts": {"errored": 1, "failed": 0, "passed": 2, "total": 3},
    },
    "realtime.response": {"id": "resp_rt", "output": [], "status_details": None},
    "video": {
        "id": "video_1",
        "created_at": _CREATED,
        "error": None,
        "model": "sora-2",
        "progress": 7,
        "seconds": "4",
        "size": "720x1280",
    },
    "thread.run": {
        "id": "run_1",
        "assistant_id": "asst_1",
        "created_at": _CREATED,
        "incomplete_details": None,
        "last_error": None,
        "model": "gpt-4.1",
        "thread_id": "thread_1",
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    },
    "agent.session.turn": {
        "id": "turn_1",
        "agent_id": "agent_1",
        "created_at": _CREATED,
        "error": None,
        "session_id": "session_1",
    },
}


def body_of(entry: Entry) -> dict[str, Any]:
    """The body that the row `entry` is about, as the API sends it."""
    word = {"literal": entry.value, "null": None, "unknown": UNKNOWN_WORD, "http_status": 503}[entry.match]
    if entry.surface == "batch.output_row":
        return _row(entry, word)
    return body(entry.surface, _status(entry, word), None if entry.field == "status" else (entry.field, word))


def body(surface: str, status: str | None, decided: tuple[str, Any] | None = None) -> dict[str, Any]:
    """A body of `surface` with this status and, where given, this value in this field."""
    place = CATALOG.surfaces[surface]
    made: dict[str, Any] = {"object": place.object, **_COMMON[surface], "status": status}
    if decided is not None:
        _put(made, decided[0].split("."), decided[1])
    return made


def failure(surface: str, code: str | None, message: str = "Something went wrong.") -> dict[str, Any]:
    """The body of what failed on `surface` with this code."""
    place = CATALOG.surfaces[surface]
    made = body(surface, "failed", (place.code_field, code))
    error = reduce(lambda found, name: found[name], place.failure_path, made)
    (error[0] if isinstance(error, list) else error)["message"] = message
    return made


def row(status_code: int | None = None, body: Any = None, error: Any = None) -> dict[str, Any]:
    """A line of a batch's output or error file."""
    answer = None if status_code is None else {"status_code": status_code, "request_id": "req_1", "body": body}
    return {"id": "batch_req_1", "custom_id": "job-1", "response": answer, "error": error}


def sdk_model(surface: str, body: dict[str, Any]) -> Any:
    """The SDK's model of `body`, built as the SDK builds it; None where the installed SDK has none."""
    path = CATALOG.surfaces[surface].sdk_model
    if path is None:
        return None
    module, _, name = path.rpartition(".")
    try:
        model = getattr(import_module(module), name, None)
    except ImportError:
        return None
    return model and model.construct(**body)


def _row(entry: Entry, word: Any) -> dict[str, Any]:
    if entry.field == "status":
        return row(200, {"object": "chat.completion"}) if word == "completed" else row(None, error={"message": "m"})
    if entry.field == "response.status_code":
        return row(int(word), {})
    return row(None, error={"code": word, "message": "Something went wrong."})


def _status(entry: Entry, word: Any) -> str | None:
    if entry.field == "status":
        return word
    told = [status for status, field in CATALOG.surfaces[entry.surface].decided_by.items() if field == entry.field]
    # A reason can go with more than one status; which one, its error type says.
    return next((status for status in told if entry.error_type == f"{status}_error"), told[0])


def _put(place: Any, path: list[str], value: Any) -> None:
    for name, below in pairwise(path):
        if name == "data":  # the one list on the way: a batch has several errors
            place[name] = [{"message": "Something went wrong.", "line": 1}]
            place = place[name][0]
        else:
            place[name] = {"message": "Something went wrong."} if below == "code" else dict(place.get(name) or {})
            place = place[name]
    place[path[-1]] = value
