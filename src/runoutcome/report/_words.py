"""Numbers, times and names as text."""

import datetime
import re

# C0 and C1 controls, line separators, marks of the writing direction, lone surrogates, characters that XML lacks.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_LONGEST_NAME = 200


def visible(text: str) -> str:
    """Return a text with escapes (`\\x1b`) in place of characters that steer the reader, or that no page may hold."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape", "backslashreplace").decode(), text)


def name_text(text: str) -> str:
    """Return a name on one line, cut at 200 characters."""
    line = " ".join(text[: _LONGEST_NAME + 1].split())
    return line if len(text) <= _LONGEST_NAME else line[:_LONGEST_NAME] + "…"


def number_text(number: float) -> str:
    """Return a number with separators: `12,345`."""
    return f"{number:,.0f}"


def counted(number: int, noun: str) -> str:
    """Return the number with its noun: `1 job`, `2,000 jobs`."""
    return f"{number_text(number)} {noun}{'s' * (number != 1)}"


def cost_text(cost: float | None) -> str:
    """Return a cost in the unit of its prices; empty if no price was given."""
    return "" if cost is None else f"{cost:,.4f}"


def duration_text(seconds: float) -> str:
    """Return a time in a unit that suits it: `0.42 s`, `12.3 s`, `45 min`, `30 h`, `5 d`."""
    if seconds < 90:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    for unit, size, limit in (("min", 60, 90 * 60), ("h", 3600, 48 * 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}" if seconds / size >= 10 else f"{seconds / size:.1f} {unit}"
    return f"{seconds / 86_400:,.1f} d"


def time_text(at: float) -> str:
    """Return a time in UTC: `2026-11-28 22:40:05 UTC`; the number itself if no calendar has it."""
    try:
        return f"{datetime.datetime.fromtimestamp(at, datetime.timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"


def iso_text(at: float | None) -> str:
    """Return a time in UTC in ISO 8601; empty for None."""
    return time_text(at).replace(" UTC", "Z").replace(" ", "T") if at is not None else ""


def words_of(kind: str) -> str:
    """Return a state or band in words: `in flight`."""
    return kind.replace("_", " ")
