"""Resume tokens of the jobs, kept in the file that `TOKENS` names: what a client of ours needs after a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

FILE = Path(os.environ.get("TOKENS", "tokens.jsonl"))


def kept() -> dict[str, str]:
    """The token of each job that was submitted, by its prompt."""
    return dict(json.loads(line) for line in FILE.read_text().splitlines()) if FILE.exists() else {}


def keep(prompt: str) -> Callable[[str], None]:
    """An `on_submitted` that keeps the token of this job."""

    def write(token: str) -> None:
        with FILE.open("a") as file:
            file.write(json.dumps([prompt, token]) + "\n")

    return write
