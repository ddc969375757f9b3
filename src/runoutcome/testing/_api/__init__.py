"""HTTP API of the emulator: endpoints, request checks, responses and event streams."""
