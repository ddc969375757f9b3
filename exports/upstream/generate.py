"""Writes `docs/upstream.md` and `raise_for_status.patch`, from the catalog alone: `make upstream`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from runoutcome import Catalog, Entry
from runoutcome.contract._address import link_to
from runoutcome.contract._pages import table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "upstream.md"
PATCH = Path(__file__).with_name("raise_for_status.patch")
FIELDS = ("error.code", "incomplete_details.reason")
IN_GUIDE = frozenset({"invalid_request_error", "rate_limit_error", "service_unavailable_error", "insufficient_quota"})
"""Words of `error.type` that the provider's guide to error codes names."""

MODULE = '''\
from __future__ import annotations

from typing_extensions import override

from .._exceptions import OpenAIError
from ..types.responses import Response

# Codes after which an identical new request may succeed; after any other one it has to change first.
_RETRYABLE_CODES = frozenset({{{codes}}})


class ResponseNotCompletedError(OpenAIError):
    """A response that ended without being completed. The poll was a 200, so no status code is claimed."""

    retryable: bool = False
    """Whether an identical new request may succeed. Retrieving the same response again never changes it."""

    def __init__(self, response: Response, reason: str | None, message: str | None = None) -> None:
        details = ": ".join(part for part in (reason, message) if part) or "no reason given"
        super().__init__(f"Response {{response.id}} is {{response.status}}: {{details}}")
        self.response = response
        self.request_id: str | None = getattr(response, "_request_id", None)  # absent in an event of a stream

    @override
    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.response,)


class ResponseFailedError(ResponseNotCompletedError):
    def __init__(self, response: Response) -> None:
        error = response.error
        self.code: str | None = error.code if error else None
        self.retryable = self.code in _RETRYABLE_CODES
        super().__init__(response, self.code, error.message if error else None)


class ResponseIncompleteError(ResponseNotCompletedError):
    def __init__(self, response: Response) -> None:
        details = response.incomplete_details
        self.reason: str | None = details.reason if details else None
        super().__init__(response, self.reason)


def raise_for_status(response: Response, *, raise_on_incomplete: bool = False) -> None:
    """Raise for a response that failed; with `raise_on_incomplete` also for one that was cut short."""
    if response.status == "failed":
        raise ResponseFailedError(response)
    if response.status == "incomplete" and raise_on_incomplete:
        raise ResponseIncompleteError(response)
'''

TESTS = """\
from __future__ import annotations

import pickle
from typing import get_args

import httpx2
import pytest

from openai import OpenAI, OpenAIError, APIStatusError
from openai.lib import ResponseFailedError, ResponseIncompleteError, raise_for_status
from openai.types.responses import Response
from openai.types.responses.response import IncompleteDetails
from openai.types.responses.response_error import ResponseError

CODES = {{
{codes}}}
REASONS = {{{reasons}}}


def polled(status: str, **fields: object) -> Response:
    body = {{"id": "resp_1", "object": "response", "status": status, "output": [], **fields}}
    answer = httpx2.Response(200, json=body, headers={{"x-request-id": "req_1"}})
    transport = httpx2.MockTransport(lambda request: answer)
    with OpenAI(api_key="any", http_client=httpx2.Client(transport=transport)) as client:
        return client.responses.retrieve("resp_1")


def test_all_words_of_the_types_are_here() -> None:
    assert set(get_args(ResponseError.model_fields["code"].annotation)) == set(CODES)
    reasons = get_args(IncompleteDetails.model_fields["reason"].annotation)[0]
    assert set(get_args(reasons)) == REASONS


@pytest.mark.parametrize("code,retryable", [*CODES.items(), ("a_new_code", False)])
def test_failed(code: str, retryable: bool) -> None:
    response = polled("failed", error={{"code": code, "message": "boom"}})
    with pytest.raises(ResponseFailedError, match=f"resp_1 is failed: {{code}}: boom") as raised:
        raise_for_status(response)
    error = raised.value
    assert (error.code, error.retryable, error.request_id) == (code, retryable, "req_1")
    assert error.response is response
    assert isinstance(error, OpenAIError)
    assert not isinstance(error, APIStatusError) and not hasattr(error, "status_code")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_failed_without_an_error() -> None:
    for response in (polled("failed", error=None), Response.construct(id="resp_1", status="failed", error=None)):
        with pytest.raises(ResponseFailedError) as raised:
            raise_for_status(response)
        assert (raised.value.code, raised.value.retryable) == (None, False)


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_incomplete_is_raised_only_if_asked_for(reason: str) -> None:
    response = polled("incomplete", incomplete_details={{"reason": reason}})
    raise_for_status(response)
    with pytest.raises(ResponseIncompleteError) as raised:
        raise_for_status(response, raise_on_incomplete=True)
    assert (raised.value.reason, raised.value.retryable) == (reason, False)


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed", "cancelled"])
def test_other_statuses(status: str) -> None:
    raise_for_status(polled(status), raise_on_incomplete=True)
"""

EXPORTS_DIFF = """\
--- a/src/openai/lib/__init__.py
+++ b/src/openai/lib/__init__.py
@@ -3,3 +3,8 @@
     pydantic_responses_function_tool as pydantic_responses_function_tool,
 )
 from ._parsing import ResponseFormatT as ResponseFormatT, \
type_to_response_format_param as type_to_response_format_param
+from ._response_status import (
+    ResponseFailedError as ResponseFailedError,
+    ResponseIncompleteError as ResponseIncompleteError,
+    raise_for_status as raise_for_status,
+)
"""

