"""The rule about exceptions of an HTTP library, which never come out of the SDK."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ._findings import Hit
from ._module import Module
from ._retries import classes, retries_in
from ._syntax import dotted, last_name, own_nodes

_RAW = frozenset({"httpx", "httpx2", "requests", "aiohttp", "urllib3"})
_NOT_WRAPPED = frozenset({"together", "mistralai", "litellm", "google"})
"""Clients with calls of the same names that let the HTTP library's own exceptions out, or may."""

_SDK_CALLS = {
    "create": frozenset({"responses", "completions", "embeddings", "batches", "files", "images", "runs"}),
    "parse": frozenset({"responses", "completions"}),
    "retrieve": frozenset({"responses", "batches", "runs", "jobs", "videos"}),
    "cancel": frozenset({"responses", "batches", "runs", "jobs"}),
}
_HARMLESS = re.compile(
    r"print|sleep|debug|info|warning|error|exception|append|extend|format|join|strip|split|lower|len|str|int|float|dict|"
    r"list|set|range|isinstance|getattr|hasattr|dumps|loads|model_dump|model_dump_json|time|monotonic|perf_counter"
)


def raw_httpx_predicate(module: Module) -> Iterator[Hit]:
    """An HTTP library's exceptions, waited for around nothing but calls of the SDK, which raises its own."""
    origins = {origin.partition(".")[0] for origin in module.imports.values()}
    if "openai" not in origins or origins & _NOT_WRAPPED:
        return
    for retry in retries_in(module):
        if retry.catches and _are_raw(retry.catches) and _only_calls_the_sdk(retry.body):
            yield Hit(retry.line, f"this retries after {_named(retry.catches)}, which the SDK's calls do not raise")
    for node in module.nodes:
        if isinstance(node, ast.Try) and _only_calls_the_sdk(node.body):
            yield from _caught(module, node)


def _caught(module: Module, node: ast.Try) -> Iterator[Hit]:
    caught = [(handler.lineno, classes(module, handler.type) or frozenset()) for handler in node.handlers]
    if not any(name.partition(".")[0] == "openai" for _, names in caught for name in names):
        for line, names in caught:
            if _are_raw(names):
                yield Hit(line, f"this catches {_named(names)}, which the SDK's calls do not raise")


def _are_raw(names: frozenset[str]) -> bool:
    """Whether all of the exceptions are an HTTP library's."""
    return bool(names) and all(name.partition(".")[0] in _RAW for name in names)


def _named(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))


def _only_calls_the_sdk(body: Sequence[ast.stmt]) -> bool:
    """Whether `body` calls the SDK, and nothing that may raise an HTTP library's own exceptions, as streams do."""
    calls = [node for node in own_nodes(*body) if isinstance(node, ast.Call)]
    others = [call for call in calls if not _is_plain_sdk_call(call)]
    return len(others) < len(calls) and all(_HARMLESS.fullmatch(last_name(call)) for call in others)


def _is_plain_sdk_call(call: ast.Call) -> bool:
    chain = dotted(call.func)
    is_sdk_call = len(chain) > 2 and chain[-2] in _SDK_CALLS.get(chain[-1], ())
    return is_sdk_call and not any(given.arg in ("stream", None) for given in call.keywords)
