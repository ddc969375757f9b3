from __future__ import annotations

import pytest
from snippets import found, rules

AROUND = "retry-around-poll"
CREATE = "create-inside-retry"

IMPORTS = """
        import backoff, stamina, tenacity, openai
        from openai import APIConnectionError, APIError, APITimeoutError, BadRequestError, RateLimitError
        from tenacity import retry, retry_if_exception, retry_if_exception_type, stop_after_attempt
"""
WAIT_AND_RAISE = """
        def wait(response_id):
            response = client.responses.retrieve(response_id)
            if response.status == "failed":
                raise RuntimeError(response.error)
            return response
"""
WAIT = """
        def wait(response):
            while response.status in {"queued", "in_progress"}:
                time.sleep(2)
                response = client.responses.retrieve(response.id)
            return response
"""
CREATE_ONLY = """
        def submit(text):
            return client.responses.create(model=model, input=text, background=True)
"""
CREATE_AND_WAIT = """
        def run(text):
            response = client.responses.create(model=model, input=text, background=True)
            while response.status in {"queued", "in_progress"}:
                response = client.responses.retrieve(response.id)
            return response
"""


def under(decorator: str, function: str) -> str:
    """The function under a decorator."""
    return f"{IMPORTS}\n        {decorator}{function}"


@pytest.mark.parametrize(
    "decorator",
    [
        "@retry",
        "@tenacity.retry(stop=stop_after_attempt(3))",
        "@retry(retry=retry_if_exception_type((RuntimeError, APIConnectionError)))",
        "@retry(retry=retry_if_exception_type(APIError) | retry_if_exception_type(RuntimeError))",
        "@backoff.on_exception(backoff.expo, Exception)",
        "@stamina.retry(on=RuntimeError)",
    ],
)
def test_a_retry_that_polls_a_dead_run_again_is_found(decorator: str) -> None:
    """What is raised because the run failed is caught by the retry, which polls the same run again."""
    assert AROUND in rules(under(decorator, WAIT_AND_RAISE))


@pytest.mark.parametrize(
    "decorator",
    [
        "@retry(retry=retry_if_exception_type(APIConnectionError))",
        "@retry(retry=retry_if_exception_type((APIConnectionError, RateLimitError)))",
        "@retry(retry=retry_if_exception(is_retryable))",
        "@retry(**policy)",
        "@backoff.on_predicate(backoff.expo)",
        "@ours.retry(on=Exception)",
    ],
)
def test_a_retry_of_poll_faults_is_left_alone(decorator: str) -> None:
    """A retry for the poll's own errors, or one that is not understood, has no finding."""
    assert AROUND not in rules(under(decorator, WAIT_AND_RAISE))


def test_a_wait_under_a_retry_for_rate_limits_is_found() -> None:
    """A retry for RateLimitError around a wait looks as if it covered the run; a run's own limit is never raised."""
    assert AROUND in rules(under("@retry(retry=retry_if_exception_type(RateLimitError))", WAIT))
    assert AROUND in rules(under("@stamina.retry(on=(RateLimitError, APITimeoutError))", WAIT))


def test_a_wait_under_a_retry_for_connections_is_left_alone() -> None:
    """A lost connection is a poll's own fault."""
    assert AROUND not in rules(under("@retry(retry=retry_if_exception_type(APIConnectionError))", WAIT))


def test_a_single_poll_under_a_retry_is_left_alone() -> None:
    """One poll, asked again after a 429 of its own, is no mistake."""
    source = """
        def look(response_id):
            return client.responses.retrieve(response_id)
        """
    assert rules(under("@retry(retry=retry_if_exception_type(RateLimitError))", source)) == set()


def test_raise_for_status_under_a_retry_is_found() -> None:
    """Retrying a poll together with `raise_for_status` asks a finished run again."""
    source = """
        def look(response_id):
            return raise_for_status(client.responses.retrieve(response_id))
        """
    assert AROUND in rules(under("@retry(retry=retry_if_exception_type(RateLimitError))", source))
    assert AROUND not in rules(under("@retry(retry=retry_if_exception_type(APIConnectionError))", source))


LOOP = """
        while True:
            try:
                response = client.responses.retrieve(response_id)
                if response.status == "failed":
                    raise RuntimeError(response.error)
                if response.status == "completed":
                    return response
            except {caught}:
                {then}
            time.sleep(5)
"""


@pytest.mark.parametrize(
    "caught", ["Exception", "Exception as error", "RuntimeError", "(openai.APIError, RuntimeError)"]
)
def test_a_loop_that_catches_the_failure_it_raises_is_found(caught: str) -> None:
    """A loop that raises for a failed run and catches that itself never ends."""
    assert AROUND in rules(LOOP.format(caught=caught, then="log.exception('poll failed')"))


@pytest.mark.parametrize(
    ("caught", "then"), [("openai.APIError", "pass"), ("Exception", "raise"), ("RuntimeError", "break")]
)
def test_a_loop_that_lets_the_failure_out_is_left_alone(caught: str, then: str) -> None:
    """A loop that catches the polls' errors only, or that ends, has no finding."""
    assert AROUND not in rules(LOOP.format(caught=caught, then=then))


@pytest.mark.parametrize(
    "decorator",
    [
        "@retry",
        "@retry(stop=stop_after_attempt(3))",
        "@retry(retry=retry_if_exception_type(APITimeoutError))",
        "@retry(retry=retry_if_exception_type((RateLimitError, APIConnectionError)))",
        "@stamina.retry(on=openai.InternalServerError)",
        "@backoff.on_exception(backoff.expo, (openai.APIError,))",
    ],
)
def test_a_create_sent_again_after_an_ambiguous_error_is_found(decorator: str) -> None:
    """After a timeout, a lost connection or a 5xx the run may be going; a retry pays for a second one."""
    assert CREATE in rules(under(decorator, CREATE_ONLY))