HEAD = """\
# For the maintainers of the SDK

<!-- Made by `make upstream`. What is changed here by hand gets lost. -->

A background run that fails is read with HTTP 200, so nothing raises.
[openai-python#3212](https://github.com/openai/openai-python/issues/3212) asks for a stable identifier that maps to an
exception class; [#3723](https://github.com/openai/openai-python/pull/3723) proposes an opt-in `raise_for_status`. This
page is what a maintainer would own: the {codes} codes and {reasons} reasons of the SDK's own types (catalog
{version}).

*Class* is what the same cause is synchronously. *Retryable* means that an identical **new** request may succeed. Where
it is *contested*, others decide otherwise; the arguments are on the page of the value.
"""

TYPES = """
## Words of `error.type`

The SDK says "the original error type, or null". It is the smallest stable field there is: these words name a class.
[The guide to error codes](https://developers.openai.com/api/docs/guides/error-codes) names those in bold. None of them
says whether to retry: `insufficient_quota` is a 429 that lasts.
"""

END = """
## The patch

[`raise_for_status.patch`](../exports/upstream/raise_for_status.patch) has the shape of #3723: `retrieve` stays as is,
`openai.lib.raise_for_status(response, *, raise_on_incomplete=False)` is opt-in, the exceptions are classes of their own
that claim no status code, and `cancelled` does not raise. {added} lines of code, and tests that fail when the SDK's
types get a word that the table does not have. A test here applies it to the newest wheel and runs its tests:

```console
$ git apply raise_for_status.patch && pytest tests/lib/responses/test_raise_for_status.py
```

`runoutcome` raises the existing classes instead, as #3212 asks; it marks their status as `synthetic` and keeps the real
one. That trick is for a companion, not for the SDK: the table and the words are what can be shared.
"""


def rows_of(catalog: Catalog, field: str) -> list[Entry]:
    """The rows for the words in the SDK's types of a response, in the order of the catalog."""
    return [row for row in catalog.entries if (row.surface, row.field) == ("response", field) and row.sdk_since]


def page(catalog: Catalog) -> str:
    """The text of `docs/upstream.md`."""
    codes, reasons = (rows_of(catalog, field) for field in FIELDS)
    head = HEAD.format(codes=len(codes), reasons=len(reasons), version=catalog.version)
    rows = sorted((*codes, *reasons), key=lambda row: not row.contested)
    meanings = table(("value", "class", "HTTP", "retryable", "confidence", "evidence", "contested"), map(_cells, rows))
    types = table(("class", "words"), _types(catalog))
    end = END.format(added=len(module(catalog).splitlines()))
    return "\n".join((head, *meanings, TYPES, *types, end))


def _cells(row: Entry) -> tuple[str, ...]:
    views = (" ".join(_view(view.error_class, view.retryable)) for view in row.alternatives)
    return (
        f"[`{row.value}`](catalog/{link_to(row)})" + ("" if row.field == "error.code" else " (reason)"),
        f"`{row.error_class}`" if row.error_class else "none",
        str(row.status_code),
        "yes" if row.retryable else "no",
        row.confidence,
        " ".join(f"[{number}]({link})" for number, link in enumerate(row.evidence[:2], 1)),
        "; ".join(dict.fromkeys(filter(None, views))) if row.contested else "",
    )


def _view(error_class: str | None, retryable: bool | None) -> Iterator[str]:
    if error_class is not None:
        yield f"`{error_class}`"
    if retryable is not None:
        yield "retryable" if retryable else "not retryable"


def _types(catalog: Catalog) -> Iterator[tuple[str, str]]:
    own = {name: name for name in catalog.error_types if name in IN_GUIDE}
    words = sorted(
        {**catalog.upstream_error_types, **own}.items(), key=lambda item: list(catalog.error_types).index(item[1])
    )
    for name, group in groupby(words, key=lambda item: item[1]):
        named = [f"**`{word}`**" if word in IN_GUIDE else f"`{word}`" for word, _ in group]
        yield f"`{catalog.error_types[name].error_class}`", ", ".join(named)


def module(catalog: Catalog) -> str:
    """The text of `openai/lib/_response_status.py`."""
    codes = [row.value for row in rows_of(catalog, "error.code") if row.retryable]
    return MODULE.format(codes=_quoted(codes))


def patch(catalog: Catalog) -> str:
    """The text of the patch."""
    codes, reasons = (rows_of(catalog, field) for field in FIELDS)
    lines = "".join(f'    "{row.value}": {row.retryable},\n' for row in codes)
    tests = TESTS.format(codes=lines, reasons=_quoted(row.value for row in reasons))
    return (
        EXPORTS_DIFF
        + _new_file("src/openai/lib/_response_status.py", module(catalog))
        + _new_file("tests/lib/responses/test_raise_for_status.py", tests)
    )


def _quoted(words: Iterable[str | None]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _new_file(path: str, text: str) -> str:
    lines = text.splitlines()
    return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)


def main() -> None:
    """Write both files."""
    catalog = Catalog.load()
    PAGE.write_text(page(catalog), "utf-8", newline="\n")
    PATCH.write_text(patch(catalog), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
