"""From a body, whatever carried it, to one `Outcome`. Pure and total."""
