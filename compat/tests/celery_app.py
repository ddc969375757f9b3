"""The Celery application of `test_celery.py`, and of the worker process it starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import openai
from celery import Celery

from errors import raise_error
from runoutcome import is_retryable, retry_after

RETRIES = 2


def make_app(directory: Path, serializer: str) -> Celery:
    """An application with a broker and results in files below `directory`."""
    for name in ("queue", "control", "results"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    app = Celery("compat", broker="filesystem://", backend=f"file://{directory / 'results'}")
    app.conf.update(
        broker_transport_options={
            "data_folder_in": str(directory / "queue"),
            "data_folder_out": str(directory / "queue"),
            "control_folder": str(directory / "control"),
            "polling_interval": 0.02,
        },
        result_serializer=serializer,
        result_accept_content=[serializer],
        broker_connection_retry_on_startup=True,
    )
    return app


app = make_app(Path(os.environ["COMPAT_CELERY_DIRECTORY"]), os.environ["COMPAT_CELERY_SERIALIZER"])


@app.task
def fail(name: str) -> None:
    """Raise the error of this name."""
    raise_error(name)


@app.task(bind=True, max_retries=RETRIES)
def try_again(self: Any, name: str) -> str:
    """Fail with the error of this name, and be tried again where `is_retryable` says so; succeed at the last try."""
    if self.request.retries == RETRIES:
        return "answer"
    try:
        raise_error(name)
    except openai.OpenAIError as exc:
        if not is_retryable(exc):
            raise
        raise self.retry(exc=exc, countdown=min(retry_after(exc) or 0, 0.01)) from exc
    return "nothing was raised"
