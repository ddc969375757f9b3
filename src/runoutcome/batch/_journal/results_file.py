"""The results of a batch: one line per job, in the OpenAI Batch output format, appended as each job ends.

A kill leaves at most one torn line, which is cut off when the file is opened again; its job is still in the journal.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from .errors import NEW_BATCH, StoreError
from .owner import lock

# JSON allows these characters, and a program that splits a text into lines breaks at them.
_LINE_BREAKS = {number: f"\\u{number:04x}" for number in (0x85, 0x2028, 0x2029)}
# A torn line of a batch begins like this; a line of another file does not.
_BEGINNINGS = (b'{"id": "batch_req_', b'{"custom_id": "')
# The id can be read without the body, which is most of a line.
_HEAD = re.compile(rb'\{"id": "batch_req_[0-9a-f]{1,24}", "custom_id": ("(?:[^"\\]|\\.)*"), .*\}', re.DOTALL)


class ResultLine(NamedTuple):
    """A line of a results file, with its line break, and the id of its job."""

    custom_id: str
    data: bytes


def result_line(row: Mapping[str, Any]) -> ResultLine:
    """Return the line of a result. Raises what `json.dumps` raises for a body that cannot be written as JSON."""
    text = json.dumps(row, ensure_ascii=False).translate(_LINE_BREAKS)
    return ResultLine(row["custom_id"], text.encode("utf-8", "backslashreplace") + b"\n")


class ResultsFile(Mapping[str, dict[str, Any]]):
    """The results by job. Lines are read when they are asked for; where they stand is known from `scan`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spans: dict[str, tuple[int, int]] = {}
        self._size = 0
        """Bytes of the whole lines."""
        self._file: IO[bytes] | None = None

    def __getitem__(self, custom_id: str) -> dict[str, Any]:
        row = _row(self.data_of(custom_id))
        if row is None:
            raise StoreError(f"{self.path}: the line of {custom_id!r} is damaged; remove it, then run it again")
        return row

    def __contains__(self, custom_id: object) -> bool:
        return custom_id in self._spans

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def data_of(self, custom_id: str) -> bytes:
        """Return the line of a job, as it stands in the file, without its line break."""
        start, size = self._spans[custom_id]
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(size).rstrip(b"\n")

    def scan(self) -> None:
        """Find the whole lines; none if the file does not exist. Raises StoreError for a line of another program."""
        spans: dict[str, tuple[int, int]] = {}
        start = 0
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                custom_id = _custom_id(line)
                if custom_id is None:
                    is_torn = any(line.startswith(ours) or ours.startswith(line) for ours in _BEGINNINGS)
                    if line.endswith(b"\n") or not is_torn:
                        raise StoreError(f"{self.path}, line {number} is not a result line of a batch; {NEW_BATCH}")
                    break
                spans[custom_id] = (start, len(line))
                start += len(line)
        self._spans, self._size = spans, start

    @property
    def is_open(self) -> bool:
        """True while lines can be appended."""
        return self._file is not None

    def open(self) -> None:
        """Open and lock the file, and cut off a torn line. Raises StoreError if another process has it."""
        try:
            file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}") from None
        try:
            lock(file, self.path)
            self.scan()  # again: another process may have gone on before the lock
            file.truncate(self._size)
            if self._size and not self._ends_with_a_break():
                file.write(b"\n")  # whole, except for the line break that an editor or a kill removed
                self._size += 1
        except BaseException:
            file.close()
            raise
        self._file = file

    def close(self) -> None:
        """Close the file, which releases its lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def append(self, lines: Sequence[ResultLine]) -> None:
        """Append lines, and wait until they are on disk. Raises OSError; then `undo` removes what was written."""
        if self._file is None:
            raise RuntimeError("the store is not open")
        data = b"".join(line.data for line in lines)
        if not data:
            return
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            error.filename = str(self.path)
            raise

    def keep(self, lines: Sequence[ResultLine]) -> None:
        """Count appended lines as results."""
        for line in lines:
            self._spans[line.custom_id] = (self._size, len(line.data))
            self._size += len(line.data)

    def undo(self) -> None:
        """Cut off the lines that were appended and are not kept, as far as the disk allows it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)

    def _ends_with_a_break(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(self._size - 1)
            return file.read(1) == b"\n"


def _custom_id(line: bytes) -> str | None:
    """Return the id of a line's job; None for a torn line, and for a line of another program."""
    head = _HEAD.fullmatch(line[:-1]) if line.endswith(b"}\n") else None
    row = _row(line) if head is None else {"custom_id": json.loads(head[1])}
    return row["custom_id"] if row is not None else None


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("custom_id"), str) else None
