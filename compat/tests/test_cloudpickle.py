"""cloudpickle: errors alone, and inside of a function that is sent to another process."""

from __future__ import annotations

import subprocess
import sys

import cloudpickle
import pytest
from facts import facts_of

from errors import EVERY, error, leaked

PACKAGE = "cloudpickle"
CALL = "import pickle, sys; print(*pickle.load(sys.stdin.buffer)())"


@pytest.mark.parametrize("name", EVERY)
def test_an_error_survives(name: str) -> None:
    """An error comes back with its class and fields, and nothing secret is in the bytes."""
    sent = error(name)
    data = cloudpickle.dumps(sent)
    received = cloudpickle.loads(data)
    assert facts_of(received) == facts_of(sent)
    assert leaked(data) == []


def test_a_function_takes_errors_to_another_process() -> None:
    """A function that holds errors runs in a fresh interpreter, where they have their class and outcome."""
    errors = {name: error(name) for name in EVERY}
    names = [f"{type(error).__name__}:{error.retryable}" for error in errors.values()]

    def tell() -> list[str]:
        return [f"{type(error).__name__}:{error.retryable}" for error in errors.values()]

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        data = cloudpickle.dumps(tell)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    done = subprocess.run([sys.executable, "-c", CALL], input=data, capture_output=True, timeout=60, check=True)
    assert done.stdout.decode().split() == names
    assert leaked(data) == []
