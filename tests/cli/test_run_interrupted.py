"""`runoutcome run` in a process of its own that is told to stop, loses its terminal, or has no room on the disk."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from command import ARGV, REAL_TIME_SECONDS, Done, call, environment, signalled, started
from job_files import count, job, read, submitted, wait_until, write

from runoutcome.batch import Store, read_jobs
from runoutcome.testing import Emulator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_the_runs_and_says_how_to_go_on(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str], number: str
) -> None:
    """Ctrl-C, SIGTERM and SIGHUP end the command with 130, cancel nothing, and print a command that works."""
    jobs = write(tmp_path / "jobs.jsonl", [job("slow", "stuck"), job("next")])
    output = tmp_path / "out.jsonl"
    with started("run", jobs, "-o", output, "--concurrency", 1, **settings) as process:
        wait_until(lambda: submitted(output) == 1)
        done = signalled(process, getattr(signal, number))
    assert done.returncode == 130, done
    assert "Traceback" not in done.stderr
    assert f"runoutcome run {jobs} -o {output} --concurrency 1" in done.stdout
    assert not any(request.path.endswith("/cancel") for request in emulator.requests)
    assert len(emulator.runs) == 1


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path, emulator: Emulator, settings: dict[str, str]) -> None:
    """Under nohup a hangup ends nothing."""
    jobs = write(tmp_path / "jobs.jsonl", [job("one"), job("two")])
    output = tmp_path / "out.jsonl"
    words = [*ARGV, "run", str(jobs), "-o", str(output), "--concurrency", "1"]
    shell = ["/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *words]
    with subprocess.Popen(shell, env=environment(**settings), stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: submitted(output) == 1)
        process.send_signal(signal.SIGHUP)
        assert process.wait(REAL_TIME_SECONDS) == 0
    assert len(read(output)) == 2


def test_a_lost_terminal_leaves_the_runs(tmp_path: Path, emulator: Emulator, settings: dict[str, str]) -> None:
    """When its terminal is closed the command stops like at Ctrl-C, and the next one goes on with the run."""
    import pty

    jobs = write(tmp_path / "jobs.jsonl", [job("slow", "stuck"), job("next")])
    output = tmp_path / "out.jsonl"
    own_terminal = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    )
    words = [sys.executable, "-c", own_terminal, *ARGV, "run", str(jobs), "-o", str(output), "--concurrency", "1"]
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        words, env=environment(**settings), stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    try:
        os.close(terminal)
        wait_until(lambda: submitted(output) == 1)
        os.close(main)
        assert process.wait(REAL_TIME_SECONDS) == 130
    finally:
        process.kill()
    again = call("run", jobs, "-o", output, "--max-wait", 0, "--concurrency", 1, **settings)
    assert again.returncode == 3, again
    assert len(emulator.runs) == 2, "the first run goes on, and the other job gets its first"


def log_sizes(jobs: Path) -> tuple[int, int]:
    """Bytes of the journal's log before the first intent, and after it."""
    store = Store(jobs.with_name("measured.jsonl"))
    store.check(read_jobs(jobs))
    log = jobs.with_name("measured.jsonl.db-wal")
    with store:
        before = log.stat().st_size
        store.note(read_jobs(jobs)[0], "submitting", key="0123456789ab/one-1").result()
        return before, log.stat().st_size


def run_limited(size: int, jobs: Path, output: Path, settings: dict[str, str]) -> Done:
    """`run` where no file can be larger than this: it stands in for a full disk."""
    limited = (
        "import os, resource, sys; size = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)); "
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    words = [sys.executable, "-c", limited, str(size), *ARGV, "run", str(jobs), "-o", str(output), "--concurrency", "1"]
    variables = environment(PYTHONDONTWRITEBYTECODE="1", **settings)
    done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=REAL_TIME_SECONDS, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_full_disk_says_what_was_paid_for(tmp_path: Path, emulator: Emulator, settings: dict[str, str]) -> None:
    """A run whose id cannot be noted is printed with a token that works, and nothing more is submitted."""
    jobs = write(tmp_path / "jobs.jsonl", [job("one"), job("two")])
    output = tmp_path / "out.jsonl"
    done = run_limited(log_sizes(jobs)[1] + 20, jobs, output, settings)
    assert (done.returncode, len(emulator.runs)) == (3, 1), done
    assert f"runoutcome: {output}.db: d" in done.stderr  # "disk I/O error", or "database or disk is full"
    (token,) = [line.split("  ")[2] for line in done.stderr.splitlines() if line.startswith("  one  ")]
    assert json.loads(token)["id"] == emulator.runs[-1].id
    assert call("wait", token, **settings).returncode == 0
    again = call("run", jobs, "-o", output, **settings)
    assert again.returncode == 3, again
    assert "one" in again.stdout.split("Held")[1]
    assert len(emulator.runs) == 2


@pytest.mark.parametrize(("room", "code"), [("for the jobs", 3), ("for nothing", 2)])
def test_a_full_disk_before_the_first_post_costs_nothing(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str], room: str, code: int
) -> None:
    """Without room for an intent, or for the journal itself, nothing is sent; with room again, every job is run."""
    jobs = write(tmp_path / "jobs.jsonl", [job("one"), job("two")])
    output = tmp_path / "out.jsonl"
    size = log_sizes(jobs)[0] + 20 if room == "for the jobs" else 40_000
    done = run_limited(size, jobs, output, settings)
    assert (done.returncode, "Traceback" in done.stderr, emulator.runs) == (code, False, []), done
    assert f"{output}.db" in done.stderr
    assert call("run", jobs, "-o", output, **settings).returncode == 0
    assert len(emulator.runs) == 2


def test_a_post_without_an_answer_is_listed_with_its_key(tmp_path: Path) -> None:
    """A second Ctrl-C while a POST is in flight prints the key to look for; the next call holds the job."""
    jobs = write(tmp_path / "jobs.jsonl", [job("one")])
    output = tmp_path / "out.jsonl"
    journal = tmp_path / "out.jsonl.db"
    slow = {"faults": [{"route": "create", "fault": {"stall_seconds": 30}}]}
    with Emulator(slow) as emulator:
        settings = {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "any"}
        with started("run", jobs, "-o", output, **settings) as process:
            wait_until(lambda: count(output, "SELECT count(*) FROM attempts") == 1)
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Stopping")
            done = signalled(process)
    with closing(sqlite3.connect(journal)) as db:
        ((key,),) = db.execute("SELECT key FROM attempts")
    assert done.returncode == 130, done
    assert f"  one  {key}\n" in done.stderr
    again = call("run", jobs, "-o", output, OPENAI_API_KEY="any", OPENAI_BASE_URL=emulator.base_url)
    assert f"  one  {key}\n" in again.stdout
