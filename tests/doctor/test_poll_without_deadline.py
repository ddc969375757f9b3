from __future__ import annotations

import pytest
from snippets import found, rules

RULE = "poll-without-deadline"

ENDLESS = {
    "while": """
        while response.status in ("queued", "in_progress"):
            time.sleep(2)
            response = client.responses.retrieve(response.id)
        """,
    "while true": """
        while True:
            response = client.responses.retrieve(response_id)
            if response.status not in {"queued", "in_progress"}:
                break
            time.sleep(2)
        """,
    "async": """
        async def wait(client, response):
            while response.status in PENDING:
                await asyncio.sleep(5)
                response = await client.responses.retrieve(response.id)
            return response
        """,
    "walrus": """
        while (response := client.responses.retrieve(response_id)).status == "in_progress":
            time.sleep(1)
        """,
    "flag": """
        waiting = True
        while waiting:
            response = client.responses.retrieve(response_id)
            waiting = response.status in ("queued", "in_progress")
        """,
    "constant flag": """
        done = False
        while not done:
            response = client.responses.retrieve(response_id)
            if response.status == "completed":
                done = True
        """,
    "dict": """
        while body["status"] == "in_progress":
            body = client.responses.retrieve(response_id).model_dump()
        """,
    "getattr": """
        while getattr(response, "status", None) == "in_progress":
            response = client.responses.retrieve(response_id)
        """,
    "raw response": """
        while True:
            response = client.responses.with_raw_response.retrieve(response_id).parse()
            if response.status == "completed":
                break
        """,
    "options": """
        while response.status == "queued" or response.status == "in_progress":
            response = client.with_options(timeout=30, max_retries=0).responses.retrieve(response.id)
        """,
    "method of its own": """
        class Waiter:
            def _fetch(self, response_id):
                return self.client.responses.retrieve(response_id)

            def wait(self, response_id):
                while True:
                    response = self._fetch(response_id)
                    if response.status == "completed":
                        return response
                    time.sleep(1)
        """,
    "method that keeps the run": """
        class Waiter:
            def refresh(self):
                self.run = self.client.beta.threads.runs.retrieve(self.run_id, thread_id=self.thread_id)

            def wait(self):
                while self.run.status in ("queued", "in_progress"):
                    self.refresh()
        """,
    "function of its own": """
        def state(response_id):
            return client.responses.retrieve(response_id).status

        def wait(response_id):
            status = "queued"
            while status in ("queued", "in_progress"):
                status = state(response_id)
        """,
    "nested function": """
        async def wait(client, response):
            async def look():
                return await client.responses.retrieve(response.id)

            while response.status in {"queued", "in_progress"}:
                response = await look()
        """,
    "alias": """
        api = client.responses
        while True:
            if api.retrieve(response_id).status == "completed":
                break
        """,
    "private alias": """
        class Waiter:
            async def wait(self, response):
                while response.status in {"queued", "in_progress"}:
                    response = await self._request(lambda: self._responses_api.retrieve(response.id))
        """,
    "thread": """
        async def wait(response):
            while response.status in {"queued", "in_progress"}:
                response = await asyncio.to_thread(client.responses.retrieve, response.id)
        """,
    "count": """
        for attempt in itertools.count():
            response = client.responses.retrieve(response_id)
            if response.status == "completed":
                break
        """,
    "many runs": """
        while pending:
            for response_id in list(pending):
                response = client.responses.retrieve(response_id)
                if response.status in TERMINAL:
                    pending.remove(response_id)
            time.sleep(5)
        """,
    "all of many": """
        while any(run.status in ("queued", "in_progress") for run in runs):
            runs = [client.responses.retrieve(run.id) for run in runs]
        """,
    "bound on faults only": """
        faults = 0
        while response.status in {"queued", "in_progress"}:
            try:
                response = client.responses.retrieve(response.id)
            except openai.APIError:
                faults += 1
                if faults > 5:
                    raise
        """,
    "count that ends nothing": """
        polls = 0
        while response.status in {"queued", "in_progress"}:
            polls += 1
            if polls > 100:
                print("still waiting")
            response = client.responses.retrieve(response.id)
        """,
    "match": """
        while True:
            response = client.responses.retrieve(response_id)
            match response.status:
                case "completed" | "failed":
                    break
                case _:
                    time.sleep(1)
        """,
    "callback": """
        while True:
            response = client.responses.retrieve(response_id)
            if on_progress is not None:
                on_progress(response)
            if response.status in TERMINAL:
                break
        """,
    "time limit of another function": """
        def wait(response):
            while response.status in {"queued", "in_progress"}:
                response = client.responses.retrieve(response.id)

        def other():
            with timeout(5):
                pass
        """,
}

OTHER_RESOURCES = {
    "batches": "client.batches.retrieve(job_id)",
    "runs": "client.beta.threads.runs.retrieve(job_id, thread_id=thread_id)",
    "jobs": "client.fine_tuning.jobs.retrieve(job_id)",
    "videos": "client.videos.retrieve(job_id)",
    "vector stores": "client.vector_stores.retrieve(job_id)",
    "file batches": "client.vector_stores.file_batches.retrieve(job_id, vector_store_id=store_id)",
}

