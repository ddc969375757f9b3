"""A power cut: whatever part of the last writes reached the disk, nothing that was acknowledged is lost."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from batches import query, read_rows

from runoutcome.batch import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")

CUTS = 40
WRITING = """
import json, sys
from pathlib import Path
from runoutcome._waiting.resume_token import ResumeToken
from runoutcome.batch import JobLine, Store
results = Path(sys.argv[1])
log = results.with_name(results.name + ".db-wal")
with Store(results) as store:
    for number in range(60):
        job = JobLine(number + 1, f"job-{number}", {"model": "m", "input": "x" * 50 * number})
        store.note(job, "submitting", key=f"k-{number}").result()
        store.note(job, "submitted", token=ResumeToken(f"resp_{number}", 1.0, f"k-{number}").dumps()).result()
        print("id", number, log.stat().st_size, results.stat().st_size, flush=True)
        if number % 2:
            body = {"id": f"resp_{number}", "output": "y" * 97 * number}
            row = {"id": f"batch_req_{number:024x}", "custom_id": f"job-{number}", "outcome": {"status": "completed"}}
            store.add_result({**row, "response": {"status_code": 200, "body": body}}).result()
            print("result", number, log.stat().st_size, results.stat().st_size, flush=True)
    print("done", 0, 0, 0, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Acknowledged:
    """A write that was acknowledged, and how long the files were then."""

    kind: str
    number: int
    log_size: int
    results_size: int


def test_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    """The log and the results, cut anywhere after what was acknowledged, still have it, and no line twice."""
    written = tmp_path / "written"
    written.mkdir()
    acknowledged = write_and_kill(written / "out.jsonl")
    assert len(acknowledged) == 90
    log, results = (written / name for name in ("out.jsonl.db-wal", "out.jsonl"))
    log_data, results_data = log.read_bytes(), results.read_bytes()
    dice = random.Random(7)
    for number in range(CUTS):
        folder = tmp_path / f"cut-{number}"
        shutil.copytree(written, folder)
        last = dice.randrange(len(acknowledged))
        log_cut = dice.randint(acknowledged[last].log_size, len(log_data))
        results_cut = dice.randint(acknowledged[last].results_size, len(results_data))
        rest = dice.choice([b"", b"\0" * (len(log_data) - log_cut)])  # blocks that were allocated and never written
        (folder / log.name).write_bytes(log_data[:log_cut] + rest)
        (folder / results.name).write_bytes(results_data[:results_cut])
        with Store(folder / "out.jsonl") as store:
            for write in acknowledged[: last + 1]:
                past = store.past[f"job-{write.number}"]
                assert past.token is not None
                assert f"resp_{write.number}" in past.token
                assert write.kind == "id" or f"job-{write.number}" in store.finished
        lines = [row["custom_id"] for row in read_rows(folder / "out.jsonl")]
        assert len(lines) == len(set(lines))
        assert query(folder / "out.jsonl.db", "PRAGMA quick_check") == [("ok",)]


def write_and_kill(results: Path) -> list[Acknowledged]:
    """Write a batch in another process, which is killed with its log full; return what it had acknowledged."""
    acknowledged: list[Acknowledged] = []
    argv = [sys.executable, "-c", WRITING, str(results)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kind, *numbers = line.split()
            if kind == "done":
                break
            acknowledged.append(Acknowledged(kind, *map(int, numbers)))
        process.send_signal(signal.SIGKILL)
    return acknowledged
