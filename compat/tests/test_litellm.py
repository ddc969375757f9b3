"""LiteLLM: its exception mapping and its router, over a client and a provider whose runs fail with our errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import litellm
import openai
import pytest
from attempts import ANSWER, ATTEMPTS, Work
from litellm.llms.custom_llm import CustomLLMError

from errors import DELAY_SECONDS, EVERY, NOT_RETRYABLE, RETRYABLE, STATUS_ERRORS, caught, error
from runoutcome import Catalog, Entry, RunStatusError, error_for, is_retryable

PACKAGE = "litellm"
CLASSES: Mapping[int, type[Exception]] = {
    400: litellm.BadRequestError,
    401: litellm.AuthenticationError,
    404: litellm.NotFoundError,
    422: litellm.BadRequestError,
    429: litellm.RateLimitError,
    500: litellm.InternalServerError,
    503: litellm.ServiceUnavailableError,
}
QUOTA = [name for name, status in STATUS_ERRORS.items() if status == 429 and name in NOT_RETRYABLE]
CREDENTIALS = [name for name, status in STATUS_ERRORS.items() if status in (401, 403)]
REFUSED = [name for name in (*STATUS_ERRORS, "gone") if name not in (*RETRYABLE, *QUOTA, *CREDENTIALS)]
WITHOUT_STATUS = [name for name in NOT_RETRYABLE if name not in (*STATUS_ERRORS, "gone")]
FAILURE_CODES = [
    row
    for row in Catalog.load().entries
    if (row.surface, row.field, row.match) == ("response", "error.code", "literal") and row.error_class
]


class Runs(litellm.CustomLLM):
    """A provider that does its completions as background runs."""

    def __init__(self, work: Work, *, translate: bool) -> None:
        super().__init__()
        self._work, self._translate = work, translate

    def completion(self, *_: Any, **options: Any) -> Any:
        """Do the work; with `translate` say with a 400 that doing it again would not help."""
        try:
            text = self._work()
        except Exception as exc:
            if self._translate and not is_retryable(exc):
                raise CustomLLMError(status_code=400, message=str(exc)) from exc
            raise
        response = options["model_response"]
        response.choices[0].message.content = text
        return response

    async def acompletion(self, *args: Any, **options: Any) -> Any:
        """The same, for an async caller."""
        return self.completion(*args, **options)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """No help text on stdout, and no provider of ours after the test."""
    litellm.suppress_debug_info = True
    yield
    litellm.custom_provider_map = []


def routed(work: Work, *, translate: bool = False) -> str:
    """What a router answers that tries a call again, on two deployments of the provider."""
    litellm.custom_provider_map = [{"provider": "runs", "custom_handler": Runs(work, translate=translate)}]
    deployment = {"model_name": "gpt", "litellm_params": {"model": "runs/gpt-5.5"}}
    router = litellm.Router([deployment, dict(deployment)], num_retries=ATTEMPTS - 1, disable_cooldowns=True)
    return router.completion("gpt", [{"role": "user", "content": "Hi"}]).choices[0].message.content


def mapped(exc: Exception) -> Any:
    """What LiteLLM makes of an exception of its OpenAI provider."""
    return caught(openai.APIError, lambda: litellm.exception_type("gpt-5.5", exc, "openai"))


@pytest.mark.parametrize("name", STATUS_ERRORS)
def test_completion_maps_the_synthetic_response(name: str) -> None:
    """`completion`, whose client raises a status error, raises LiteLLM's class for the equivalent status, which keeps
    status and headers; it is still the SDK's class for that status.
    """
    client = openai.OpenAI(api_key="any", base_url="http://127.0.0.1:1", max_retries=0)
    client.post = Work(name)  # what `chat.completions.create` calls, and newer LiteLLM itself
    call = {"model": "openai/gpt-5.5", "messages": [{"role": "user", "content": "Hi"}], "client": client}
    raised: Any = caught(openai.APIError, lambda: litellm.completion(**call))
    status = STATUS_ERRORS[name]
    assert isinstance(raised, CLASSES.get(status, litellm.APIError))  # a policy has a class of its own below it
    assert raised.status_code == status
    assert raised.litellm_response_headers["x-should-retry"] == str(name in RETRYABLE).lower()


@pytest.mark.parametrize("row", FAILURE_CODES, ids=lambda row: row.value)
def test_our_words_change_nothing(row: Entry) -> None:
    """LiteLLM also goes by words in the text: for every failure code of the catalog ours lead to the same class and
    status as the SDK's own error with the same body.
    """
    body = {"code": row.value, "message": "Something went wrong.", "param": None, "type": None}
    exc = error_for({"object": "response", "id": "resp_1", "status": "failed", "error": body})
    assert exc is not None
    got = mapped(exc)
    request = httpx.Request("POST", "http://127.0.0.1/v1/responses")
    if isinstance(exc, RunStatusError):
        response = httpx.Response(exc.status_code, json={"error": body}, request=request)
        expected = mapped(openai.OpenAI(api_key="any")._make_status_error_from_response(response))
    else:
        expected = mapped(openai.APIError("Something went wrong.", request, body=body))
    assert (type(got), got.status_code) == (type(expected), expected.status_code)


@pytest.mark.parametrize("name", RETRYABLE)
def test_the_router_tries_again(name: str) -> None:
    """`Router` tries again after an error that a new run may get past."""
    work = Work(name)
    assert routed(work) == ANSWER
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize("name", REFUSED)
def test_the_router_lets_the_error_out(name: str) -> None:
    """`Router` lets any other status error out at once; quota and credentials are two checks of their own."""
    work = Work(name)
    caught(openai.APIError, lambda: routed(work))
    assert work.calls == 1


@pytest.mark.parametrize("name", CREDENTIALS)
def test_the_router_asks_another_deployment(name: str) -> None:
    """`Router` goes on to the next deployment after a 401 or 403, because that one may have another key."""
    work = Work(name)
    assert routed(work) == ANSWER
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize("name", [*QUOTA, *WITHOUT_STATUS])
def test_the_router_knows_the_status_only(name: str) -> None:
    """Limitation: the router looks at the status alone, not at `x-should-retry`: it tries again after quota errors, and
    after all errors without a status, which it takes for broken connections. See the next check for the way round it.
    """
    work = Work(name)
    assert routed(work) == ANSWER
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize("name", EVERY)
def test_a_provider_can_tell_the_router(name: str) -> None:
    """A provider that raises `CustomLLMError(status_code=400)` where `is_retryable` says no is obeyed by the router."""
    work = Work(name)
    if name in RETRYABLE:
        assert routed(work, translate=True) == ANSWER
        assert work.calls == ATTEMPTS
    else:
        caught(openai.APIError, lambda: routed(work, translate=True))
        assert work.calls == 1


def test_the_delay_is_read() -> None:
    """`calculate_retry_after` finds the delay of the run's message in the headers of the mapped error."""
    headers = mapped(error("rate_limit_exceeded")).litellm_response_headers
    delay = litellm.calculate_retry_after(remaining_retries=2, max_retries=2, response_headers=headers)
    assert delay >= DELAY_SECONDS
