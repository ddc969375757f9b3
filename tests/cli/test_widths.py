"""Printing: what a terminal, a pipe and a narrow window get."""

from __future__ import annotations

import os
import struct
import subprocess

import pytest
from command import ARGV, call, environment
from rich.console import Console
from rich.text import Text

from runoutcome.cli._output.console import print_pairs, print_table
from runoutcome.cli._output.text import visible

LONGEST = ("RunContentFilterError", "openai.ContentFilterFinishReasonError", "incomplete_details.reason")
ROWS = [("job-1", "RunInternalServerError", "a title of some words"), ("job-2", "completed", "")]


def printed(width: int, keep: set[int]) -> list[str]:
    """The lines of a table in a console this wide."""
    console = Console(width=width)
    with console.capture() as capture:
        print_table(console, ("job", "what happened", "why"), ROWS, keep=keep)
    return capture.get().splitlines()


@pytest.mark.parametrize("columns", ["20", "80"])
def test_class_names_and_codes_are_whole_at_any_width(columns: str) -> None:
    """A name is never cut, wrapped or folded, and a pipe gets neither colours nor boxes."""
    text = call("explain", "content_filter", COLUMNS=columns).stdout
    assert all(name in text for name in LONGEST)
    assert not {"\x1b", "│", "┃", "…"} & set(text)


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("no_colour", "styled"), [("", True), ("1", False)])
def test_a_narrow_terminal_gets_whole_names(no_colour: str, styled: bool) -> None:
    """On a terminal of 20 columns names are whole too, and `NO_COLOR` switches every escape off."""
    import fcntl
    import pty
    import termios

    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
    variables = environment(TERM="xterm-256color", NO_COLOR=no_colour)
    del variables["COLUMNS"]
    words = [*ARGV, "explain", "content_filter"]
    with subprocess.Popen(words, env=variables, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        content = b""
        while chunk := _read(main):
            content += chunk
    os.close(main)
    text = content.decode()
    assert process.returncode == 0
    assert all(name in text for name in LONGEST)
    assert ("\x1b[" in text) is styled


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_a_table_that_fits_is_aligned() -> None:
    """Where there is room each row is one line."""
    assert printed(80, {0, 1}) == [
        "job    what happened           why",
        "job-1  RunInternalServerError  a title of some words",
        "job-2  completed",
    ]


def test_a_column_that_is_not_kept_wraps_between_words() -> None:
    """Where room is short only columns that may be wrapped are, and not within a word."""
    assert printed(51, {0, 1})[1:3] == [
        "job-1  RunInternalServerError  a title of some",
        "                               words",
    ]


def test_a_table_that_does_not_fit_is_stacked() -> None:
    """Where there is no room each row becomes lines of its own, without its empty cells."""
    assert printed(40, {0, 1, 2}) == [
        "job-1",
        "  what happened: RunInternalServerError",
        "  why: a title of some words",
        "job-2",
        "  what happened: completed",
    ]


def test_wide_characters_count_as_two() -> None:
    """Widths are measured in the cells of a terminal."""
    console = Console(width=80)
    with console.capture() as capture:
        print_table(console, ("a", "b"), [("漢字", "x"), ("abc", "y")])
    assert capture.get().splitlines()[1:] == ["漢字  x", "abc   y"]


def test_pairs_leave_out_what_is_empty_and_take_styles_and_lists() -> None:
    """A pair without a value is not printed, a list has a line for each item."""
    console = Console(width=80)
    with console.capture() as capture:
        print_pairs(console, [("one", ""), ("two", ["a", "b"]), ("three", Text("[red]", "bold"))])
    assert [line.rstrip() for line in capture.get().splitlines()] == ["two    a", "       b", "three  [red]"]


def test_a_style_ends_with_its_text() -> None:
    """On a terminal the style of a label is not that of its value."""
    console = Console(width=80, force_terminal=True, color_system="standard")
    with console.capture() as capture:
        print_pairs(console, [("label", "value"), ("other", Text("styled", "bold"))])
    assert capture.get().splitlines() == ["\x1b[2mlabel  \x1b[0mvalue", "\x1b[2mother  \x1b[0m\x1b[1mstyled\x1b[0m"]


def test_what_steers_a_terminal_is_made_visible() -> None:
    """Control characters become escapes; line breaks, tabs and every script stay."""
    assert visible("a\x1b[2J\x07\r\x9b\u202e\ud800") == r"a\x1b[2J\x07\r\x9b\u202e\ud800"
    assert visible("tab\t line\n ünïcode 漢字 👩‍👩‍👧") == "tab\t line\n ünïcode 漢字 👩‍👩‍👧"
