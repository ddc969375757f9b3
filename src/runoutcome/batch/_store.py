"""The files of a batch: its results, and beside them the journal of its submissions.

`RESULTS` gets one line per job as its run ends; `RESULTS.runs` gets an intent before each POST and the id right
after it. Both are append-only, and every line is on disk before the work goes on, so a kill at any moment leaves at
most one torn line, which is cut off when the files are opened again. The journal is made first: results without a
journal, even empty ones, have lost it.

One file has one journal: symbolic links are resolved, hard links are refused, and both files are locked.
"""

import contextlib
import json
import os
from collections.abc import Iterator, KeysView
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, get_args

from ._jobs import JobLine

if os.name == "posix":
    import fcntl

Event = Literal["submitting", "submitted", "refused", "forgotten"]
"""`forgotten`: the job has a result, and the journal line of its run was lost."""

_NEW_BATCH = "choose another output, where its jobs become new, paid runs"

# A torn line of a batch begins like this; a line of another file does not.
_BEGINNINGS = (b'{"id": "batch_req_', b'{"custom_id": "')

# JSON allows these characters, and a program that splits a text into lines breaks at them.
_LINE_BREAKS = {number: f"\\u{number:04x}" for number in (0x85, 0x2028, 0x2029)}


class StoreError(ValueError):
    """Files that cannot be used; the message says which, and what to do."""

    __module__ = "runoutcome.batch"


@dataclass(frozen=True)
class Past:
    """The journal's record of one job."""

    event: Event
    token: str | None
    """Resume token of the job's last run; None if its last POST may have gone through without an answer."""
    token_before: str | None
    """Token of the run before that one, if there was any."""
    digest: str | None
    key: str | None = None
    """Key of the job's last POST, to find it in the provider's logs."""


