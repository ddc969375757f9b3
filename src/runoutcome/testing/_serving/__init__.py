"""Emulator and its ways in: a loopback socket, transports without one, the status page."""
