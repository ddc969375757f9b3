"""What judging a run costs, beside what the SDK itself does for the same purpose.

Run with `python benchmarks/dispatch.py`: prints a section for `RESULTS.md`. Every round measures all subjects one after
the other, so that a busy machine slows all of them alike; a ratio is the median of the ratios of the rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from timeit import Timer
from typing import Any

import openai
from openai.types.responses import Response

from runoutcome import Catalog, classify, error_for, raise_for_status
from runoutcome._operations.observation import observe_answer
from runoutcome._sdk.responses import Answer, native_http_library
from tables import table

ROUNDS = 15
ROUND_SECONDS = 0.05
IMPORT_ROUNDS = 9

ERROR = {
    "code": "rate_limit_exceeded",
    "message": "Rate limit reached for gpt-5.5 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2500. "
    "Please try again in 2.512s.",
    "param": None,
    "type": "tokens",
}
RUN: dict[str, Any] = {
    "id": "resp_68b4e2c0ffee",
    "object": "response",
    "created_at": 1_760_000_000,
    "status": "in_progress",
    "background": True,
    "error": None,
    "incomplete_details": None,
    "instructions": "Answer in one paragraph. " * 80,
    "model": "gpt-5.5",
    "output": [],
    "parallel_tool_calls": True,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [
        {"type": "function", "name": f"look_up_{n}", "parameters": {"type": "object", "properties": {}}, "strict": True}
        for n in range(5)
    ],
    "top_p": 1.0,
    "usage": None,
    "metadata": {"runoutcome_key": "0123456789abcdef0123456789abcdef-1"},
}

LONG_ITEM = {
    "type": "web_search_call",
    "id": "ws_68b4e2c0ffee",
    "status": "completed",
    "action": {"type": "search", "query": "what became of the run " * 12},
}


@dataclass(frozen=True)
class Subject:
    """One thing that is measured, and what it is compared with."""

    name: str
    run: Callable[[], object]
    beside: str | None = None


def subjects() -> list[Subject]:
    """What is measured inside this process."""
    library = native_http_library()
    client = openai.OpenAI(api_key="none", base_url="http://localhost/v1")
    request = library.Request("GET", "http://localhost/v1/responses/resp_68b4e2c0ffee")
    response = library.Response(
        429, headers={"x-request-id": "req_1"}, content=json.dumps({"error": ERROR}).encode(), request=request
    )
    failed = {**RUN, "status": "failed", "error": ERROR}
    completed = {**RUN, "status": "completed"}
    failed_model, pending_model, completed_model = (Response.construct(**body) for body in (failed, RUN, completed))
    text = json.dumps(RUN)

    def error_and_response() -> Any:
        error: Any = error_for(failed_model)
        return error.response

    sdk, parse = "the SDK: client._make_status_error(...)", f"json.loads of that body ({len(text) / 1000:.1f} kB)"
    long_text = json.dumps({**RUN, "output": [LONG_ITEM] * 475})
    long_parse = f"json.loads of a pending body with 475 items ({len(long_text) / 1000:.0f} kB)"
    catalog = Catalog.load()

    def polled(content: str) -> Callable[[], object]:
        answer = Answer(content.encode(), 200, response.headers, "http://localhost/v1", library)
        return lambda: observe_answer(answer, catalog)

    return [
        Subject(sdk, lambda: client._make_status_error("m", body={"error": ERROR}, response=response)),
        Subject("error_for(failed model)", lambda: error_for(failed_model), sdk),
        Subject("error_for(failed model).response", error_and_response, sdk),
        Subject(parse, lambda: json.loads(text)),
        Subject("classify(in-progress model)", lambda: classify(pending_model), parse),
        Subject("classify(in-progress dict)", lambda: classify(RUN), parse),
        Subject("classify(failed dict)", lambda: classify(failed), parse),
        Subject("raise_for_status(completed model)", lambda: raise_for_status(completed_model), parse),
        Subject("a poll's answer with that body, judged", polled(text), parse),
        Subject(long_parse, lambda: json.loads(long_text)),
        Subject("a poll's answer with that body, judged (475 items)", polled(long_text), long_parse),
    ]


def measure(measured: list[Subject], rounds: int) -> dict[str, list[float]]:
    """Seconds per call of each subject, one number for each round."""
    timers = {subject.name: Timer(subject.run) for subject in measured}
    calls = {}
    for name, timer in timers.items():
        count, seconds = timer.autorange()
        calls[name] = max(1, int(count * ROUND_SECONDS / seconds))
    found: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timer in timers.items():
            found[name].append(timer.timeit(calls[name]) / calls[name])
    return found


def measure_imports(rounds: int) -> dict[str, list[float]]:
    """Seconds that a fresh interpreter takes for each import, less what it takes for none; alternating."""
    statements = {"import openai": "import openai", "import runoutcome": "import runoutcome"}
    uses = "import runoutcome; runoutcome.classify({'status': 'failed', 'error': {'code': 'server_error'}})"
    statements["import runoutcome, and classify a dict"] = uses
    statements["import openai, and everything of runoutcome"] = "import openai; from runoutcome import *"
    found: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(rounds):
        nothing = _seconds_of("pass")
        for name, code in statements.items():
            found[name].append(max(0.0, _seconds_of(code) - nothing))
    return found


def _seconds_of(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def ratio(found: dict[str, list[float]], name: str, beside: str) -> float:
    """The median of the ratios of the rounds."""
    return median(one / other for one, other in zip(found[name], found[beside], strict=True))


def section(quick: bool = False) -> str:
    """The section of `RESULTS.md`; `quick` takes one round."""
    rounds, import_rounds = (1, 1) if quick else (ROUNDS, IMPORT_ROUNDS)
    measured = subjects()
    found, imports = measure(measured, rounds), measure_imports(import_rounds)
    calls = [
        (
            subject.name,
            f"{median(found[subject.name]) * 1e6:.1f}",
            f"{ratio(found, subject.name, subject.beside):.2f}" if subject.beside else "1",
        )
        for subject in measured
    ]
    loads = [
        (name, f"{median(seconds) * 1e3:.0f}", f"{ratio(imports, name, 'import openai'):.2f}")
        for name, seconds in imports.items()
    ]
    return f"""## What judging a run costs

Medians of {rounds} rounds ({import_rounds} for imports), all subjects in every round. A ratio is to the nearest row
above with the ratio 1.

{table(("one call", "microseconds", "ratio"), calls)}

{table(("a fresh interpreter", "milliseconds", "ratio"), loads)}
"""


if __name__ == "__main__":
    print(section("--quick" in sys.argv))
