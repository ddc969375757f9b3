"""The budget of a batch in tokens, with a reserve for the runs whose usage is not known yet. Pure."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Budget:
    """Tokens that a batch may spend, and those that it has spent, over all its calls."""

    limit: int | None
    spent: int = 0
    counted: int = 0
    """Runs whose usage is known."""
    open: int = 0
    """Runs that are or may be going: in flight, without an answer, or gone."""

    def reserve(self, estimate: int) -> float:
        """Return the tokens set aside for each open run: the mean of the counted ones, else the estimate."""
        return self.spent / self.counted if self.counted else estimate

    def has_room(self, estimate: int) -> bool:
        """Return whether one more run may be made, by its estimate in tokens."""
        return self.limit is None or self.spent + (self.open + 1) * self.reserve(estimate) <= self.limit

    def begun(self) -> "Budget":
        """Return the budget with one more open run."""
        return replace(self, open=self.open + 1)

    def withdrawn(self) -> "Budget":
        """Return the budget without an open run that was never made."""
        return replace(self, open=self.open - 1)

    def ended(self, tokens: int | None) -> "Budget":
        """Return the budget after a run that used so many tokens. A body without usage counts as nothing."""
        one_less = self.withdrawn()
        return one_less if tokens is None else replace(one_less, spent=self.spent + tokens, counted=self.counted + 1)
