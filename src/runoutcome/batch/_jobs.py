"""Reads a job file: one JSON object a line, in the OpenAI Batch input format. Checks every line before any POST."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

URL = "/v1/responses"
_KEYS = ("custom_id", "method", "url", "body")


class JobFileError(ValueError):
    """A job file that cannot be run; the message names the line and says what to do."""

    __module__ = "runoutcome.batch"


@dataclass(frozen=True)
class JobLine:
    """One job: its line in the file (from 1), its `custom_id`, and the body of its request."""

    __module__ = "runoutcome.batch"

    line: int
    custom_id: str
    body: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """Short hash of the body, to notice a job that changed after it was submitted."""
        text = json.dumps(self.body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_jobs(path: Path) -> list[JobLine]:
    """Return the jobs of a file, in its order. Raises JobFileError for the first fault."""
    try:
        return parse_jobs(path.read_bytes(), str(path))
    except IsADirectoryError:
        raise JobFileError(f"{path} is a directory; name a file with one JSON object a line") from None
    except OSError as error:
        raise JobFileError(f"{path} cannot be read: {error.strerror}") from None


def parse_jobs(content: bytes, name: str) -> list[JobLine]:
    """Return the jobs in the content of a file; its `name` stands in messages. Raises JobFileError for a fault."""
    jobs: list[JobLine] = []
    seen: dict[str, int] = {}
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not raw.strip():
            continue
        try:
            job = _job(number, raw)
            first = seen.setdefault(job.custom_id, number)
            if first != number:
                raise JobFileError(
                    f"custom_id {job.custom_id!r} is used by line {first} already; give each job its own"
                )
        except JobFileError as error:
            raise JobFileError(f"{name}, line {number}: {error}") from None
        jobs.append(job)
    if not jobs:
        raise JobFileError(f"{name} is empty; put one JSON object a line into it: custom_id, method, url and body")
    return jobs


def _job(number: int, raw: bytes) -> JobLine:
    try:
        row = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise JobFileError(f"not UTF-8 (byte {error.start + 1} of the line)") from None
    except json.JSONDecodeError as error:
        raise JobFileError(f"not JSON: {error.msg}, at character {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise JobFileError(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise JobFileError(f"a JSON object is expected, with {', '.join(_KEYS)}")
    missing = [key for key in _KEYS if key not in row]
    if missing:
        raise JobFileError(f"{', '.join(missing)} missing; a job has {', '.join(_KEYS)}")
    custom_id, method, url, body = (row[key] for key in _KEYS)
    if not isinstance(custom_id, str) or not custom_id.strip():
        raise JobFileError(f"custom_id is a string that is not empty; got {_short(custom_id)}")
    if method != "POST":
        raise JobFileError(f'method is "POST"; got {_short(method)}')
    if url != URL:
        raise JobFileError(f'url is "{URL}", the only endpoint with background runs; got {_short(url)}')
    _check_body(body)
    try:
        check_sendable(custom_id, body)
    except UnicodeEncodeError:
        raise JobFileError("it holds half of a character (a lone surrogate), which cannot be sent") from None
    return JobLine(number, custom_id, body)


def _check_body(body: Any) -> None:
    if not isinstance(body, dict) or not body:
        raise JobFileError(f"body is the JSON object of a Responses request; got {_short(body)}")
    model = body.get("model")
    if "model" in body and (not isinstance(model, str) or not model):
        raise JobFileError(f"body.model is the name of a model; got {_short(model)}")
    if "model" not in body and "prompt" not in body:
        raise JobFileError("body.model is missing")
    if body.get("stream"):
        raise JobFileError("body.stream is set; jobs are polled, so leave it out")
    if "background" in body and body["background"] is not True:
        raise JobFileError("body.background is not true; jobs are background runs, so leave it out")
    if not isinstance(body.get("background_options") or {}, dict):
        raise JobFileError(f"body.background_options is an object; got {_short(body['background_options'])}")
    if not isinstance(body.get("metadata") or {}, dict):
        raise JobFileError(f"body.metadata is an object of texts; got {_short(body['metadata'])}")


def check_sendable(custom_id: str, body: Mapping[str, Any]) -> None:
    """Raise UnicodeEncodeError for a job with a lone surrogate: JSON can spell it, HTTP cannot send it."""
    json.dumps([custom_id, body], ensure_ascii=False).encode("utf-8")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:59] + "…"
