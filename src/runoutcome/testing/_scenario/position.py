"""`Place`: where in a scenario something stands, as an error says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .._errors import ScenarioError
from .toml_lines import Steps, line_of


@dataclass(frozen=True)
class Place:
    """A table of a scenario: its source (a file, or a name), and the way to it from the top."""

    source: str
    steps: Steps = ()
    lines: Mapping[Steps, int] = field(default_factory=dict[Steps, int], repr=False, compare=False)

    def at(self, *steps: str | int) -> Place:
        """A table further in."""
        return replace(self, steps=(*self.steps, *steps))

    def wrong(self, key: str, problem: object) -> ScenarioError:
        """The error for a key: its source, line and table, and the problem in so many words."""
        line = line_of((*self.steps, key), self.lines)
        parts = (self.source, f"line {line}" if line else "", self._table(), str(problem))
        return ScenarioError(": ".join(part for part in parts if part))

    def error(self, key: str, problem: object) -> ScenarioError:
        """The error for the value of a key."""
        return self.wrong(key, f"{key}: {problem}")

    def _table(self) -> str:
        words: list[str] = []
        for step in self.steps:
            if isinstance(step, int):
                words[-1] = f"[[{words[-1].strip('[]')}]] no. {step}"
            else:
                words.append(step if words else f"[{step}]")
        return ": ".join(words)
