from __future__ import annotations

import pytest
from snippets import found, rules

RULE = "raw-httpx-predicate"
IMPORTS = """
        import httpx, requests, backoff, openai
        from requests.exceptions import Timeout
        from tenacity import retry, retry_if_exception_type
"""
FUNCTION = """
        def ask(text):
            return client.responses.create(model=model, input=text)
"""


@pytest.mark.parametrize(
    "decorator",
    [
        "@retry(retry=retry_if_exception_type(httpx.TimeoutException))",
        "@retry(retry=retry_if_exception_type((httpx.ConnectError, httpx.ReadTimeout)))",
        "@backoff.on_exception(backoff.expo, requests.exceptions.RequestException)",
        "@retry(retry=retry_if_exception_type(Timeout))",
    ],
)
def test_a_retry_that_never_matches_is_found(decorator: str) -> None:
    """A retry of SDK calls after an HTTP library's exceptions is found: the SDK raises its own."""
    assert RULE in rules(f"{IMPORTS}\n        {decorator}{FUNCTION}")


@pytest.mark.parametrize(
    "decorator",
    [
        "@retry(retry=retry_if_exception_type((httpx.TimeoutException, openai.APIConnectionError)))",
        "@retry(retry=retry_if_exception_type(openai.APITimeoutError))",
        "@retry",
    ],
)
def test_a_retry_that_matches_is_left_alone(decorator: str) -> None:
    """With the SDK's own classes beside them the others do no harm."""
    assert RULE not in rules(f"{IMPORTS}\n        {decorator}{FUNCTION}")


@pytest.mark.parametrize("caught", ["httpx.HTTPError", "(httpx.ConnectError, httpx.ReadError)", "Timeout as error"])
def test_a_handler_that_never_matches_is_found(caught: str) -> None:
    """An `except` for an HTTP library's exceptions around SDK calls is found, at its line."""
    source = f"""
        import httpx, openai
        from requests.exceptions import Timeout
        try:
            response = client.chat.completions.create(model=model, messages=messages)
            print(response.choices[0].message.content.strip())
        except {caught}:
            pass
        """
    assert found(source) == [(6, RULE)]


OTHERS = {
    "its own request": """
        import httpx, openai
        try:
            response = client.responses.create(model=model, input=text)
            httpx.post(webhook, json=response.output_text)
        except httpx.HTTPError:
            pass
        """,
    "a function that is not known": """
        import httpx, openai
        try:
            response = client.responses.create(model=model, input=text)
            publish(response)
        except httpx.HTTPError:
            pass
        """,
    "a stream": """
        import httpx, openai
        try:
            for event in client.responses.create(model=model, input=text, stream=True):
                print(event)
        except httpx.RemoteProtocolError:
            pass
        """,
    "perhaps a stream": """
        import httpx, openai
        try:
            response = client.responses.create(**params)
        except httpx.RemoteProtocolError:
            pass
        """,
    "the SDK's class beside it": """
        import httpx, openai
        try:
            response = client.responses.create(model=model, input=text)
        except openai.APIConnectionError:
            pass
        except httpx.HTTPError:
            pass
        """,
    "no SDK": """
        import httpx
        try:
            response = client.responses.create(model=model, input=text)
        except httpx.HTTPError:
            pass
        """,
    "a client that does not wrap": """
        import httpx, openai, litellm
        try:
            response = client.chat.completions.create(model=model, messages=messages)
        except httpx.HTTPError:
            pass
        """,
    "a class of one's own": """
        import openai
        from errors import HTTPError
        try:
            response = client.responses.create(model=model, input=text)
        except HTTPError:
            pass
        """,
}


@pytest.mark.parametrize("source", OTHERS.values(), ids=OTHERS)
def test_where_such_an_exception_may_come_it_is_left_alone(source: str) -> None:
    """Requests of one's own, streams, unknown functions and other clients may raise them."""
    assert RULE not in rules(source)
