"""An export of a journal: the result lines anew, or a table of the jobs, in constant memory."""

from __future__ import annotations

import csv
import json
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from journals import Made, query

from runoutcome.batch import JobLine, Store, StoreError
from runoutcome.report import csv_lines, jsonl_lines


def test_lines_are_those_of_the_results(mixed: Made) -> None:
    """The lines and their order are those of the file that the batch wrote, also for jobs with several runs."""
    assert b"".join(jsonl_lines(mixed.results)) == mixed.results.read_bytes()


def test_the_table_has_the_figures_of_each_job(mixed: Made) -> None:
    """A row has the last run of a job, and the tokens of all its runs."""
    rows = list(csv.DictReader(line.decode() for line in csv_lines(mixed.results)))
    lines = {line["custom_id"]: line for line in map(json.loads, mixed.results.read_text().splitlines())}
    assert [row["key"] for row in rows] == [f"job-{number}" for number in range(1, 19)]
    for row in rows:
        outcome, body = lines[row["key"]]["outcome"], lines[row["key"]]["response"]["body"]
        assert (row["state"], row["response_id"], row["model"]) == (outcome["status"], body["id"], body["model"])
        assert row["code"] == (outcome["code"] or outcome["reason"] or "")
        assert int(row["attempts"]) == outcome["attempts"]
        assert row["ended"] >= row["submitted"] >= row["created"] > "2020"
    ((tokens,),) = query(mixed.folder, "SELECT sum(total_tokens) FROM attempts")
    assert sum(int(row["total_tokens"] or 0) for row in rows) == tokens
    ((unknown,),) = query(mixed.folder, "SELECT count(*) FROM attempts WHERE total_tokens IS NULL")
    assert sum(int(row["without_usage"]) for row in rows) == unknown


def test_a_job_that_was_never_submitted_has_a_row(tmp_path: Path) -> None:
    """A queued job has its key and state, and nothing else; it has no line of results."""
    store = Store(tmp_path / "results.jsonl")
    store.check([JobLine(1, 'a "quoted", key', {"model": "m"})])
    with store:
        rows = list(csv.DictReader(line.decode() for line in csv_lines(store.journal_path)))
        assert list(jsonl_lines(store.journal_path)) == []
    assert [(row["key"], row["state"], row["attempts"], row["ended"]) for row in rows] == [
        ('a "quoted", key', "queued", "0", "")
    ]


def test_one_of_several_batches_is_named(tmp_path: Path) -> None:
    """A journal with several batches needs a name; an error lists the names. One without a batch says so."""
    journal = tmp_path / "all.db"
    for name in ("one", "two"):
        store = Store(tmp_path / name, database=journal)
        store.check([JobLine(1, name, {"model": "m"})])
        with store:
            pass
    with pytest.raises(StoreError, match="has 2 batches; name one of them with --batch: one, two"):
        list(csv_lines(journal))
    with pytest.raises(StoreError, match="has no batch 'three'; its batches: one, two"):
        list(jsonl_lines(journal, "three"))
    assert list(csv_lines(journal, "two"))[1].startswith(b"two,queued")
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute("DELETE FROM batches")
    with pytest.raises(StoreError, match="has no batch yet"):
        list(csv_lines(journal))


def test_a_large_export_needs_little_memory(tmp_path: Path) -> None:
    """20 MB of results are streamed in less than 2 MB."""
    with Store(tmp_path / "results.jsonl") as store:
        for number in range(200):
            body = {"id": f"resp_{number}", "status": "completed", "output": [{"text": f"{number}" + "x" * 100_000}]}
            response = {"status_code": 200, "body": body}
            store.add_result({"id": "batch_req_0", "custom_id": f"job-{number}", "response": response, "outcome": {}})
    tracemalloc.start()
    try:
        size = sum(map(len, jsonl_lines(tmp_path / "results.jsonl")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == (tmp_path / "results.jsonl").stat().st_size > 20_000_000
    assert peak < 2_000_000
