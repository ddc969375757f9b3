"""openai-agents: a model whose turns are background runs. Needs the extra `runoutcome[openai-agents]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors.retryable import action_for
from .._runs.aio import AsyncRuns
from .._runs.options import Run
from ._background_client import BackgroundClient, BackgroundOptions

try:
    from agents import ModelRetryAdvice, ModelRetryAdviceRequest, ModelTimeoutError, OpenAIResponsesModel
except ImportError as _error:
    raise ImportError(
        'runoutcome.integrations.openai_agents needs openai-agents: pip install "runoutcome[openai-agents]"'
    ) from _error

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["BackgroundResponsesModel"]


class BackgroundResponsesModel(OpenAIResponsesModel):
    """The SDK's Responses model; each turn is a background run through `runs`, waited for to its end.

    `resume` names a run, as for `create_and_poll`: the first turn waits for it and creates none. The other options are
    those of `create_and_poll`, and hold for each turn. A turn raises what `create_and_poll` raises; a streamed turn,
    what `create_and_stream` raises, and it has no `resubmit`.
    """

    def __init__(
        self, model: str, runs: AsyncRuns, *, resume: Run | None = None, **options: Unpack[BackgroundOptions]
    ) -> None:
        client: Any = BackgroundClient(runs, resume, options)
        super().__init__(model, client)

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """The SDK's advice; none of its policies repeats a turn whose run may still be going."""
        error = request.error
        if isinstance(error, ModelTimeoutError) or action_for(error) == "wait":
            return ModelRetryAdvice(suggested=False, replay_safety="unsafe", reason=str(error))
        return super().get_retry_advice(request)
