"""The standard library's logging: a JSON formatter, and a queue between processes."""

from __future__ import annotations

import io
import json
import logging
import logging.handlers
import multiprocessing
from typing import Any

import pytest
from facts import common_facts_of

from errors import EVERY, error, leaked
from runoutcome import RunError

PACKAGE = "Python standard library"
SECONDS = 30


class JsonFormatter(logging.Formatter):
    """One JSON object per record, as log shippers want it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, its traceback, and what became of the run."""
        exc = record.exc_info[1] if record.exc_info else None
        fields: dict[str, Any] = {"message": record.getMessage(), "logger": record.name}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        if isinstance(exc, RunError):
            fields["outcome"] = exc.outcome.to_dict()
        return json.dumps(fields)


def log_errors(queue: Any) -> None:
    """In a child process: log every error to the queue, as `exc_info`, as an argument and as an extra field."""
    logger = logging.Logger("child")
    logger.addHandler(logging.handlers.QueueHandler(queue))
    for name in EVERY:
        try:
            raise error(name)
        except Exception as caught:
            logger.exception("%s failed: %s", name, caught, extra={"error": caught})


@pytest.fixture(scope="module")
def records() -> dict[str, logging.LogRecord]:
    """The records of a child process, as they come out of its queue, by the name of the error."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=log_errors, args=(queue,))
    child.start()
    try:
        records = [queue.get(timeout=SECONDS) for _ in EVERY]
        child.join(SECONDS)
    finally:
        child.kill()
    assert child.exitcode == 0
    return dict(zip(EVERY, records, strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_a_json_line_has_the_outcome(name: str) -> None:
    """`logger.exception` with a JSON formatter writes one line with class, text and outcome, and nothing secret."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("parent")
    logger.addHandler(handler)
    sent = error(name)
    try:
        raise sent
    except type(sent):
        logger.exception("run failed")
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert f"runoutcome.{type(sent).__name__}: {sent}" in fields["traceback"]
    if isinstance(sent, RunError):
        assert fields["outcome"] == json.loads(json.dumps(sent.outcome.to_dict()))
        assert fields["outcome"]["retryable"] is sent.retryable
    assert leaked(line) == []


@pytest.mark.parametrize("name", EVERY)
def test_a_record_crosses_a_process(records: dict[str, logging.LogRecord], name: str) -> None:
    """`QueueHandler` in a child process: the record has text and traceback, the error in `extra` is itself."""
    record, sent = records[name], error(name)
    message = record.getMessage()
    received = record.error
    assert message.startswith(f"{name} failed: {received}")
    assert f"runoutcome.{type(sent).__name__}: {received}" in message  # `prepare` puts the traceback there
    assert common_facts_of(received) == common_facts_of(sent)
    assert leaked(repr(vars(record))) == []
