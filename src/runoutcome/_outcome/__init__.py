"""From a body in any form to one `Outcome`. Pure and total."""
