"""What the doctor says about a few lines of source."""

from __future__ import annotations

from textwrap import dedent

from runoutcome.doctor import check_source


def found(source: str) -> list[tuple[int, str]]:
    """The line and the rule of each finding; a first empty line is line 0."""
    return [(finding.line - 1, finding.rule) for finding in check_source(dedent(source))]


def rules(source: str) -> set[str]:
    """The rules that have a finding."""
    return {rule for _, rule in found(source)}
