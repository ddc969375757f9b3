"""Values of a comparison of two catalogs: severity, change, difference. `_diff` decides how severe a change is."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

Version = tuple[int, int, int]


class Severity(IntEnum):
    """How much of the promise a change breaks; the greatest one decides."""

    __module__ = "runoutcome.contract"

    NONE = 0
    PATCH = 1
    MINOR = 2
    BREAKING = 3
    FORBIDDEN = 4
    """No version number makes up for it."""

    @property
    def word(self) -> str:
        """`none`, `patch`, `minor`, `breaking` or `forbidden`."""
        return self.name.lower()

    @property
    def bump(self) -> str:
        """Part of the version number that has to be raised for it."""
        return "major" if self is Severity.BREAKING else self.word


@dataclass(frozen=True)
class Change:
    """One difference between two catalogs."""

    __module__ = "runoutcome.contract"

    severity: Severity
    kind: str
    """`entry`, `rule`, `surface`, or the name for a row of one of the small tables."""
    id: str
    what: str
    """The change in a few words."""
    field: str | None = None
    old: Any = None
    new: Any = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        names = ("kind", "id", "field", "old", "new", "what")
        return {"severity": self.severity.word, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class Diff:
    """Everything that changed from one version to another, the most severe first."""

    __module__ = "runoutcome.contract"

    old_version: str
    new_version: str
    changes: tuple[Change, ...]

    @property
    def needed(self) -> Severity:
        """Severity of the worst change."""
        return max((change.severity for change in self.changes), default=Severity.NONE)

    @property
    def given(self) -> Severity:
        """Severity that the two version numbers announce."""
        return bump_between(self.old_version, self.new_version)

    @property
    def is_covered(self) -> bool:
        """True if the version numbers announce as much as has changed."""
        return self.needed <= self.given

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "from": self.old_version,
            "to": self.new_version,
            "bump": self.given.bump,
            "needed": self.needed.bump,
            "covered": self.is_covered,
            "changes": [change.to_dict() for change in self.changes],
        }


def bump_between(old: str, new: str) -> Severity:
    """Return the part of the version number that is raised from `old` to `new`; none if `new` is not newer."""
    before, after = version_of(old), version_of(new)
    if after <= before:
        return Severity.NONE
    if after[0] > before[0]:
        return Severity.BREAKING
    return Severity.MINOR if after[1] > before[1] else Severity.PATCH


def raised(version: str, severity: Severity) -> str:
    """Return the next version after `version` that announces a change this severe."""
    major, minor, patch = version_of(version)
    if severity >= Severity.BREAKING:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if severity is Severity.MINOR else f"{major}.{minor}.{patch + 1}"


def version_of(text: str) -> Version:
    """Return a version such as `1.0.0` as numbers, which compare. Raises ValueError for any other text."""
    major, minor, patch = text.split(".")
    return int(major), int(minor), int(patch)
