"""HTTP answers and the SDK's responses: reading them, and building synthetic ones that were never sent."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from . import SDK_VERSION, APIResponseValidationError, Response

MAX_ID_CHARS = 2000  # the HTTP libraries refuse an address of more than 64 KB
_LARGEST_FLOAT = 2**1023
_CONSTRUCTOR_NAMES = ("_BaseModel__cls", "_fields_set")
DEFAULT_URL = "https://api.openai.com/v1/responses"


def native_http_library() -> ModuleType:
    """The HTTP library the installed SDK is written for."""
    return importlib.import_module("httpx2" if int(SDK_VERSION.partition(".")[0]) >= 3 else "httpx")


def http_library_of(response: object) -> ModuleType:
    """The HTTP library `response` belongs to: a 2.x client can carry `httpx2`, and a 3.x client legacy `httpx`."""
    name = type(response).__module__.partition(".")[0]
    return sys.modules[name] if name in ("httpx", "httpx2") and name in sys.modules else native_http_library()


def is_http_response(obj: object) -> bool:
    """True for a raw answer of an HTTP library that the SDK speaks through."""
    return type(obj).__module__.partition(".")[0] in ("httpx", "httpx2") and hasattr(obj, "status_code")


def facts_of(response: Any) -> tuple[int, str | None, str | None, ModuleType]:
    """Status code, request id, address and HTTP library of a raw answer; the address of one never asked for is None."""
    try:
        url = str(response.url)
    except RuntimeError:
        url = None
    return response.status_code, response.headers.get("x-request-id"), url, http_library_of(response)


def run_url(response_id: str | None, polled_url: object = None) -> str:
    """The address of the run: where it was polled, without credentials and query, else the API's own address."""
    if polled_url is not None:
        parts = urlsplit(str(polled_url))
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    if not response_id or len(response_id) > MAX_ID_CHARS:
        return DEFAULT_URL
    return f"{DEFAULT_URL}/{quote(response_id, safe='', errors='replace')}"


def synthetic_request(library: ModuleType, url: str) -> Any:
    """A GET of `url` without a single header of the caller's (those hold the key)."""
    return library.Request("GET", url)


def synthetic_response(
    library: ModuleType, url: str, status_code: int, headers: Mapping[str, str], payload: object
) -> Any:
    """An HTTP response of the caller's own library that was never sent; its `.synthetic` is True."""
    response = library.Response(
        status_code,
        headers={"content-type": "application/json", **{name: ascii_only(text) for name, text in headers.items()}},
        content=json.dumps(payload, default=str).encode("utf-8", "backslashreplace"),
        request=synthetic_request(library, url),
    )
    response.synthetic = True
    return response


def ascii_only(text: str) -> str:
    """`text` as an HTTP header can hold it."""
    return text if text.isascii() and text.isprintable() else quote(text, errors="replace")


def build_run(body: dict[str, Any], request_id: str | None) -> Response:
    """The SDK's own model of `body`, built as `responses.retrieve` builds it (nothing is validated).

    A body that the SDK cannot build one of is built without what it trips over. Raises RecursionError.
    """
    try:
        run = Response.construct(**body)
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - its constructor has no net of its own
        run = Response.construct(**constructible(body))
    run._request_id = request_id  # pyright: ignore[reportPrivateUsage] - public in all but name: openai/_models.py
    return run


def constructible(value: Any) -> Any:
    """A JSON value without the names that the constructor has for itself, and infinity for what is no float."""
    if isinstance(value, dict):
        items: dict[Any, Any] = value
        return {name: constructible(part) for name, part in items.items() if name not in _CONSTRUCTOR_NAMES}
    if isinstance(value, list):
        parts: list[Any] = value
        return [constructible(part) for part in parts]
    return value if type(value) is not int or abs(value) < _LARGEST_FLOAT else math.inf


@dataclass(frozen=True)
class Answer:
    """A 2xx answer to a poll, its body not read yet."""

    content: bytes = field(repr=False)
    status_code: int
    headers: Mapping[str, str]
    url: str
    http_library: ModuleType

    @property
    def request_id(self) -> str | None:
        """The `x-request-id` of the answer."""
        return self.headers.get("x-request-id")


def parse_raw(raw: Any) -> Any:
    """The SDK's reading of a raw answer. Raises APIResponseValidationError for one that it cannot read."""
    try:
        return raw.parse()
    except Exception as error:  # bare errors of the libraries: an unknown charset, JSON that is cut or nested too deep
        raise APIResponseValidationError(raw.http_response, None) from error


class Judged:
    """The `responses` of a client that judges them (`strict_copy`, which takes a tenth of a second to import)."""

    plain: Any
    """The same without the judgement."""


def plain_responses(client: Any) -> Any:
    """The `responses` of any client, without the judgement of a strict one."""
    responses = client.responses
    return responses.plain if isinstance(responses, Judged) else responses
