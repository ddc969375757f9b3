"""A copy of a client whose responses are judged before they are returned.

The SDK has no hook for what a method returns, so the copy gets `responses` of its own: a subclass with the public
`create`, `parse` and `retrieve`. A client makes its copies anew from its class and settings, which do not include
`responses`; so `copy` and `with_options` of the copy are functions that make strict copies again. All three are
attributes of the copy alone. Nothing private is read or replaced. See decision 0050.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeAlias, TypeVar, cast

from openai.resources.responses import (
    AsyncResponses,
    AsyncResponsesWithRawResponse,
    AsyncResponsesWithStreamingResponse,
    Responses,
    ResponsesWithRawResponse,
    ResponsesWithStreamingResponse,
)

from . import AsyncOpenAI, OpenAI, Response
from .client_transport import path_of
from .responses import Judged, build_run

Judge: TypeAlias = Callable[[Response, str | None], Exception | None]
"""The exception that a response is raised as, or None; it also gets the address of the run."""
ClientT = TypeVar("ClientT", bound=OpenAI | AsyncOpenAI)
_F = TypeVar("_F", bound=Callable[..., Any])


def strict_copy(client: ClientT, judge: Judge) -> ClientT:
    """A copy of `client` that raises what `judge` makes of its responses; so do its own copies.

    Raises TypeError for a client whose `responses` are not the SDK's own, or cannot be set.
    """
    copied: ClientT = _make_strict(_plain_copy(client), judge)
    return copied


def _plain_copy(client: Any, /, **options: Any) -> Any:
    return type(client).copy(client, **options)  # by the class: a strict copy has another `copy` in its place


def _copy(client: Any, judge: Judge, /, **options: Any) -> Any:
    return _make_strict(_plain_copy(client, **options), judge)


def _make_strict(client: Any, judge: Judge) -> Any:
    name, strict = type(client).__name__, _STRICT.get(type(client.responses))
    if strict is None:
        raise TypeError(f"strict_client replaces `responses`, and those of a {name} are not the SDK's own")
    copy = partial(_copy, client, judge)
    try:
        client.responses, client.copy, client.with_options = strict(client, judge), copy, copy
    except AttributeError as error:
        raise TypeError(f"strict_client replaces `responses`, and those of a {name} cannot be set") from error
    return client


def _like(method: object) -> Callable[[_F], _F]:
    """Name, documentation and signature of a method of the SDK, for people and for tools that look at them."""
    return cast("Callable[[_F], _F]", wraps(cast("Any", method)))


class StrictResponses(Judged, Responses):
    """The `responses` of a strict client; raw and streaming calls are the plain ones."""

    def __init__(self, client: OpenAI, judge: Judge) -> None:
        super().__init__(client)
        self.plain: Responses = Responses(client)
        self._judgement = _Judgement(client, judge)

    @_like(Responses.create)
    def create(self, *args: Any, **kwargs: Any) -> Any:
        """As the SDK's, but raises what the judge makes of the response."""
        answers = [self.plain.create(*args, **kwargs)]
        del args, kwargs  # error trackers send the variables of every frame, and these hold the prompt
        return self._judgement.passed(answers)

    @_like(Responses.parse)
    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """As the SDK's, but the response is judged before its output is parsed: it may have been cut off."""
        raw = self.plain.with_raw_response.parse(*args, **kwargs)
        del args, kwargs
        self._judgement.check(raw)
        return raw.parse()

    @_like(Responses.retrieve)
    def retrieve(self, *args: Any, **kwargs: Any) -> Any:
        """As the SDK's, but raises what the judge makes of the response."""
        return self._judgement.passed([self.plain.retrieve(*args, **kwargs)])

    @property
    def with_raw_response(self) -> ResponsesWithRawResponse:
        """The plain one."""
        return self.plain.with_raw_response

    @property
    def with_streaming_response(self) -> ResponsesWithStreamingResponse:
        """The plain one."""
        return self.plain.with_streaming_response


class AsyncStrictResponses(Judged, AsyncResponses):
    """The async twin of `StrictResponses`."""

    def __init__(self, client: AsyncOpenAI, judge: Judge) -> None:
        super().__init__(client)
        self.plain: AsyncResponses = AsyncResponses(client)
        self._judgement = _Judgement(client, judge)

    @_like(AsyncResponses.create)
    async def create(self, *args: Any, **kwargs: Any) -> Any:
        """The async twin of `StrictResponses.create`."""
        answers = [await self.plain.create(*args, **kwargs)]
        del args, kwargs
        return self._judgement.passed(answers)

    @_like(AsyncResponses.parse)
    async def parse(self, *args: Any, **kwargs: Any) -> Any:
        """The async twin of `StrictResponses.parse`."""
        raw = await self.plain.with_raw_response.parse(*args, **kwargs)
        del args, kwargs
        self._judgement.check(raw)
        return raw.parse()

    @_like(AsyncResponses.retrieve)
    async def retrieve(self, *args: Any, **kwargs: Any) -> Any:
        """The async twin of `StrictResponses.retrieve`."""
        return self._judgement.passed([await self.plain.retrieve(*args, **kwargs)])

    @property
    def with_raw_response(self) -> AsyncResponsesWithRawResponse:
        """The plain one."""
        return self.plain.with_raw_response

    @property
    def with_streaming_response(self) -> AsyncResponsesWithStreamingResponse:
        """The plain one."""
        return self.plain.with_streaming_response


class _Judgement:
    """A judge, and the client whose responses it judges."""

    def __init__(self, client: OpenAI | AsyncOpenAI, judge: Judge) -> None:
        self._client, self._judge = client, judge

    def passed(self, answers: list[Any]) -> Any:
        """The one answer in the list, which is emptied; raises what the judge makes of a response."""
        answer = answers.pop()
        if not isinstance(answer, Response):  # a stream, a page, or the raw answer of a call that asks for it
            return answer
        error = self._judge(answer, self._url_of(answer.id))
        if error is None:
            return answer
        del answer
        raise error from None

    def check(self, raw: Any) -> None:
        """Raise what the judge makes of the response in a raw answer."""
        try:
            body = raw.http_response.json()
        except (ValueError, RecursionError):
            return  # the SDK says what it is
        if isinstance(body, dict):
            self.passed([build_run(body, raw.request_id)])

    def _url_of(self, response_id: object) -> str | None:
        return f"{self._client.base_url}".rstrip("/") + path_of(response_id) if isinstance(response_id, str) else None


_STRICT: dict[type, Any] = {Responses: StrictResponses, AsyncResponses: AsyncStrictResponses}
