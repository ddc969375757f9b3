"""The models that the emulator lists. It runs any model; these are those a client can find. Pure."""

from __future__ import annotations

from .._errors import ApiError
from .._state.request import JsonObject

_CREATED = 1_754_524_800
_MODELS = ("gpt-5.5", "gpt-5", "gpt-5-mini", "o3", "o4-mini", "gpt-4.1", "gpt-4o", "gpt-4o-mini")


def model_list() -> JsonObject:
    """All of them."""
    return {"object": "list", "data": [_model(name) for name in _MODELS]}


def model_named(name: str) -> JsonObject:
    """One of them. Raises ApiError (404)."""
    if name not in _MODELS:
        raise ApiError(404, f"The model '{name}' does not exist", param="model", code="model_not_found")
    return _model(name)


def _model(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "openai"}
