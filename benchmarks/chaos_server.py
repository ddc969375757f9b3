"""The server of `chaos.py`: the shipped scenario `chaos`, and at the end the truth about each run, as one line of JSON.

Run with `python benchmarks/chaos_server.py SPEED JOBS [WEBHOOK_URL]`; it says its address, serves until SIGINT or
SIGTERM, and then tells how every run ended, or would have ended had nobody cancelled it.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from dataclasses import replace
from typing import Any

from runoutcome.testing import EmulatedRun, Emulator, JobRule, load_scenario
from runoutcome.testing._state.body import body_with
from runoutcome.testing._state.outcome_choice import outcomes_for
from runoutcome.testing._state.request import prompt_text

PROMPT = re.compile(r"Write report \d+ about otters in space\.")
"""What `compat/clients/jobs.py` asks; some clients put words of their own around it."""
ONCE = ("server_error", "rate_limit_exceeded", "vector_store_timeout", "failed", "cancelled")
"""A job that ends so completes if it is run again; the other ends are those of the request, and stay the same."""
UNSPOILT = (None, "slow", "drip")
STOP = {signal.SIGINT, signal.SIGTERM}


def emulator_for(jobs: int, speed: float, webhook_url: str | None) -> Emulator:
    """Plays the scenario, with an end for each job that does not depend on when its client gets round to it."""
    scenario = load_scenario("chaos")
    ends = [outcomes_for(scenario, {"model": "any"}, nth=nth, seed=scenario.seed)[0] for nth in range(1, jobs + 1)]
    texts = [f"report {number} about" for number in range(1, jobs + 1)]
    later = ["completed" if end in ONCE else end for end in ends]
    rules = [JobRule((end,), input_contains=text) for text, end in zip(texts, later, strict=True)]
    # Some clients do not store what they poll for; the newest guide allows that.
    scripted = replace(scenario, jobs=tuple(rules), unstored_background="keep")
    emulator = Emulator(scripted, speed=speed, webhook_url=webhook_url)
    for text, end in zip(texts, ends, strict=True):
        if end in ONCE:
            emulator.script(end, "completed", match=text)
    return emulator


def truth_of(run: EmulatedRun) -> dict[str, Any]:
    """What its script says that becomes of it, whenever a client stopped looking; and whether it was cancelled."""
    asked = prompt_text(run.request)
    found, script = PROMPT.search(asked), run.outcome
    body = body_with(replace(run, cancelled_at=None), script.status)
    texts = [part["text"] for item in body["output"] for part in item.get("content") or () if "text" in part]
    return {
        "prompt": found[0] if found else asked,
        "status": script.status,
        "code": script.code if script.code is None else str(script.code),
        "message": (body["error"] or {}).get("message"),
        "reason": script.reason,
        "text": "".join(texts),
        "cancelled": run.cancelled_at is not None,
    }


def tell(emulator: Emulator) -> None:
    """The truth, and the sums of the verdict."""
    verdict = emulator.verdict()
    runs = [truth_of(run) for run in emulator.runs if run.request.get("background")]
    spoilt = [request for request in emulator.requests if request.route == "poll" and request.fault not in UNSPOILT]
    totals = {**verdict.totals(), "spoilt": len(spoilt), "webhooks": len(emulator.deliveries)}
    found = {"runs": runs, "totals": totals, "findings": verdict.counts()}
    print(json.dumps(found), flush=True)


def main(speed: float, jobs: int, webhook_url: str | None = None) -> None:
    """Serve until a signal comes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    with emulator_for(jobs, speed, webhook_url) as emulator:
        print(json.dumps({"base_url": emulator.base_url}), flush=True)
        signal.sigwait(STOP)
    tell(emulator)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
