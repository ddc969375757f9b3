"""The page of a report: whole HTML that needs nothing else, and shows every text as a text."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from journals import Made, make

from runoutcome.batch import JobLine, Store
from runoutcome.report import html_page, read_report
from runoutcome.report._style import style_sheet

VOID = {"meta"}
HOSTILE = "</style><script>alert(1)</script>&\"'\u202e<img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """Elements and texts of a page; each element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that is closed at once."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep a text that a reader sees."""
        if self.open and self.open[-1] not in ("style", "title"):
            self.text += data + "\n"


def test_the_page_is_whole_and_needs_nothing_else(mixed: Made) -> None:
    """Elements nest; there is no script, no link, and no address of anything outside."""
    html = html_page(read_report(mixed.results))
    page = Page(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert {"script", "link", "img", "iframe", "a"}.isdisjoint(page.tags)
    assert not any(name in ("src", "href", "onload") for name, _ in page.attributes)
    assert not re.search(r"https?:|url\(|@import", html)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_the_page_shows_the_figures(mixed: Made) -> None:
    """What happened, what to do by action, spend, retries and slowest runs stand on the page; prompts do not."""
    report = read_report(mixed.results)
    text = Page(html_page(report)).text
    for words in (
        "10 of 18 jobs completed. 8 ended otherwise.",
        "Fix account: 1 job",
        "insufficient_quota",
        f"runs\n{len(mixed.world.emulator.runs)}\n",
        "after failed server_error",
        "run ended: insufficient_quota",
        f"tokens\n{sum(row.total_tokens for row in report.spend):,}\n",
        "m-0",
        *(run.job for run in report.slowest),
    ):
        assert words in text
    assert "secret prompt" not in text


def test_hostile_names_are_texts(tmp_path: Path) -> None:
    """Names, codes, models and limits that look like markup are shown as they are, and steer nothing."""
    jobs = [JobLine(1, HOSTILE, {"model": HOSTILE, "input": "x", "metadata": {"emulate": "server_error"}})]
    world, _ = make(tmp_path, jobs)
    world.close()
    journal = tmp_path / "results.jsonl.db"
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute("UPDATE attempts SET code = :h, exception = :h, model = :h, reason = :h", {"h": HOSTILE})
        db.execute("UPDATE batches SET server = ?", (HOSTILE,))
        db.execute("INSERT INTO limits VALUES (1, :h, 1, 2, :h)", {"h": HOSTILE})
        db.execute("INSERT INTO events (at, batch, event, detail) VALUES (1, 1, :h, :h)", {"h": HOSTILE})
    html = html_page(read_report(journal))
    page = Page(html)
    assert {"script", "img"}.isdisjoint(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in html
    html.encode()


def test_every_state_has_a_colour(mixed: Made) -> None:
    """The style names a colour for each state that the journal may have, in light and dark."""
    with closing(sqlite3.connect(f"{mixed.results}.db")) as db:
        (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'jobs'").fetchone()
    states = re.findall(r"'(\w+)'", sql.split("CHECK")[1])
    style = style_sheet()
    assert len(states) == 11
    assert all(f".k-{state} {{ fill: var(--" in style and f".b-{state} " in style for state in states)


def test_a_page_of_many_jobs_is_small(mixed: Made) -> None:
    """Lists are cut: a page with a thousand kinds of failures and held jobs is no larger than one with 20."""
    report = read_report(mixed.results)
    many = [replace(report.failures[0], code=f"code-{number}") for number in range(1000)]
    few = html_page(replace(report, failures=many[:21]))
    assert len(html_page(replace(report, failures=many))) < len(few) + 100


def test_a_journal_without_jobs_has_a_page(tmp_path: Path) -> None:
    """A batch that has no job yet has a page that says so."""
    with Store(tmp_path / "results.jsonl"):
        text = Page(html_page(read_report(tmp_path / "results.jsonl"))).text
    assert "0 of 0 jobs completed." in text
    assert "The journal has no jobs." in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("width", [400, 1000])
def test_a_browser_draws_the_page_within_its_width(mixed: Made, tmp_path: Path, width: int) -> None:
    """In a browser, wide tables scroll by themselves, and the page is no wider than the window."""
    frame = tmp_path / "frame.html"
    inner = escape(html_page(read_report(mixed.results)))
    probe = "const root = this.contentDocument.documentElement; document.title = root.scrollWidth - root.clientWidth"
    frame.write_text(f'<iframe width="{width}" height="900" srcdoc="{inner}" onload="{probe}"></iframe>')
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", frame.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    assert "<title>0</title>" in done.stdout
