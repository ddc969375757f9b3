"""Celery: a real worker process (prefork) between a broker and a result backend in files."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import openai
import pytest
from celery import Celery
from celery.result import AsyncResult
from facts import common_facts_of

from errors import EVERY, NOT_RETRYABLE, RETRYABLE, error, leaked

PACKAGE = "celery"
WITH = ("kombu", "billiard")
SECONDS = 30
HERE = Path(__file__).parent


@pytest.fixture(scope="module", params=["json", "pickle"])
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The application, with a worker running, for this serializer of results."""
    directory = tmp_path_factory.mktemp(request.param)
    settings = {"COMPAT_CELERY_DIRECTORY": str(directory), "COMPAT_CELERY_SERIALIZER": request.param}
    command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--pool=prefork", "--concurrency=1"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
    with pytest.MonkeyPatch.context() as patch, (directory / "worker.log").open("w") as log:
        for name, value in settings.items():
            patch.setenv(name, value)
        sys.modules.pop("celery_app", None)
        module = importlib.import_module("celery_app")
        child = subprocess.Popen(command, cwd=HERE, env=os.environ, stdout=log, stderr=log, start_new_session=True)
        try:
            yield module
        finally:
            os.killpg(child.pid, signal.SIGKILL)  # the worker and its own children; every result has been read
            child.wait(SECONDS)


@pytest.fixture(scope="module")
def failures(worker: ModuleType) -> dict[str, AsyncResult]:
    """One task for each error, all sent at once."""
    return {name: worker.fail.delay(name) for name in EVERY}


@pytest.fixture(scope="module")
def attempts(worker: ModuleType) -> dict[str, AsyncResult]:
    """One task for each error that is tried again where that is right."""
    return {name: worker.try_again.delay(name) for name in EVERY}


@pytest.mark.parametrize("name", EVERY)
def test_a_result_raises_the_error(failures: dict[str, AsyncResult], name: str) -> None:
    """`AsyncResult.get` raises the worker's error with its class and fields, with JSON and with pickle results, and
    nothing secret is in the stored result.
    """
    sent, result = error(name), failures[name]
    with pytest.raises(type(sent)) as caught:
        result.get(timeout=SECONDS, interval=0.02)
    assert common_facts_of(caught.value) == common_facts_of(sent)
    stored = result.backend.get(result.backend.get_key_for_task(result.id))
    assert leaked(stored) == []


def test_json_needs_our_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limitation: for a JSON result Celery looks for the class in the modules already imported; a process that has not
    imported `runoutcome` gets an exception of that name which is no `openai.RateLimitError`.
    """
    backend = Celery(backend="cache+memory://").backend
    stored = backend.prepare_exception(error("insufficient_quota"), "json")
    assert isinstance(backend.exception_to_python(stored), openai.RateLimitError)
    monkeypatch.delitem(sys.modules, "runoutcome")
    received = backend.exception_to_python(stored)
    assert type(received).__name__ == "RunRateLimitError"
    assert not isinstance(received, openai.OpenAIError)


@pytest.mark.parametrize("name", RETRYABLE)
def test_a_retryable_error_is_tried_again(attempts: dict[str, AsyncResult], name: str) -> None:
    """A task that calls `self.retry` if `is_retryable` is tried again, to its success."""
    assert attempts[name].get(timeout=SECONDS, interval=0.02) == "answer"


@pytest.mark.parametrize("name", NOT_RETRYABLE)
def test_any_other_error_fails_the_task(attempts: dict[str, AsyncResult], name: str) -> None:
    """The same task fails at once with quota, policy, incomplete, cancelled, unknown, pending and waiting errors."""
    with pytest.raises(type(error(name))):
        attempts[name].get(timeout=SECONDS, interval=0.02)
