"""`Finding`: one mistake at one line, for a person and as JSON."""

from __future__ import annotations

from dataclasses import dataclass

PAGE = "docs/doctor.md"


@dataclass(frozen=True, order=True)
class Finding:
    """A known mistake in somebody's source."""

    file: str
    line: int
    rule: str
    message: str
    fix: str

    @property
    def docs(self) -> str:
        """Where the rule is explained."""
        return f"{PAGE}#{self.rule}"

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "file": self.file,
            "line": self.line,
            "rule": self.rule,
            "message": self.message,
            "fix": self.fix,
            "docs": self.docs,
        }


@dataclass(frozen=True)
class Hit:
    """A line a rule points at, and why."""

    line: int
    message: str
