"""`runoutcome demo`: real background runs through the real client, against the emulator, ending in every usual way."""

from __future__ import annotations


def demo() -> None:
    """Watch background runs end badly, come back as the right exceptions, and be handled. No key, no cost."""
    from .demo import demonstrate  # not above: it loads the SDK, which most commands do without

    demonstrate()
