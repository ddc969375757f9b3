from __future__ import annotations

import pytest
from snippets import found, rules

FAILURE = "failure-ignored"
INCOMPLETE = "incomplete-ignored"

WAIT = """
        response = client.responses.create(model=model, input=text, background=True)
        while response.status in {"queued", "in_progress"}:
            time.sleep(2)
            response = client.responses.retrieve(response.id)
"""

FAILURE_IGNORED = {
    "printed": "print(response.output_text)",
    "kept": "text = response.output_text",
    "given away": "answer = response.output_text\n        save(answer)",
    "items": "items = [item for item in response.output if item.type == 'message']",
    "shortened": "print(response.output_text or 'nothing')",
    "behind a flag": "\n        if verbose:\n            print('done')\n        print(response.output_text)",
    "with": "\n        with open(path, 'w') as file:\n            file.write(response.output_text)",
}

FAILURE_SEEN = {
    "status": "print(response.output_text if response.status == 'completed' else None)",
    "and": "print(response.status == 'completed' and response.output_text)",
    "branch": "\n        if response.status == 'completed':\n            print(response.output_text)",
    "shown": "print(response.status, response.output_text)",
    "error": "\n        if response.error:\n            raise RuntimeError\n        print(response.output_text)",
    "raise_for_status": "print(raise_for_status(response).output_text)",
    "checked": "\n        check(response)\n        print(response.output_text)",
    "handed over": "save(response)\n        print(response.output_text)",
    "kept whole": "self.response = response\n        print(response.output_text)",
    "tested": "text = response.output_text\n        if not text:\n            raise RuntimeError\n        print(text)",
    "not read": "print('done')",
}


@pytest.mark.parametrize("after", FAILURE_IGNORED.values(), ids=FAILURE_IGNORED)
def test_output_read_after_any_end_is_found(after: str) -> None:
    """Output that is read after a wait without a look at how the run ended is found."""
    assert FAILURE in rules(WAIT + "        " + after)


@pytest.mark.parametrize("after", FAILURE_SEEN.values(), ids=FAILURE_SEEN)
def test_a_look_at_the_end_is_enough(after: str) -> None:
    """A look at the status or the error, or somebody else who gets the run, is enough."""
    assert not {FAILURE, INCOMPLETE} & rules(WAIT + "        " + after)


def test_a_wait_through_a_function_is_followed() -> None:
    """A function that waits and gives back the output is found, at the line of the output."""
    source = """
        async def ask(client, response_id):
            while True:
                response = await client.responses.retrieve(response_id)
                if response.status not in ("queued", "in_progress"):
                    break
                await asyncio.sleep(1)
            return response.output_text
        """
    assert (7, FAILURE) in found(source)


def test_output_without_a_wait_is_left_alone() -> None:
    """Reading a stored response that was never waited for says nothing about a failed run."""
    source = """
        def show(response_id):
            return client.responses.retrieve(response_id).output_text

        def answer(text):
            response = client.responses.create(model=model, input=text)
            return response.output_text
        """
    assert rules(source) == set()


@pytest.mark.parametrize(
    "test",
    [
        "if response.status == 'failed':",
        "if response.status in ('failed', 'cancelled'):",
        "if response.status == 'failed' or response.status == 'cancelled':",
    ],
)
def test_incomplete_taken_for_completed_is_found(test: str) -> None:
    """A failure is handled and all the rest is read as whole: an incomplete run is read too."""
    source = f"""{WAIT}
        {test}
            raise RuntimeError(response.error)
        print(response.output_text)
        """
    assert (8, INCOMPLETE) in found(source)
    assert FAILURE not in rules(source)


@pytest.mark.parametrize(
    "after",
    [
        "if response.status != 'completed':\n            raise RuntimeError\n        print(response.output_text)",
        "if response.status == 'failed':\n            raise RuntimeError\n"
        "        if response.incomplete_details:\n            raise ValueError\n        print(response.output_text)",
        "if response.status in ('failed', 'incomplete'):\n            raise RuntimeError\n"
        "        print(response.output_text)",
        "if response.status == 'completed':\n            print(response.output_text)\n"
        "        elif response.status == 'failed':\n            raise RuntimeError",
        "if response.status == 'failed':\n            raise RuntimeError\n        return_(response)",
        "if response.status == 'failed':\n            raise RuntimeError\n"
        "        print({'status': response.status, 'text': response.output_text})",
    ],
)
def test_incomplete_that_is_seen_is_left_alone(after: str) -> None:
    """Anything but `completed` is turned away, or incomplete is looked at, or the status goes with the output."""
    assert INCOMPLETE not in rules(WAIT + "        " + after)


def test_a_single_look_is_enough_to_take_incomplete_for_completed() -> None:
    """It needs no loop: a status page that knows `failed` and `completed` is found as well."""
    source = """
        def state(response_id):
            response = client.responses.retrieve(response_id)
            if response.status in ("queued", "in_progress"):
                return None
            if response.status == "failed":
                raise RuntimeError(response.error)
            return response.output_text
        """
    assert found(source) == [(7, INCOMPLETE)]


@pytest.mark.parametrize("client", ["client = strict_client(OpenAI())", "client: OpenAI = runoutcome.strict_client(c)"])
def test_a_strict_client_has_looked(client: str) -> None:
    """A wait through a client that `strict_client` made needs no look of its own; another client's does."""
    wait = WAIT + "        print(response.output_text)"
    assert not {FAILURE, INCOMPLETE} & rules(f"\n        {client}" + wait)
    assert FAILURE in rules(
        f"\n        {client}" + wait.replace("client.responses.retrieve", "other.responses.retrieve")
    )
