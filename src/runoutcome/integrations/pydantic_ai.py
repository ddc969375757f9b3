"""pydantic-ai: a model whose requests are background runs. Needs the extra `runoutcome[pydantic-ai]`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from .._runs.aio import AsyncRuns
from .._runs.options import Run
from ._background_client import BackgroundClient, BackgroundOptions

try:
    from pydantic_ai.models import CompletedStreamedResponse, StreamedResponse
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider
except ImportError as _error:
    raise ImportError(
        'runoutcome.integrations.pydantic_ai needs pydantic-ai: pip install "runoutcome[pydantic-ai]"'
    ) from _error

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.providers import Provider
    from pydantic_ai.settings import ModelSettings
    from typing_extensions import Unpack

__all__ = ["BackgroundResponsesModel"]


class BackgroundResponsesModel(OpenAIResponsesModel):
    """pydantic-ai's own Responses model; each request is a background run through `runs`, waited for to its end.

    `resume` names a run, as for `create_and_poll`: the first request waits for it and creates none. `provider`,
    `profile` and `settings` are those of `OpenAIResponsesModel`, the other options those of `create_and_poll`; they
    hold for each request. A request raises what `create_and_poll` raises; of that pydantic-ai makes its own exceptions
    where it is an `openai.APIError`, with ours as `__cause__`.
    """

    def __init__(
        self,
        model_name: str,
        runs: AsyncRuns,
        *,
        resume: Run | None = None,
        provider: Provider[Any] | None = None,
        profile: Any = None,
        settings: ModelSettings | None = None,
        **options: Unpack[BackgroundOptions],
    ) -> None:
        self._background_client: Any = BackgroundClient(runs, resume, options)
        super().__init__(
            model_name,
            provider=provider or OpenAIProvider(openai_client=runs._client),
            profile=profile,
            settings=settings,
        )

    @property
    def client(self) -> Any:
        """The client of `runs`, whose `responses.create` and `responses.retrieve` wait for background runs."""
        return self._background_client

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole response, once the run has completed; never over a websocket, whatever the settings."""
        background: Any = {**(model_settings or {}), "openai_background": True}
        return await super().request(messages, background, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The whole response, once the run has completed, as one stream: deltas that were lost would be lost text."""
        response = await self.request(messages, model_settings, model_request_parameters)
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        yield CompletedStreamedResponse(response, model_request_parameters=parameters, replay_events=True)
