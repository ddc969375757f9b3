"""The report as one page of HTML that needs nothing else: no script, no font, no picture from elsewhere."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ..batch._journal.reading import ENDS
from ._advice import HELD, RUN_AGAIN, heading
from ._charts import BANDS, histogram_chart, legend, share_bar, timeline_chart
from ._figures import LONGEST_LIST, Durations, Report
from ._markup import Markup, element, joined
from ._status import GOING_STATES, HELD_STATES, Spend
from ._style import style_sheet
from ._words import cost_text, counted, duration_text, name_text, number_text, time_text, words_of

_ORDER = (*ENDS, *HELD_STATES, *GOING_STATES, "queued")
_NO_MODEL = "not known"


def html_page(report: Report) -> str:
    """Return the page. It has keys of jobs, codes, models and ids; prompts and outputs are not in it."""
    name = Path(report.status.journal).name
    title = f"Report of {name.removesuffix('.db')}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", Markup(style_sheet())),
    )
    body = element(
        "body",
        element("h1", title),
        element("p", _subtitle(report), class_="soft"),
        element("main", *_sections(report)),
        element("footer", _NOTE),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


_NOTE = (
    "Figures are those of the journal. The time of a run counts from the answer of its POST to the poll that saw its "
    "end. Spend is the sum over all runs, failed ones too. A refused POST made no run. Times are in UTC."
)


def _sections(report: Report) -> Iterator[Markup]:
    yield element("section", *_what_happened(report))
    sections = {
        "What to do": _what_to_do(report),
        "Over time": _over_time(report),
        "How long runs took": _durations(report),
        "Spend": _spend(report),
        "Runs made again": _retries(report),
        "Slowest runs": _slowest(report),
        "Limits": _limits(report),
    }
    for title, parts in sections.items():
        yield element("section", element("h2", title), *parts)


def _subtitle(report: Report) -> str:
    owner = report.status.owner
    words = [f"As of {time_text(report.status.at)}"]
    if owner is not None and owner.is_alive:
        words.append(f"still running as process {owner.pid} on {owner.host}")
    servers = sorted({batch.server for batch in report.status.batches if batch.server})
    if servers:
        words.append(f"server: {', '.join(servers[:LONGEST_LIST])}")
    return "; ".join(words) + "."


def _what_happened(report: Report) -> Iterator[Markup]:
    status, states = report.status, report.status.states
    hollow = sum(group.jobs for group in report.failures if group.state == "completed")
    completed = states.get("completed", 0)
    ended = sum(states.get(state, 0) for state in ENDS)
    held = sum(states.get(state, 0) for state in HELD_STATES)
    text = f"{number_text(completed)} of {counted(status.jobs, 'job')} completed."
    if hollow:
        text += f" {number_text(hollow)} of them lack the output that was required."
    if ended > completed:
        text += f" {number_text(ended - completed)} ended otherwise."
    if held:
        text += f" {number_text(held)} {_are(held)} held: the run may exist and be paid for."
    if left := status.jobs - ended - held:
        text += f" {number_text(left)} {_are(left)} not finished."
    yield element("p", text, class_="lead")
    shown = {state: states[state] for state in _ORDER if states.get(state)}
    yield share_bar("Jobs by state", shown)
    yield legend({state: number_text(count) for state, count in shown.items()})
    if len(status.batches) > 1:
        rows = [
            [
                _code(batch.name),
                batch.server,
                *map(number_text, (batch.jobs, batch.states.get("completed", 0), batch.ended)),
            ]
            for batch in status.batches[:LONGEST_LIST]
        ]
        yield _table(("batch", "server", "jobs", "completed", "ended"), rows, numbers=3, whole=len(status.batches))


def _what_to_do(report: Report) -> Iterator[Markup]:
    if not report.failures:
        yield element("p", "Nothing: no job ended otherwise than completed, and none is held.")
    for action, group in groupby(report.failures, key=lambda failures: failures.action):
        failures = list(group)
        jobs = sum(one.jobs for one in failures)
        yield element("h3", f"{heading(action)}: {counted(jobs, 'job')}")
        yield element("p", _with_option(failures[0].advice))
        rows = [
            [
                _state(one.state),
                _code(one.code),
                _code(one.exception),
                "yes" if one.retryable else "no",
                number_text(one.jobs),
            ]
            for one in failures[:LONGEST_LIST]
        ]
        head = ("state", "code", "exception", "retryable", "jobs")
        yield _table(head, rows, numbers=1, whole=len(failures), class_="kinds")
        if action == HELD:
            yield _held(report)


def _held(report: Report) -> Markup:
    rows = [
        [_code(job.job), _state(job.state), _code(job.runoutcome_key), _code(job.response_id), _time(job.since)]
        for job in report.held
    ]
    whole = sum(report.status.states.get(state, 0) for state in HELD_STATES)
    return _table(("job", "state", "runoutcome_key", "response id", "since"), rows, whole=whole, class_="wide")


def _over_time(report: Report) -> Iterator[Markup]:
    timeline = report.timeline
    if timeline is None:
        yield element("p", "The journal has no jobs.")
        return
    chart = timeline_chart(timeline)
    last = {band: number_text(values[-1]) for band in reversed(BANDS) if any(values := getattr(timeline, band))}
    caption = f"Jobs by state. Starts of the batch: {number_text(len(timeline.opened))}"
    caption += "; each one after the first is a dashed line." if len(timeline.opened) > 1 else "."
    yield element("figure", chart, legend(last), element("figcaption", caption), style="margin:0")


def _durations(report: Report) -> Iterator[Markup]:
    if not report.durations:
        yield element("p", "No run has ended yet.")
        return
    every = report.durations[0]
    pairs = {"p50": every.p50, "p95": every.p95, "p99": every.p99, "longest": every.longest}
    yield _pairs({name: duration_text(seconds) for name, seconds in pairs.items()})
    caption = f"{counted(every.runs, 'run')} that ended; the lines are p50, p95 and p99. The scale is logarithmic."
    chart = histogram_chart(report.histogram, every)
    yield element("figure", chart, element("figcaption", caption), style="margin:0")
    rows = [[_state(row.state or "all"), *_duration_cells(row)] for row in report.durations[1:]]
    yield _table(("end", "runs", "p50", "p95", "p99", "longest"), rows, numbers=5)


def _duration_cells(row: Durations) -> list[str]:
    return [number_text(row.runs), *map(duration_text, (row.p50, row.p95, row.p99, row.longest))]


def _spend(report: Report) -> Iterator[Markup]:
    rows = report.spend
    if not rows:
        yield element("p", "No run was made.")
        return
    total, again = _sum(rows), _sum(row for row in rows if row.is_again)
    pairs = {"tokens": number_text(total.tokens), "runs": number_text(total.runs)}
    if total.cost is not None:
        pairs["cost"] = cost_text(total.cost)
    if again.runs:
        pairs["runs made again"] = number_text(again.runs)
        pairs["tokens of these"] = number_text(again.tokens)
    pairs["runs whose usage is unknown"] = number_text(sum(row.without_usage for row in rows if not row.is_going))
    if going := sum(row.runs for row in rows if row.is_going):
        pairs["runs whose usage is to come"] = number_text(going)
    yield _pairs(pairs)
    models: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        models[row.model or _NO_MODEL][row.state] += row.total_tokens
    largest = max(counts.total() for counts in models.values())
    ordered = sorted(models.items(), key=lambda item: -item[1].total())
    for model, counts in [item for item in ordered[:LONGEST_LIST] if item[1].total()]:
        label = element("div", _code(model), f" {number_text(counts.total())} tokens", class_="soft")
        bar = share_bar(f"Tokens of {model} by end", {state: counts[state] for state in _ORDER}, largest)
        yield element("div", label, bar, style="margin:.5rem 0")
    if largest:
        ends = [state for state in _ORDER if any(counts[state] for counts in models.values())]
        yield legend({state: number_text(sum(counts[state] for counts in models.values())) for state in ends})
    yield _spend_table(rows, total)


def _spend_table(rows: Sequence[Spend], total: "_Sum") -> Markup:
    groups: dict[tuple[str, str], list[Spend]] = defaultdict(list)
    for row in rows:
        groups[row.model or _NO_MODEL, row.state].append(row)
    head = ["model", "end", "runs", "made again", "input", "output", "tokens", "without usage", "cost"]
    sums = [(model, state, _sum(group)) for (model, state), group in groups.items()]
    sums.sort(key=lambda row: (-row[2].tokens, row[0], row[1]))
    cells = [[_code(model), _state(state), *one.cells()] for model, state, one in sums[: 2 * LONGEST_LIST]]
    last = ["all", "", *total.cells()]
    if total.cost is None:
        head, cells, last = head[:-1], [row[:-1] for row in cells], last[:-1]
    return _table(head, cells, numbers=len(head) - 2, whole=len(sums), last=last, class_="wide")


@dataclass
class _Sum:
    """Sum over rows of spend."""

    runs: int = 0
    again: int = 0
    input: int = 0
    output: int = 0
    tokens: int = 0
    without_usage: int = 0
    cost: float | None = None

    def cells(self) -> list[str]:
        """Cells of a row, the cost last."""
        parts = (self.runs, self.again, self.input, self.output, self.tokens, self.without_usage)
        return [*map(number_text, parts), cost_text(self.cost)]


def _sum(rows: Iterable[Spend]) -> _Sum:
    total = _Sum()
    for row in rows:
        total.runs += row.runs
        total.again += row.runs if row.is_again else 0
        total.input += row.input_tokens
        total.output += row.output_tokens
        total.tokens += row.total_tokens
        total.without_usage += row.without_usage
        if row.cost is not None:
            total.cost = (total.cost or 0.0) + row.cost
    return total


def _retries(report: Report) -> Iterator[Markup]:
    if report.retries:
        rows = [
            [row.reason or _NO_MODEL, *map(number_text, (row.runs, row.completed, row.total_tokens, row.without_usage))]
            for row in report.retries
        ]
        yield _table(("why", "runs", "completed", "tokens", "without usage"), rows, numbers=4)
    else:
        yield element("p", "None.")
    twice = sum(batch.paid_twice for batch in report.status.batches)
    if twice:
        yield element("p", f"{counted(twice, 'run')} may exist, and a further run was made because you asked for it.")
    if report.posts_again:
        text = f"{counted(report.posts_again, 'POST')} refused for the moment and sent again. They made no run."
        yield element("p", text)


def _slowest(report: Report) -> Iterator[Markup]:
    if not report.slowest:
        yield element("p", "No run has ended yet.")
        return
    rows = [
        [
            _code(run.job),
            _state(run.state),
            _code(run.code),
            _code(run.response_id),
            duration_text(run.seconds),
            number_text(run.total_tokens) if run.total_tokens is not None else "unknown",
        ]
        for run in report.slowest
    ]
    yield _table(("job", "end", "code", "response id", "time", "tokens"), rows, numbers=2, class_="wide")


def _limits(report: Report) -> Iterator[Markup]:
    limits = [(batch.name, limit) for batch in report.status.batches for limit in batch.limits]
    if limits:
        rows = [
            [_code(name), limit.name, limit.changed_by, _time(limit.changed_at),
             f"{limit.value:g}" if limit.value is not None else "none"]
            for name, limit in limits[:LONGEST_LIST]
        ]  # fmt: skip
        head = ("batch", "limit", "set by", "at", "value")
        yield _table(head, rows, numbers=1, caption="In force", whole=len(limits))
    if report.limits_met:
        rows = [
            [
                met.what,
                _time(met.first),
                _time(met.last),
                number_text(met.times),
            ]
            for met in report.limits_met
        ]
        yield _table(("what", "first", "last", "times"), rows, numbers=1, caption="Met")
    else:
        yield element("p", "No limit was met.")


def _pairs(pairs: Mapping[str, str]) -> Markup:
    items = [element("div", element("dt", name), element("dd", value)) for name, value in pairs.items()]
    return element("dl", *items, class_="figures")


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: int = 0,
    caption: str = "",
    whole: int = 0,
    last: Sequence[str] = (),
    class_: str = "",
) -> Markup:
    """Return a table whose last columns are `numbers`; a note says if it is cut from `whole` rows."""

    def cells(name: str, row: Sequence[str]) -> list[Markup]:
        first = len(head) - numbers
        texts = [cell if isinstance(cell, Markup) else name_text(cell) for cell in row]
        return [element(name, text, **({"class_": "n"} if place >= first else {})) for place, text in enumerate(texts)]

    lines = [element("tr", *cells("td", row)) for row in rows]
    if last:
        lines.append(element("tr", *cells("td", last), class_="sum"))
    table = element(
        "table",
        element("caption", caption) if caption else "",
        element("thead", element("tr", *cells("th", head))),
        element("tbody", *lines),
        class_=class_,
    )
    more = element("p", f"{number_text(whole - len(rows))} more.", class_="soft") if whole > len(rows) else ""
    return joined(element("div", table, class_="scroll"), more)


def _with_option(advice: str) -> Markup:
    """Return advice whose option of the command line is not broken between lines."""
    before, option, after = advice.partition(RUN_AGAIN)
    return joined(before, element("code", option, class_="whole") if option else "", after)


def _state(state: str) -> Markup:
    return element("span", element("i", class_=f"b-{state}"), f" {words_of(state)}", class_="whole")


def _time(at: float | None) -> Markup:
    return element("span", time_text(at).removesuffix(" UTC") if at is not None else "", class_="whole")


def _code(text: str | None) -> Markup:
    return element("code", name_text(text)) if text else Markup()


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