class Store:
    """The two files of a batch, open for appending and locked. Use as a context manager."""

    __module__ = "runoutcome.batch"

    def __init__(self, results: Path, place: str = "", *, forget_journal: bool = False) -> None:
        """Keep the paths. `place` names the server of the runs; runs on two servers are never mixed in one file.

        `forget_journal` accepts results whose journal is lost: runs that only it knew may be made again.
        """
        self.results_path: Path = Path(os.path.realpath(results))
        self.place = place
        self.forget_journal = forget_journal
        self.journal_path: Path = self.results_path.with_name(self.results_path.name + ".runs")
        self.results: dict[str, dict[str, Any]] = {}
        self.past: dict[str, Past] = {}
        self._jobs: list[JobLine] = []
        self._results: IO[bytes] | None = None
        self._journal: IO[bytes] | None = None

    @property
    def finished(self) -> KeysView[str]:
        """Ids of the jobs that have a result."""
        return self.results.keys()

    def check(self, jobs: list[JobLine]) -> None:
        """Read the files, without creating or changing one.

        Raises StoreError if results could not be written, or if the files do not belong to these jobs.
        """
        folder = self.results_path.parent
        if not folder.is_dir():
            raise StoreError(f"the folder of {self.results_path} does not exist; create it first")
        for path in (self.results_path, self.journal_path):
            if path.exists() and not path.is_file():
                raise StoreError(f"{path} is not a file; choose another output")
            if not os.access(path if path.exists() else folder, os.W_OK):
                raise StoreError(f"{path} cannot be written; make it writable, or {_NEW_BATCH}")
        self._jobs = jobs
        self._load()

    def _load(self) -> None:
        for path in (self.results_path, self.journal_path):
            if path.exists() and path.stat().st_nlink > 1:
                raise StoreError(
                    f"{path} has a second name (a hard link), so two batches could write it; remove the other name "
                    f"(find . -samefile {path} shows it), then run the same command again"
                )
        self.past = {}
        self.results = {row["custom_id"]: row for row in _rows(self.results_path, "result")}
        for row in _rows(self.journal_path, "journal"):
            if self.place and row.get("place") and row["place"] != self.place:
                raise StoreError(
                    f"{self.results_path} belongs to runs on {row['place']}, and this is {self.place}; " + _NEW_BATCH
                )
            self._remember(row)
        for job in self._jobs:
            past = self.past.get(job.custom_id)
            if past and past.digest and past.digest != job.digest:
                raise StoreError(
                    f"line {job.line}: {job.custom_id!r} was submitted with another body, see {self.journal_path}; "
                    f"give the changed job another custom_id, or {_NEW_BATCH}"
                )
        if (loss := self._loss()) and not self.forget_journal:
            raise StoreError(f"{self.journal_path}, the journal of {self.results_path}, {loss}")

    def _loss(self) -> str | None:
        """Return the words for a journal that is lost, and what to do; None for a journal that may be whole."""
        is_missing = self.results_path.exists() and not self.journal_path.exists()  # in the order they are made
        unknown = self._unknown()
        if not is_missing and not unknown:
            return None
        count = f"{len(unknown)} of {len(self.results)} results"
        loss = "is missing" if is_missing else f"is incomplete, or from another batch: it lacks {count}"
        own = "" if self.results_path.stat().st_size else ". If no batch made the empty file, you can delete it"
        return (
            f"{loss}. Runs that are going would be paid for again. Put the journal back, or pass --forget-journal to "
            f"submit every job without a result as a new run{own}"
        )

    def _unknown(self) -> list[str]:
        """Return the ids of results without a line in the journal; a whole journal has one for each."""
        return [custom_id for custom_id in self.results if custom_id not in self.past]

    def __enter__(self) -> "Store":
        self._load()
        is_new = not self.journal_path.exists()
        try:
            self._journal = _open(self.journal_path)
            self._lock(self._journal)
            try:
                self._results = _open(self.results_path)
                self._lock(self._results)
            except StoreError:
                if is_new:
                    self.journal_path.unlink()
                raise
            self._load()  # again: another process may have gone on before the lock
            for file in (self._journal, self._results):
                _cut_torn_line(file)
            self._forget(self._unknown())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        # A full disk fails the last flush too, and what failed first says more.
        with contextlib.suppress(*() if error is None else (OSError,)):
            self.close()

    def close(self) -> None:
        """Close both files, which releases the lock."""
        with contextlib.ExitStack() as stack:  # if closing one fails, on a full disk, the other still gives up its lock
            for file in (self._journal, self._results):
                if file is not None:
                    stack.callback(file.close)

    def note(self, job: JobLine, event: Event, *, key: str | None = None, token: str | None = None) -> None:
        """Append one line to the journal, and wait until it is on disk."""
        response_id = json.loads(token)["id"] if token else None
        row = {"custom_id": job.custom_id, "id": response_id, "event": event, "key": key, "body": job.digest}
        row |= {"token": token, "place": self.place}
        _append(self._journal, row)
        self._remember(row)

    def _forget(self, custom_ids: list[str]) -> None:
        rows = [{"custom_id": custom_id, "event": "forgotten", "place": self.place} for custom_id in custom_ids]
        _append(self._journal, *rows)
        for row in rows:
            self._remember(row)

    def _remember(self, row: dict[str, Any]) -> None:
        before = self.past.get(row["custom_id"])
        # A refused POST made no run: the run before it, if any, is still the job's last one.
        token = before.token_before if before and row["event"] == "refused" else row.get("token")
        last = before.token if before and before.token else (before.token_before if before else None)
        key = row.get("key") or (before.key if before else None)
        self.past[row["custom_id"]] = Past(row["event"], token, last, row.get("body"), key)

    def add_result(self, row: dict[str, Any]) -> None:
        """Append one line to the results, and wait until it is on disk."""
        _append(self._results, row)
        self.results[row["custom_id"]] = row

    def _lock(self, file: IO[bytes]) -> None:
        if os.name == "posix":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(f"another process is writing {self.results_path}; wait for it to end") from None


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("a+b")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None


def _cut_torn_line(file: IO[bytes]) -> None:
    """Cut off the half line that a kill left; its job is still in the journal. A whole line gets its line break."""
    file.seek(0)
    data = file.read()
    whole = data.rfind(b"\n") + 1
    if _row(data[whole:]) is None:
        file.truncate(whole)
    else:
        file.write(b"\n")


def _append(file: IO[bytes] | None, *rows: dict[str, Any]) -> None:
    if file is None:
        raise RuntimeError("the store is not open")
    texts = [json.dumps(row, ensure_ascii=False).translate(_LINE_BREAKS) for row in rows]
    try:
        file.write(b"".join(text.encode("utf-8", "backslashreplace") + b"\n" for text in texts))
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        error.filename = file.name
        raise


def _rows(path: Path, kind: Literal["result", "journal"]) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a file; none if it does not exist. A torn last line is left out."""
    with contextlib.suppress(FileNotFoundError):
        data = path.read_bytes()
        lines = data.split(b"\n")
        for number, line in enumerate(lines[:-1], 1):
            row = _row(line)
            if row is None or (kind == "journal" and row.get("event") not in get_args(Event)):
                raise StoreError(f"{path}, line {number} is not a {kind} line of a batch; {_NEW_BATCH}")
            yield row
        row = _row(lines[-1])  # whole, except for the line break that an editor or a kill removed
        if row is not None:
            yield row
        elif not any(lines[-1].startswith(start) or start.startswith(lines[-1]) for start in _BEGINNINGS):
            raise StoreError(f"{path}, line {len(lines)} is not a {kind} line of a batch; {_NEW_BATCH}")


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("custom_id"), str) else None
