"""What the SDK names and the catalog leaves out on purpose, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

READ = frozenset({"code", "message", "param", "type", "headers", "retryable", "action"})
"""The fields of an error object that `classify` reads, on any surface."""

FIELDS: Mapping[str, str] = {
    "error.misalignment": "explains one code, which has a row; a person finds the explanation in the body",
    "errors.object": "always `list`",
    "errors.data.line": "where in the input file the error is; a person finds it in the body",
    "status_details.type": "the status again",
    "error_file_id": "names the file of the failed requests; its lines are judged as `batch.output_row`",
}
"""Failure fields that nothing reads, by their path in the body."""

_AGENTS = "the agents API is in beta; a turn's response is judged as `response`"
_PART = "a part of something that says itself how it ended"
_THING = "a thing, not a run: nobody waits for it to succeed"

OBJECTS: Mapping[str, str] = {
    "agent.automation.invocation": _AGENTS,
    "agent.environment": _AGENTS,
    "agent.session": _AGENTS,
    "agent.session.turn": _AGENTS,
    "chatkit.session": _THING,
    "file": "the status is deprecated; an upload that fails is an HTTP error",
    "organization.invite": _THING,
    "realtime.item": _PART,
    "thread.message": _PART,
    "thread.run.step": _PART,
    "upload": "it fails by an HTTP error of its last request; cancelled and expired are the caller's doing",
    "vector_store": "it only expires; its files fail, and are surfaces",
}
"""Bodies that may say "200 OK" for something that did not succeed, and are no surface, by their `object`."""
