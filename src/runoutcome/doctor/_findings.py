"""Findings: a mistake at a line of a file, for a person and as JSON."""

from dataclasses import dataclass

PAGE = "docs/doctor.md"


@dataclass(frozen=True, order=True)
class Finding:
    """A known mistake in a source."""

    __module__ = "runoutcome.doctor"

    file: str
    line: int
    rule: str
    message: str
    fix: str

    @property
    def docs(self) -> str:
        """Page and anchor that explain the rule."""
        return f"{PAGE}#{self.rule}"

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        names = ("file", "line", "rule", "message", "fix", "docs")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Hit:
    """A line that a rule points at, and why."""

    line: int
    message: str
