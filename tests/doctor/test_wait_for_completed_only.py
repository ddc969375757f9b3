from __future__ import annotations

import pytest
from snippets import rules

from runoutcome.doctor import check_source

RULE = "wait-for-completed-only"

MISSING = {
    "unequal": (
        """
while response.status != "completed":
    response = client.responses.retrieve(response.id)
""",
        "failed, incomplete or cancelled",
    ),
    "two of four": (
        """
while response.status not in ("completed", "failed"):
    response = client.responses.retrieve(response.id)
""",
        "incomplete or cancelled",
    ),
    "exit in the body": (
        """
while True:
    response = client.responses.retrieve(response_id)
    if response.status == "completed":
        break
    elif response.status == "failed":
        raise RuntimeError("failed")
    time.sleep(2)
""",
        "incomplete or cancelled",
    ),
    "constant": (
        """
DONE = {"completed", "failed", "canceled"}
while response.status not in DONE:
    response = client.responses.retrieve(response.id)
""",
        "incomplete or cancelled",
    ),
    "constant of the class": (
        """
class Waiter:
    ends = ["completed", "failed", "incomplete"]

    def wait(self, response):
        while response.status not in self.ends:
            response = self.client.responses.retrieve(response.id)
""",
        "cancelled",
    ),
    "status of its own": (
        """
status = "queued"
while status.lower() not in ["completed", "failed"]:
    response = client.responses.retrieve(response_id)
    status = response.status
""",
        "incomplete or cancelled",
    ),
    "deadline": (
        """
while time.monotonic() < deadline:
    response = client.responses.retrieve(response_id)
    if response.status == "completed":
        return_(response)
        break
    time.sleep(1)
""",
        "failed, incomplete or cancelled",
    ),
    "range": (
        """
for _ in range(60):
    response = client.responses.retrieve(response_id)
    if response.status == "completed":
        break
    time.sleep(1)
""",
        "failed, incomplete or cancelled",
    ),
    "only told": (
        """
while response.status != "completed":
    if response.status == "failed":
        print("it failed")
    response = client.responses.retrieve(response.id)
""",
        "failed, incomplete or cancelled",
    ),
    "all": (
        """
while not all(run.status == "completed" for run in runs):
    runs = [client.responses.retrieve(run.id) for run in runs]
""",
        "failed, incomplete or cancelled",
    ),
    "batch": (
        """
import openai
while batch.status not in ("completed", "failed", "cancelled"):
    batch = client.batches.retrieve(batch.id)
""",
        "expired",
    ),
    "fine-tuning": (
        """
import openai
while job.status != "succeeded":
    job = client.fine_tuning.jobs.retrieve(job.id)
""",
        "failed or cancelled",
    ),
    "assistant": (
        """
while run.status != "completed":
    if run.status in ("failed", "cancelled", "expired"):
        raise RuntimeError(run.status)
    run = openai.beta.threads.runs.retrieve(run.id, thread_id=thread_id)
""",
        "incomplete",
    ),
    "match": (
        """
while True:
    response = client.responses.retrieve(response_id)
    match response.status:
        case "completed":
            break
        case "failed" | "cancelled":
            raise RuntimeError
""",
        "incomplete",
    ),
}

WHOLE = {
    "pending": """
        while response.status in ("queued", "in_progress"):
            response = client.responses.retrieve(response.id)
        """,
    "every end": """
        while response.status not in {"completed", "failed", "incomplete", "cancelled"}:
            response = client.responses.retrieve(response.id)
        """,
    "not pending": """
        while True:
            response = client.responses.retrieve(response_id)
            if response.status not in ("queued", "in_progress"):
                break
        """,
    "continue": """
        while True:
            response = client.responses.retrieve(response_id)
            if response.status in ("queued", "in_progress"):
                time.sleep(1)
                continue
            if response.status != "completed":
                raise RuntimeError
            break
        """,
    "else": """
        while response.status != "completed":
            if response.status in ("queued", "in_progress"):
                time.sleep(1)
            else:
                raise RuntimeError
            response = client.responses.retrieve(response.id)
        """,
    "assert": """
        while response.status != "completed":
            assert response.status in ("queued", "in_progress")
            response = client.responses.retrieve(response.id)
        """,
    "match": """
        while True:
            response = client.responses.retrieve(response_id)
            match response.status:
                case "queued" | "in_progress":
                    time.sleep(1)
                case _:
                    break
        """,
    "unknown set": """
        while response.status not in TERMINAL_STATES:
            response = client.responses.retrieve(response.id)
        """,
    "error": """
        while response.status != "completed":
            if response.error:
                raise RuntimeError(response.error)
            response = client.responses.retrieve(response.id)
        """,
    "check": """
        while response.status != "completed":
            raise_for_status(response)
            response = client.responses.retrieve(response.id)
        """,
    "check by a function": """
        def look(response):
            if response.status in BAD:
                raise RuntimeError(response.status)

        while response.status != "completed":
            look(response)
            response = client.responses.retrieve(response.id)
        """,
    "handed over": """
        while response.status != "completed":
            on_update(response)
            response = client.responses.retrieve(response.id)
        """,
    "made again": """
        while response.status != "completed":
            if response.status in ("failed", "incomplete", "cancelled"):
                response = client.responses.create(model=model, input=text, background=True)
            response = client.responses.retrieve(response.id)
        """,
    "list of work": """
        for number in range(10):
            response = client.responses.retrieve(ids[number])
            if response.status == "completed":
                break
        """,
    "words of its own": """
        def state(response_id):
            response = client.responses.retrieve(response_id)
            if response.status in ("failed", "incomplete", "cancelled"):
                return "error"
            return response.status

        while state(response_id) not in ("completed", "error"):
            time.sleep(1)
        """,
    "words by a table": """
        def state(response_id):
            return WORDS[client.responses.retrieve(response_id).status]

        status = "queued"
        while status not in ("completed", "error"):
            status = state(response_id)
        """,
    "words of a class": """
        job = Job.from_api(client.responses.retrieve(response_id))
        while job.status not in ("completed", "error"):
            job = Job.from_api(client.responses.retrieve(response_id))
        """,
    "words of a method": """
        class Waiter:
            def look(self):
                return self.convert(self.client.responses.retrieve(self.id))

            def wait(self):
                job = self.look()
                while job.status not in ("completed", "error"):
                    job = self.look()
        """,
    "another status": """
        while task.status != "completed":
            task = tasks.get(task.id)
        """,
}


@pytest.mark.parametrize(("source", "missing"), MISSING.values(), ids=MISSING)
def test_ends_that_are_waited_through_are_named(source: str, missing: str) -> None:
    """A loop that goes on for a run that has ended is found, and the statuses it goes on for are named."""
    (finding,) = [finding for finding in check_source(source) if finding.rule == RULE]
    assert finding.message.endswith(f" as {missing}")


@pytest.mark.parametrize("source", WHOLE.values(), ids=WHOLE)
def test_loops_that_see_every_end_are_left_alone(source: str) -> None:
    """A loop that stops for every end, or may do so in a way that is not understood, has no such finding."""
    assert RULE not in rules(source)
