"""Retries of code that is handed to a function, a retryer or a decorator."""

from __future__ import annotations

import pytest
from snippets import rules

CREATE = "create-inside-retry"

AGAIN = """
        import functools, openai, stamina, tenacity
        from functools import partial

        class Worker:
            def again(self, call, times=3):
                while True:
                    try:
                        return call()
                    except openai.APIError:
                        pass

            def make(self):
                return self.client.responses.create(model=model, background=True)

            def run(self):
                return self.again(self.make)

        def again(call, *args, **kwargs):
            for _ in range(3):
                try:
                    return call(*args, **kwargs)
                except {caught}:
                    pass

        def repeated(function):
            def wrapper(*args):
                return again(lambda: function(*args))
            return wrapper

        def retrying(times):
            def decorate(function):
                def wrapper(*args):
                    for _ in range(times):
                        try:
                            return function(*args)
                        except {caught}:
                            pass
                return wrapper
            return decorate

        def plain(function):
            def wrapper(*args):
                while True:
                    try:
                        return function(*args)
                    except {caught}:
                        continue
            return wrapper

        def submit(text=""):
            return client.responses.create(model=model, input=text, background=True)

        later = partial(client.responses.create, model=model, background=True)
        retryer = tenacity.Retrying(retry=tenacity.retry_if_exception_type({caught}))
"""
HEAD, TAIL = AGAIN.split("        class Worker:")
WORKER, REST = TAIL.split("        def again(call")
FUNCTIONS = HEAD + "        def again(call" + REST.replace("client.responses.create(model=model, input", "{make}(input")


def handed(use: str, caught: str = "openai.APIConnectionError", make: str = "client.responses.create") -> set[str]:
    """The rules that speak about a use of the functions above."""
    return rules(FUNCTIONS.format(caught=caught, make=make) + f"\n        {use}\n")


@pytest.mark.parametrize(
    "use",
    [
        "again(lambda: client.responses.create(model=model, background=True))",
        "again(call=lambda: submit('x'))",
        "again(client.responses.create, model=model, background=True)",
        "again(partial(client.responses.create, background=True))",
        "again(functools.partial(submit, 'x'))",
        "again(later)",
        "again(submit, 'x')",
        "retryer(submit, 'x')",
        "retryer(client.responses.create, background=True)",
        "tenacity.Retrying()(submit)",
        "tenacity.retry(stop=stop)(submit)('x')",
        "stamina.retry(on=openai.APIError)(submit)()",
        "plain(submit)('x')",
        "retrying(3)(submit)('x')",
        "\n        @plain\n        def make():\n            return submit()",
        "\n        @retrying(times=3)\n        def make():\n            return submit()",
    ],
)
def test_a_create_that_is_handed_to_a_retry_is_found(use: str) -> None:
    """A lambda, partial, bound method or function is called again by whatever it is handed to."""
    assert CREATE in handed(use)


@pytest.mark.parametrize(
    "use",
    [
        "again(lambda: client.responses.create(model=model))",
        "again(client.responses.retrieve, 'resp_1')",
        "again(submit('x'))",
        "again(str, submit)",
        "retryer(len, submit)",
        "print(submit)",
        "again(*calls)",
    ],
)
def test_a_retry_that_is_handed_something_else_is_left_alone(use: str) -> None:
    """Other calls, and a create that is made before the retry begins, have no finding."""
    assert CREATE not in handed(use)


@pytest.mark.parametrize("use", ["again(submit)", "retryer(submit)", "plain(submit)"])
def test_a_handed_create_is_left_alone_after_a_refusal(use: str) -> None:
    """A retry after errors that prove a refusal is none of a run that was made."""
    assert CREATE not in handed(use, caught="openai.RateLimitError")


def test_a_method_that_is_handed_to_a_method_is_found() -> None:
    """`self.again(self.make)` is followed within the class."""
    assert CREATE in rules(HEAD + "        class Worker:" + WORKER)


def test_a_poll_that_is_handed_to_a_retry_is_found() -> None:
    """A function that raises for a failed run is not to be called again for the same run."""
    source = """
        import tenacity

        def look():
            response = client.responses.retrieve(response_id)
            if response.status == "failed":
                raise RuntimeError(response.error)

        tenacity.Retrying()(look)
        """
    assert rules(source) == {"retry-around-poll"}
