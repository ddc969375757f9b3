from __future__ import annotations

import pytest
from snippets import found, rules

RULE = "cancel-on-any-error"
POLL = """
        def run(response):
            try:
                while response.status in {"queued", "in_progress"}:
                    response = client.responses.retrieve(response.id)
"""

ANY = {
    "Exception": """
            except Exception:
                client.responses.cancel(response.id)
                raise
        """,
    "bare": """
            except:
                client.responses.cancel(response.id)
                raise
        """,
    "BaseException": """
            except BaseException as error:
                log.error(error)
                client.responses.cancel(response.id)
                raise
        """,
    "tuple": """
            except (ValueError, Exception):
                client.responses.cancel(response.id)
        """,
    "finally": """
            finally:
                client.responses.cancel(response.id)
        """,
    "guarded finally": """
            finally:
                if response.status in {"queued", "in_progress"}:
                    client.responses.cancel(response.id)
        """,
    "tried": """
            except Exception:
                try:
                    client.responses.cancel(response.id)
                except openai.APIError:
                    pass
                raise
        """,
}

CHOSEN = {
    "cancelled": """
            except (KeyboardInterrupt, asyncio.CancelledError):
                client.responses.cancel(response.id)
                raise
        """,
    "timeout": """
            except TimeoutError:
                client.responses.cancel(response.id)
                raise
        """,
    "poll faults first": """
            except openai.APIError:
                raise
            except Exception:
                client.responses.cancel(response.id)
                raise
        """,
    "by the error": """
            except Exception as error:
                if isinstance(error, TimeoutError):
                    client.responses.cancel(response.id)
                raise
        """,
    "by a flag": """
            finally:
                if timed_out:
                    client.responses.cancel(response.id)
        """,
    "other thing": """
            except Exception:
                task.cancel()
                raise
        """,
    "no cancel": """
            except Exception:
                raise
        """,
}


@pytest.mark.parametrize("handler", ANY.values(), ids=ANY)
def test_a_cancel_after_any_error_is_found(handler: str) -> None:
    """A cancel that is reached by whatever a poll raises is found."""
    assert RULE in rules(POLL + handler)


@pytest.mark.parametrize("handler", CHOSEN.values(), ids=CHOSEN)
def test_a_cancel_on_purpose_is_left_alone(handler: str) -> None:
    """A cancel after a timeout, somebody's wish, or an error that was looked at, has no finding."""
    assert RULE not in rules(POLL + handler)


def test_polls_that_handle_their_own_errors_are_left_alone() -> None:
    """What is left for the outer handler is no poll fault."""
    source = """
        try:
            while response.status in {"queued", "in_progress"}:
                try:
                    response = client.responses.retrieve(response.id)
                except openai.APIError:
                    continue
        except Exception:
            client.responses.cancel(response.id)
            raise
        """
    assert RULE not in rules(source)


def test_a_cancel_without_polls_is_left_alone() -> None:
    """Cleaning up after code that does not poll is no such mistake."""
    source = """
        try:
            response = client.responses.create(model=model, input=text, background=True)
            save(response.id)
        except Exception:
            client.responses.cancel(response.id)
        """
    assert RULE not in rules(source)


def test_batches_count_too() -> None:
    """A batch that is cancelled because a poll failed is found, at the line of the cancel."""
    source = """
        import openai
        try:
            batch = client.batches.retrieve(batch_id)
        except Exception:
            client.batches.cancel(batch_id)
        """
    assert found(source) == [(5, RULE)]
