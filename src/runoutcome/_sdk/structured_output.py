"""Structured output by the SDK's own functions: what `responses.parse` asks for, and what it makes of the answer.

With `_sdk` the only module that knows the SDK. `openai.lib` is imported when it is first needed: it is no part of
what a wait without `text_format` costs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic  # the SDK's own models are made of it
from openai.types.responses import ParsedResponse as ParsedResponse, Response

from . import is_given

_PARSING = "openai.lib._parsing._responses"
# Where the SDK keeps what turns `openai.pydantic_function_tool()` into a tool of the Responses API: 3.x, before.
_TOOL_MAKERS = ("openai.lib._response_resources", "openai.resources.responses.responses")


@dataclass(frozen=True)
class TextFormat:
    """A pydantic model, or pydantic dataclass, that the output is to be; what the SDK calls `text_format`.

    Raises the SDK's TypeError for what is neither.
    """

    type_: Any
    tools: Any = field(default=None, repr=False)
    """The tools of the request: the arguments of calls of its functions are parsed, too."""

    def __post_init__(self) -> None:
        if not isinstance(self.type_, type):  # the SDK's own functions say KeyError to a mapping
            raise TypeError(f"text_format is a pydantic model or a pydantic dataclass; got {self.type_!r}")
        _ = self.format

    @classmethod
    def of_request(cls, type_: Any, params: Mapping[str, Any]) -> tuple[TextFormat, dict[str, Any]]:
        """The format, and the parameters of `responses.create` that ask for it, as `responses.parse` makes them.

        Raises TypeError for parameters that name a format already.
        """
        tools = _made_tools(params["tools"]) if is_given(params.get("tools")) and params.get("tools") else None
        wanted = cls(type_, tools)
        given = params.get("text") if is_given(params.get("text")) else None
        if "format" in (given or {}):
            raise TypeError("text_format and the format in text are two answers to one question: leave out one")
        asked = {**params, "text": {**(given or {}), "format": wanted.format}}
        return wanted, asked if tools is None else {**asked, "tools": tools}

    @property
    def name(self) -> str:
        """The name of the type."""
        return str(self.type_.__name__)

    @property
    def format(self) -> Any:
        """The `text.format` of a request."""
        return _parsing().type_to_text_format_param(self.type_)

    def parsed(self, run: Response) -> ParsedResponse[Any]:
        """The SDK's parsed response. Raises whatever its functions, pydantic and the model's own validators raise."""
        if isinstance(run, ParsedResponse) and run.output_parsed is not None:
            return run  # 2.x cannot dump one without a warning
        made = _parsing().parse_response(text_format=self.type_, input_tools=self.tools, response=run)
        return _of_request(made, run)


def unparsed(run: Response) -> ParsedResponse[Any]:
    """`run` as a parsed response whose `output_parsed` is None."""
    if isinstance(run, ParsedResponse):
        return run
    body: Any = run.to_dict(warnings=False)
    return _of_request(ParsedResponse.construct(**body), run)


def complaints(error: BaseException) -> list[str]:
    """Kinds of faults of an output, such as `missing`: pydantic's error types, else the name of the exception.

    None of its words: they quote the output.
    """
    if isinstance(error, pydantic.ValidationError):
        return sorted({str(told["type"]) for told in error.errors()})
    return [type(error).__name__]


def _of_request(made: ParsedResponse[Any], run: Response) -> ParsedResponse[Any]:
    made._request_id = getattr(run, "_request_id", None)  # a response that was not polled has none
    return made


def _parsing() -> Any:
    return importlib.import_module(_PARSING)


def _made_tools(tools: Any) -> Any:
    for place in _TOOL_MAKERS:
        try:
            make = getattr(importlib.import_module(place), "_make_tools", None)
        except ModuleNotFoundError:
            continue
        if make is not None:
            return make(tools)
    return list(tools)