@pytest.mark.parametrize(
    "decorator",
    [
        "@retry(retry=retry_if_exception_type(RateLimitError))",
        "@retry(retry=retry_if_exception_type(BadRequestError))",
        "@retry(retry=retry_if_exception(is_retryable))",
        "@retry(retry=tenacity.retry_if_result(is_empty))",
        "@stamina.retry(on=is_safe)",
    ],
)
def test_a_create_sent_again_after_a_refusal_is_left_alone(decorator: str) -> None:
    """A refused create made no run; what is not understood is left alone too."""
    assert CREATE not in rules(under(decorator, CREATE_ONLY))


def test_polls_inside_the_retry_count_as_well() -> None:
    """With the polls in the same retry even a poll's 429 pays for a second run."""
    assert CREATE in rules(under("@retry(retry=retry_if_exception_type(RateLimitError))", CREATE_AND_WAIT))


@pytest.mark.parametrize(
    ("arguments", "is_found"),
    [
        ("background=True", True),
        ("background=False", False),
        ("", False),
        ("background=background", False),
        ("extra_body={'background': True}", True),
        ("**{'background': True}", True),
        ("**params", True),
        ("**options", False),
    ],
)
def test_only_background_runs_count(arguments: str, is_found: bool) -> None:
    """It must be certain that the create asks for a background run."""
    source = f"""
        def submit(text):
            params = dict(model=model, input=text)
            params["background"] = True
            options = dict(model=model)
            return client.responses.create({arguments})
        """
    assert (CREATE in rules(under("@retry", source))) is is_found


def test_a_create_in_a_function_of_its_own_is_followed() -> None:
    """The retry is around a method that creates the run."""
    source = """
        class Client:
            def _submit(self, text):
                return self.client.responses.create(model=model, input=text, background=True)

            @retry
            def run(self, text):
                return self._submit(text)
        """
    assert CREATE in rules(IMPORTS + source)


def test_blocks_of_the_retry_libraries_are_known() -> None:
    """`for attempt in Retrying(...)` and `stamina.retry_context(...)` are retries too."""
    source = """
        for attempt in {block}:
            with attempt:
                response = client.responses.create(model=model, input=text, background=True)
        """
    for block in ("tenacity.Retrying()", "stamina.retry_context(on=APITimeoutError)"):
        assert CREATE in rules(IMPORTS + source.format(block=block))


AGAIN = {
    "return": """
        def run(text):
            for attempt in range(3):
                try:
                    return client.responses.create(model=model, input=text, background=True)
                except Exception:
                    time.sleep(2 ** attempt)
        """,
    "break": """
        while True:
            try:
                response = client.responses.create(model=model, input=text, background=True)
                break
            except (openai.APIConnectionError, openai.APITimeoutError):
                continue
        """,
    "else": """
        while tries < 3:
            try:
                response = client.responses.create(model=model, input=text, background=True)
            except openai.APIError:
                tries += 1
            else:
                break
        """,
    "test": """
        response = None
        while response is None:
            try:
                response = client.responses.create(model=model, input=text, background=True)
            except openai.APITimeoutError:
                pass
        """,
    "with polls": """
        def run(text):
            for attempt in range(3):
                try:
                    response = client.responses.create(model=model, input=text, background=True)
                    while True:
                        response = client.responses.retrieve(response.id)
                        if response.status == "completed":
                            return response
                except openai.RateLimitError:
                    pass
        """,
}

ONCE = {
    "work": """
        for text in texts:
            try:
                responses.append(client.responses.create(model=model, input=text, background=True))
            except Exception:
                continue
        """,
    "numbered work": """
        def run(texts):
            for number in range(len(texts)):
                try:
                    response = client.responses.create(model=model, input=texts[number], background=True)
                    return response
                except Exception:
                    continue
        """,
    "worker": """
        def work():
            while True:
                try:
                    text = queue.get()
                    if text is None:
                        return
                    save(client.responses.create(model=model, input=text, background=True))
                except Exception:
                    log.exception("not submitted")
        """,
    "refused": """
        while True:
            try:
                response = client.responses.create(model=model, input=text, background=True)
                break
            except openai.RateLimitError:
                time.sleep(10)
        """,
    "told": """
        def run(text):
            for attempt in range(3):
                try:
                    return client.responses.create(model=model, input=text, background=True)
                except openai.APIError:
                    raise
                except Exception:
                    continue
        """,
    "foreground": """
        def run(text):
            for attempt in range(3):
                try:
                    return client.responses.create(model=model, input=text)
                except Exception:
                    continue
        """,
}


@pytest.mark.parametrize("source", AGAIN.values(), ids=AGAIN)
def test_a_loop_that_creates_again_is_found(source: str) -> None:
    """A loop that goes round again after an ambiguous error, and ends on success, is a retry."""
    assert CREATE in rules("        import openai\n" + source)


@pytest.mark.parametrize("source", ONCE.values(), ids=ONCE)
def test_a_loop_over_work_is_left_alone(source: str) -> None:
    """A loop that makes one run for each piece of work, or only repeats a refused create, has no finding."""
    assert CREATE not in rules("        import openai\n" + source)


def test_the_finding_is_at_the_create() -> None:
    """The line is that of the create, not of the retry."""
    assert [line for line, rule in found(under("@retry", CREATE_ONLY)) if rule == CREATE] == [7]