BOUNDED = {
    "clock in the test": """
        while response.status in {"queued", "in_progress"} and time.monotonic() < deadline:
            response = client.responses.retrieve(response.id)
        """,
    "clock in the body": """
        while True:
            response = client.responses.retrieve(response_id)
            if response.status in ("completed", "failed"):
                return response
            if time.time() - started > 600:
                raise TimeoutError
        """,
    "clock through a name": """
        while response.status in {"queued", "in_progress"}:
            late = time.monotonic() > deadline
            if late:
                break
            response = client.responses.retrieve(response.id)
        """,
    "attempts": """
        while attempts and response.status in {"queued", "in_progress"}:
            attempts -= 1
            response = client.responses.retrieve(response.id)
        """,
    "range": """
        for _ in range(60):
            response = client.responses.retrieve(response_id)
            if response.status not in {"queued", "in_progress"}:
                break
            time.sleep(1)
        """,
    "deadline object": """
        while response.status in {"queued", "in_progress"}:
            deadline.check()
            response = client.responses.retrieve(response.id)
        """,
    "method that raises": """
        class Waiter:
            def _tick(self):
                if time.monotonic() > self.end:
                    raise TimeoutError

            def wait(self, response):
                while response.status in {"queued", "in_progress"}:
                    self._tick()
                    response = self.client.responses.retrieve(response.id)
        """,
    "asyncio.timeout": """
        async def wait(response):
            async with asyncio.timeout(600):
                while response.status in {"queued", "in_progress"}:
                    response = await client.responses.retrieve(response.id)
        """,
    "anyio.fail_after": """
        async def wait(response):
            with anyio.fail_after(600):
                while response.status in {"queued", "in_progress"}:
                    response = await client.responses.retrieve(response.id)
        """,
    "wait_for around the caller": """
        class Agent:
            async def run(self, response):
                return await asyncio.wait_for(self._poll(response), timeout=60)

            async def _poll(self, response):
                while response.status in {"queued", "in_progress"}:
                    response = await self.client.responses.retrieve(response.id)
                return response
        """,
    "future with a timeout": """
        def poll(response):
            while response.status in {"queued", "in_progress"}:
                response = client.responses.retrieve(response.id)

        executor.submit(poll, response).result(timeout=60)
        """,
    "time limit of a task": """
        @app.task(soft_time_limit=600)
        def poll(response):
            while response.status in {"queued", "in_progress"}:
                response = client.responses.retrieve(response.id)
        """,
    "alarm": """
        def poll(response):
            signal.alarm(600)
            while response.status in {"queued", "in_progress"}:
                response = client.responses.retrieve(response.id)
        """,
    "stop event": """
        while not stop.is_set():
            response = client.responses.retrieve(response_id)
            if response.status == "completed":
                break
        """,
    "generator": """
        def follow(response_id):
            while True:
                response = client.responses.retrieve(response_id)
                yield response
                if response.status == "completed":
                    return
        """,
}

UNRELATED = {
    "worker": """
        while True:
            response_id = queue.get()
            response = client.responses.retrieve(response_id)
            save(response.output_text)
        """,
    "list of work": """
        while jobs:
            job = jobs.pop()
            response = client.responses.retrieve(job)
            if response.status == "completed":
                save(response)
        """,
    "one poll": "response = client.responses.retrieve(response_id)",
    "dialogue": """
        while True:
            response = client.responses.retrieve(input("Which response? "))
            if response.status == "completed":
                print(response.id)
                break
        """,
    "for each": """
        for response_id in ids:
            response = client.responses.retrieve(response_id)
            if response.status == "completed":
                break
        """,
    "stream": """
        while response.status == "in_progress":
            for event in client.responses.retrieve(response_id, stream=True, starting_after=cursor):
                cursor = event.sequence_number
        """,
    "another vendor": """
        from openai import OpenAI
        while batch.processing_status != "ended":
            batch = anthropic.messages.batches.retrieve(batch.id)
        """,
    "another client": """
        while order.status != "completed":
            order = shop.orders.retrieve(order.id)
        """,
    "batches without openai": """
        while batch.status != "completed":
            batch = client.batches.retrieve(batch.id)
        """,
    "retriever": """
        while True:
            documents = index.retrieve(query)
            if documents.status == "completed":
                break
        """,
    "waiter in a loop": """
        def wait(response_id):
            for _ in range(60):
                response = client.responses.retrieve(response_id)
                if response.status == "completed":
                    return response
                if response.status in ("failed", "incomplete", "cancelled"):
                    raise RuntimeError(response.status)
                time.sleep(1)

        while jobs:
            job = jobs.pop()
            if wait(job).status == "completed":
                print(job)
        """,
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_a_wait_that_only_the_run_ends_is_found(source: str) -> None:
    """A loop that polls with no bound is found, however the poll and the status are written."""
    assert RULE in rules(source)


@pytest.mark.parametrize("poll", OTHER_RESOURCES.values(), ids=OTHER_RESOURCES)
def test_every_kind_of_job_is_known(poll: str) -> None:
    """The same loop around a batch, an assistant's run, a fine-tuning job, a video or a vector store is found."""
    source = f"""
        from openai import OpenAI
        while True:
            job = {poll}
            if job.status in ("completed", "succeeded", "failed"):
                break
        """
    assert RULE in rules(source)


@pytest.mark.parametrize("source", BOUNDED.values(), ids=BOUNDED)
def test_a_bound_of_any_kind_is_enough(source: str) -> None:
    """A clock, a counter, a timeout around it or somebody who can stop it: then there is no finding."""
    assert RULE not in rules(source)


@pytest.mark.parametrize("source", UNRELATED.values(), ids=UNRELATED)
def test_other_loops_are_left_alone(source: str) -> None:
    """Loops that do not wait for a run, and other people's APIs, have no finding at all."""
    assert rules(source) == set()


def test_the_finding_is_at_the_loop() -> None:
    """The line is that of the `while`, and an inner loop is not told again for the outer one."""
    source = """
        while True:
            while response.status in {"queued", "in_progress"}:
                response = client.responses.retrieve(response.id)
            if response.status == "completed":
                break
        """
    assert (2, RULE) in found(source)
    assert (1, RULE) not in found(source)
