"""The face: `Runs`, `AsyncRuns`, their options and streams."""
