"""Output of `status`, for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ...report._advice import heading
from ...report._status import HELD_STATES, BatchStatus, Failures, Spend, Status
from ...report._words import cost_text, counted, duration_text, number_text, words_of
from .._errors import Exit
from .._output.console import print_command, print_line, print_pairs, print_table, stdout

_LONGEST_LIST = 20


def exit_of_status(status: Status) -> Exit:
    """Return the exit code of `run` for a batch in this state."""
    if not status.is_finished:
        return Exit.UNFINISHED
    return Exit.ENDED_BADLY if any(batch.failures for batch in status.batches) else Exit.DONE


def print_status(status: Status) -> None:
    """Print who has the journal, then each batch."""
    console = stdout()
    print_pairs(console, [("journal", status.journal), ("owner", _owner(status))])
    if not status.batches:
        print_line(console, "It has no batch yet.")
    for batch in status.batches:
        print_line(console, "")
        _print_batch(batch, status.at)


def _owner(status: Status) -> str:
    owner = status.owner
    if owner is None:
        return "none"
    state = {True: "running", False: "ended", None: "on another host, so it is not known whether it runs"}
    return f"{owner.command} (pid {owner.pid} on {owner.host}, since {owner.since}): {state[owner.is_alive]}"


def _print_batch(batch: BatchStatus, at: float) -> None:
    console = stdout()
    print_line(console, f"{batch.name}: {number_text(batch.ended)} of {counted(batch.jobs, 'job')} ended", "bold")
    counts = [f"{number_text(count)} {words_of(state)}" for state, count in sorted(batch.states.items())]
    since = batch.in_flight_since
    print_pairs(
        console,
        [
            ("server", batch.server),
            ("jobs", ", ".join(counts)),
            ("in flight", f"the oldest for {duration_text(max(0.0, at - since))}" if since is not None else ""),
            ("last change", _ago(batch.last_change, at)),
            ("spend", list(_spend(batch.spend))),
            ("paid twice", counted(batch.paid_twice, "run") if batch.paid_twice else ""),
            ("limits", [f"{limit.name} {_value(limit.value)}, by {limit.changed_by}" for limit in batch.limits]),
            ("requests", f"{number_text(batch.open_requests)} open" if batch.open_requests else ""),
        ],
    )
    _print_failures(batch.failures)
    _print_held(batch)
    _print_spend(batch.spend)


def _ago(moment: float | None, at: float) -> str:
    return "" if moment is None else f"{duration_text(max(0.0, at - moment))} ago"


def _value(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _print_failures(failures: Sequence[Failures]) -> None:
    console = stdout()
    for action, group in groupby(failures, key=lambda one: one.action):
        rows = list(group)
        print_line(console, "")
        jobs = counted(sum(one.jobs for one in rows), "job")
        print_line(console, f"{heading(action)}: {jobs}. {rows[0].advice}")
        for one in rows[:_LONGEST_LIST]:
            label = " ".join(filter(None, (one.exception, one.code or words_of(one.state))))
            print_command(console, f"{number_text(one.jobs)}  {label}")
        if len(rows) > _LONGEST_LIST:
            print_line(console, f"  {number_text(len(rows) - _LONGEST_LIST)} more kinds: see --json")


def _print_held(batch: BatchStatus) -> None:
    if not batch.held:
        return
    console = stdout()
    print_line(console, "")
    rows = [(job.job, job.state, job.runoutcome_key or "", job.response_id or "") for job in batch.held[:_LONGEST_LIST]]
    print_table(console, ("held job", "state", "runoutcome_key", "response id"), rows, keep={0, 1, 2, 3})
    more = sum(batch.states.get(state, 0) for state in HELD_STATES) - len(rows)
    if more > 0:
        print_line(console, f"{number_text(more)} more: see --json")


def _spend(rows: Sequence[Spend]) -> Iterator[str]:
    """Yield the sum, then runs that are made again, and runs whose usage is not known, each in a line."""
    if not rows:
        return
    costs = [row.cost for row in rows if row.cost is not None]
    cost = f", cost {cost_text(sum(costs))}" if costs else ""
    runs = counted(sum(row.runs for row in rows), "run")
    yield f"{number_text(sum(row.total_tokens for row in rows))} tokens in {runs}{cost}"
    again = [row for row in rows if row.is_again]
    if again:
        tokens = number_text(sum(row.total_tokens for row in again))
        yield f"of these, {counted(sum(row.runs for row in again), 'run')} made again: {tokens} tokens"
    unknown = sum(row.without_usage for row in rows if not row.is_going)
    if unknown:
        yield f"not in it: {counted(unknown, 'run')} whose usage is unknown"


def _print_spend(rows: Sequence[Spend]) -> None:
    if not rows:
        return
    console = stdout()
    print_line(console, "")
    cells = [
        (
            row.model or "not known",
            words_of(row.state) + (", made again" if row.is_again else ""),
            number_text(row.runs),
            number_text(row.total_tokens),
            number_text(row.without_usage) if row.without_usage else "",
        )
        for row in rows[:_LONGEST_LIST]
    ]
    print_table(console, ("model", "end", "runs", "tokens", "usage unknown"), cells, keep={0, 1, 2, 3, 4})
    if len(rows) > _LONGEST_LIST:
        print_line(console, f"{number_text(len(rows) - _LONGEST_LIST)} more: see --json")
