"""The names of the SDK that this package uses; its HTTP answers are in `responses`, failed requests in `faults`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import openai
from openai import (
    APIConnectionError as APIConnectionError,
    APIError as APIError,
    APIResponseValidationError as APIResponseValidationError,
    APIStatusError as APIStatusError,
    APITimeoutError as APITimeoutError,
    AsyncOpenAI as AsyncOpenAI,
    AuthenticationError as AuthenticationError,
    BadRequestError as BadRequestError,
    ConflictError as ConflictError,
    ContentFilterFinishReasonError as ContentFilterFinishReasonError,
    InternalServerError as InternalServerError,
    InvalidWebhookSignatureError as InvalidWebhookSignatureError,
    NotFoundError as NotFoundError,
    OpenAI as OpenAI,
    OpenAIError as OpenAIError,
    PermissionDeniedError as PermissionDeniedError,
    RateLimitError as RateLimitError,
    UnprocessableEntityError as UnprocessableEntityError,
)
from openai.types.responses import Response as Response

SDK_VERSION = openai.__version__
POLL_TIMEOUT_SECONDS = 30.0


def is_given(value: object) -> bool:
    """True unless `value` is the SDK's own word for "left out" (`NOT_GIVEN`; from 2.x on also `omit`)."""
    return type(value).__name__ not in ("NotGiven", "Omit")


def sdk_type(path: str) -> Any | None:
    """The object under a dotted name such as `openai.types.Batch`; None if this release has none."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError:
        return None


def sdk_models() -> Iterator[tuple[str, type]]:
    """Every model of `openai.types` with its dotted name. Imports all its modules: that takes a second or two."""
    for found in pkgutil.walk_packages(openai.types.__path__, "openai.types."):
        for name, value in vars(importlib.import_module(found.name)).items():
            if isinstance(value, type) and issubclass(value, openai.BaseModel) and value.__module__ == found.name:
                yield f"{found.name}.{name}", value
