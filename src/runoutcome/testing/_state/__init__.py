"""State of the emulator: runs, outcomes chosen for them, faults, and the body of a run at a time."""
