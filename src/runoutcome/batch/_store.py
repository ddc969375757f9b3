"""The files of a batch: its results, and its journal.

`RESULTS` gets one line per job as its run ends. The journal, an SQLite database, gets an intent before each POST, the
id right after it, and every end. A result line is synced before the journal is committed. After a kill in between, the
next start finds the line and completes the journal: nothing is lost, and no line is written twice. The journal is made
first: results without a journal, even empty ones, have lost it.

One file has one journal and one owner: symbolic links are resolved, hard links are refused, both files are locked.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Generator, KeysView, Sequence
from pathlib import Path
from time import time
from typing import Any, NamedTuple

from .._waiting.attempts import Attempt
from .._waiting.resume_token import loads
from ._jobs import JobLine
from ._journal import place, reading, takeover
from ._journal.endings import Ending
from ._journal.errors import NEW_BATCH, StoreError as StoreError, clear_errors
from ._journal.owner import Owner, OwnerLock
from ._journal.reading import BatchRow, Past as Past
from ._journal.results_file import ResultLine, ResultsFile, result_line
from ._journal.schema import in_memory, migrate, open_journal, open_reader
from ._journal.takeover import TextJournal
from ._journal.transitions import Batch, Event
from ._journal.writer import Change, Commit, Writer


class Resumed(NamedTuple):
    """State of a batch when it is opened again."""

    polled_on: int
    """Runs that were going, and are polled on."""
    paid_twice: int
    """Runs that may exist and were made again, because the user asked for it."""
    unknown: int
    """Jobs whose last POST has no answer."""


class Store:
    """Results and journal of a batch, locked for this process. Use as a context manager."""

    __module__ = "runoutcome.batch"

    def __init__(
        self,
        results: Path,
        place: str = "",
        *,
        forget_journal: bool = False,
        database: Path | None = None,
        keep_bodies: bool = True,
        command: str = "",
    ) -> None:
        """Keep the paths. `place` names the server of the runs; runs on two servers are never mixed in one batch.

        `forget_journal` accepts results whose journal is lost: runs that only it knew may be made again. `database` is
        the journal; without it, `.db` is added to the name of the results. Without `keep_bodies` the journal has no
        prompts and no results. `command` names this process to others that want to write.
        """
        self.results_path: Path = Path(os.path.realpath(results))
        self.place = place
        self.forget_journal = forget_journal
        own = self.results_path.with_name(self.results_path.name + ".db")
        self.journal_path: Path = Path(os.path.realpath(database)) if database is not None else own
        self.results: ResultsFile = ResultsFile(self.results_path)
        self.past: dict[str, Past] = {}
        self.resumed: Resumed | None = None
        """None for a new batch."""
        self.notes: list[str] = []
        """Sentences about files that were mended when they were opened."""
        self._keep_bodies, self._command = keep_bodies, command
        self._is_own_journal = self.journal_path == own
        # An earlier release kept its journal beside the name that it was given, also where that is a link.
        names = (self.results_path, Path(os.path.abspath(results)))
        self._text_paths = sorted({path.with_name(path.name + ".runs") for path in names})
        self._jobs: Sequence[JobLine] = ()
        self._is_checked = False
        self._has_created = False
        """The journal is new, and nothing in it counts yet."""
        self._lock = OwnerLock(self.journal_path)
        self.spent: reading.Spent = reading.Spent()
        """Tokens of all attempts, when the batch was opened."""
        self._db: sqlite3.Connection | None = None
        self._writer: Writer | None = None
        self._batch = Batch(0)

    @property
    def finished(self) -> KeysView[str]:
        """Ids of the jobs that have a result."""
        return self.results.keys()

    def check(self, jobs: Sequence[JobLine]) -> None:
        """Read the files, without creating or changing one.

        Raises StoreError if results could not be written, or if the files do not belong to these jobs.
        """
        self._jobs = jobs
        self._look()

    def _look(self) -> None:
        self._check_places()
        self.results.scan()
        texts = self._texts()
        with self._reader() as db:
            batch = self._find(db) if db is not None else None
            if new := self._not_taken_over(db, batch, texts):
                with contextlib.closing(in_memory()) as copy:
                    migrate(copy, 0)
                    self._load(copy, self._import(copy, new))
            else:
                self._load(db, batch)
        self._is_checked = True

    def _check_places(self) -> None:
        place.check_file(self.results_path, "choose another output")
        place.check_database(self.journal_path)

    @contextlib.contextmanager
    def _reader(self) -> Generator[sqlite3.Connection | None]:
        if not self.journal_path.exists():
            yield None
            return
        with clear_errors(self.journal_path), contextlib.closing(open_reader(self.journal_path)) as db:
            yield db

    def __enter__(self) -> "Store":
        self._check_places()
        if not self._is_checked:
            self._look()
        try:
            self._open()
        except BaseException as error:
            self._close_files()
            if self._has_created:  # by this process, under the lock
                self.journal_path.unlink(missing_ok=True)
            self._lock.release()
            if isinstance(error, OSError):
                raise StoreError(
                    f"{error.filename or self.journal_path}: {error.strerror}; nothing was submitted"
                ) from None
            raise
        return self

    def _open(self) -> None:
        self._lock.acquire(Owner.this_process(self._command), self.results_path)
        if self.results_path.exists():
            self.results.open()
        texts = self._texts()
        with takeover.locked(texts), clear_errors(self.journal_path):
            self._has_created = place.create(self.journal_path)
            db = self._db = open_journal(self.journal_path)
            db.execute("BEGIN IMMEDIATE")
            lines = self._settle(db, texts)
            db.execute("COMMIT")
            self._has_created = False
            for text in texts:
                text.put_aside(self.journal_path)
        if not self.results.is_open:
            self.results.open()
        self.results.append(lines)
        self.results.keep(lines)
        self._writer = Writer(db, self.journal_path)

    def _settle(self, db: sqlite3.Connection, texts: list[TextJournal]) -> list[ResultLine]:
        """Bring journal and results together, under the lock; return the lines that the results lack."""
        self.notes = []
        batch = self._find(db)
        if new := self._not_taken_over(db, batch, texts):
            if batch is not None:
                db.execute("DELETE FROM batches WHERE id = ?", (batch.id,))  # a takeover that was not completed
            batch = self._import(db, new)
        self._load(db, batch)
        is_new = batch is None
        batch = batch or self._add_batch(db, self.place)
        db.execute(
            "UPDATE batches SET name = ?, server = ? WHERE id = ?", (self._name, batch.server or self.place, batch.id)
        )
        self._batch = Batch(batch.id, self._keep_bodies)
        self._batch.event(db, "opened", str(Owner.this_process(self._command)))
        lines = self._reconcile(db)
        self.spent = reading.read_spent(db, self._batch.id)
        self.resumed = None if is_new else self._resumption(db, lines)
        self._register(db)
        for text in new:
            self._batch.event(db, takeover.EVENT, text.digest)
            self.notes.append(f"{text.path} was taken over by {self.journal_path}.")
        return lines

    @property
    def _name(self) -> str:
        """Name of the batch: the path of its results from the folder of the journal, so that both can be moved."""
        try:
            name = os.path.relpath(self.results_path, self.journal_path.parent)
        except ValueError:  # on another drive
            name = str(self.results_path)
        return name.encode("utf-8", "backslashreplace").decode()

    def _find(self, db: sqlite3.Connection) -> BatchRow | None:
        """Return the batch of these results; the only one of the file if its results were moved."""
        batches = reading.read_batches(db)
        same = next((batch for batch in batches if batch.name == self._name), None)
        if same is None and len(batches) == 1:
            (only,) = batches
            if self._is_own_journal or self._were_moved(db, only):
                return only
        return same

    def _were_moved(self, db: sqlite3.Connection, batch: BatchRow) -> bool:
        """Return whether these are the results of a batch under a new name: the old ones are gone."""
        known = reading.read_jobs_of(db, batch.id)
        shared = [job for job in self._jobs if job.custom_id in known]
        is_same = all(known[job.custom_id].digest == job.digest for job in shared)
        return not (self.journal_path.parent / batch.name).exists() and is_same and bool(shared or not self._jobs)

    def _add_batch(self, db: sqlite3.Connection, server: str) -> BatchRow:
        row = db.execute(
            "INSERT INTO batches (name, server, created_at) VALUES (?, ?, ?)", (self._name, server, time())
        ).lastrowid
        assert row is not None
        return BatchRow(row, self._name, server)

    def _texts(self) -> list[TextJournal]:
        return [text for path in self._text_paths if (text := TextJournal.read(path)) is not None]

    def _not_taken_over(
        self, db: sqlite3.Connection | None, batch: BatchRow | None, texts: list[TextJournal]
    ) -> list[TextJournal]:
        """Return the journals of an earlier release whose runs the database lacks."""
        if db is None or batch is None:
            return texts
        if all(reading.has_event(db, batch.id, takeover.EVENT, text.digest) for text in texts):
            return []
        if reading.last_event(db, batch.id) != takeover.EVENT:
            raise StoreError(
                f"{texts[0].path}, a journal of an earlier release, and {self.journal_path} are both journals of "
                f"{self.results_path}. Keep the one that has the runs in flight, and move the other one away"
            )
        return texts

    def _import(self, db: sqlite3.Connection, texts: list[TextJournal]) -> BatchRow:
        row = self._add_batch(db, next((text.server for text in texts if text.server), ""))
        for text in texts:
            text.replay(db, Batch(row.id, self._keep_bodies), self.results)
        return row

    def _load(self, db: sqlite3.Connection | None, batch: BatchRow | None) -> None:
        """Load the record of each job. Raises StoreError for files that do not belong together, or to these jobs."""
        if batch is not None and self.place and batch.server and batch.server != self.place:
            raise StoreError(
                f"{self.results_path} belongs to runs on {batch.server}, and this is {self.place}; {NEW_BATCH}"
            )
        self.past = reading.read_past(db, batch.id) if db is not None and batch is not None else {}
        for job in self._jobs:
            past = self.past.get(job.custom_id)
            if past and past.digest and past.digest != job.digest:
                raise StoreError(
                    f"line {job.line}: {job.custom_id!r} was submitted with another body, see {self.journal_path}; "
                    f"give the changed job another custom_id, or {NEW_BATCH}"
                )
        if (loss := self._loss(batch is None)) and not self.forget_journal:
            raise StoreError(f"{self.journal_path}, the journal of {self.results_path}, {loss}")

    def _loss(self, is_new: bool) -> str | None:
        """Return the words for a journal that is lost, and what to do; None for a journal that may be whole."""
        is_missing = is_new and self.results_path.exists()  # the journal is made before the results
        unknown = [custom_id for custom_id in self.results if custom_id not in self.past]
        if not is_missing and not unknown:
            return None
        count = f"{len(unknown)} of {len(self.results)} results"
        loss = f"is incomplete, or from another batch: it lacks {count}"
        if is_missing:
            loss = "does not know them" if self.journal_path.exists() else "is missing"
        own = "" if self.results_path.stat().st_size else ". If no batch made the empty file, you can delete it"
        return (
            f"{loss}. Runs that are going would be paid for again. Put the journal back, or pass --forget-journal to "
            f"submit every job without a result as a new run{own}"
        )

    def _resumption(self, db: sqlite3.Connection, lines: Sequence[ResultLine]) -> Resumed:
        finished = self.results.keys() | {line.custom_id for line in lines}
        ids = [job.custom_id for job in self._jobs] or list(self.past)
        left = [self.past[custom_id] for custom_id in ids if custom_id in self.past and custom_id not in finished]
        return Resumed(
            sum(past.token is not None for past in left),
            reading.count_paid_twice(db, self._batch.id),
            sum(past.event == "submitting" for past in left),
        )

    def _reconcile(self, db: sqlite3.Connection) -> list[ResultLine]:
        """Complete the journal by lines that it lacks; return the lines that the results lack."""
        self._batch.unanswered(db)
        ended = reading.read_ended(db, self._batch.id)
        forgotten = {custom_id for custom_id in self.results if custom_id not in self.past}
        for custom_id in self.results.keys() - ended.keys():
            row, line = self.results[custom_id], self.results.data_of(custom_id) + b"\n"
            self._batch.ended(db, custom_id, Ending.of_row(row), line, is_forgotten=custom_id in forgotten)
        lines: list[ResultLine] = []
        missing = [custom_id for custom_id in ended if custom_id not in self.results]
        for custom_id in missing:
            kept = reading.read_line(db, self._batch.id, custom_id)
            if kept is None:
                self._batch.reopen(db, custom_id)
            else:
                lines.append(ResultLine(custom_id, kept))
        if lines:
            self.notes.append(f"{self.results_path} lacked results: {len(lines)} written anew from the journal.")
        if lost := len(missing) - len(lines):
            self.notes.append(f"{self.results_path} lacked results without a kept body: {lost} asked for again.")
        if forgotten:
            self.past = reading.read_past(db, self._batch.id)
        return lines

    def _register(self, db: sqlite3.Connection) -> None:
        """Register the jobs of the file, and drop those that left it before they were submitted."""
        if not self._jobs:
            return
        known = reading.read_jobs_of(db, self._batch.id)
        for job in self._jobs:
            row = known.pop(job.custom_id, None)
            if row is None:
                with contextlib.suppress(UnicodeEncodeError):  # half a character: it is never submitted
                    self._batch.add(db, job)
            elif row.digest != job.digest or row.line != job.line:
                self._batch.change(db, job)
        gone = [(self._batch.id, custom_id) for custom_id, row in known.items() if not row.was_submitted]
        db.executemany("DELETE FROM jobs WHERE batch = ? AND key = ?", gone)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        # A full disk fails the last write too, and what failed first says more.
        with contextlib.suppress(*() if error is None else (OSError, sqlite3.Error)):
            self.close()

    def close(self) -> None:
        """Write what is on its way, and close the files, which releases the locks."""
        try:
            self._close_files()
        finally:
            self._lock.release()

    def _close_files(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self.results.close)
            if self._writer is not None:
                stack.callback(self._writer.close)
                with contextlib.suppress(RuntimeError):  # closed already
                    self._write(lambda db: self._batch.event(db, "closed"))
            elif self._db is not None:
                stack.callback(self._db.close)

    def note(self, job: JobLine, event: Event, *, key: str | None = None, token: str | None = None) -> Commit:
        """Write one event of a job. Wait for the commit: only then it is on disk."""
        batch, custom_id = self._batch, job.custom_id

        def change(db: sqlite3.Connection) -> None:
            batch.ensure(db, job)
            if event == "submitting":
                batch.submitting(db, custom_id, key)
            elif event == "submitted" and token is not None:
                batch.submitted(db, custom_id, loads(token).response_id, token)
            else:
                batch.left(db, custom_id, event)

        return self._write(change, after=lambda: self._remember(job, event, key, token))

    def note_ended(self, job: JobLine, attempt: Attempt, exception: str | None) -> Commit:
        """Write the end of a run that is followed by another one."""
        batch, ending = self._batch, Ending.of_attempt(attempt, exception)
        return self._write(lambda db: batch.run_ended(db, job.custom_id, ending))

    def add_result(self, row: dict[str, Any]) -> Commit:
        """Write the end of a job: a line of the results, and the journal. Wait for the commit.

        Raises at once what `json.dumps` raises for a body that is no JSON.
        """
        batch, line, ending = self._batch, result_line(row), Ending.of_row(row)

        def change(db: sqlite3.Connection) -> None:
            batch.ended(db, line.custom_id, ending, line.data)

        return self._write(change, lines=[line])

    def _write(
        self, change: Change, *, lines: Sequence[ResultLine] = (), after: Callable[[], None] = lambda: None
    ) -> Commit:
        if self._writer is None:
            raise RuntimeError("the store is not open")
        return self._writer.write(change, lines=lines, output=self.results, after=after)

    def _remember(self, job: JobLine, event: Event, key: str | None, token: str | None) -> None:
        if event in ("unknown", "gone"):
            return  # held, as it was
        before = self.past.get(job.custom_id)
        # A refused POST made no run: the run before it, if any, is still the job's last one.
        token = before.token_before if before and event == "refused" else token
        last = before.token if before and before.token else (before.token_before if before else None)
        self.past[job.custom_id] = Past(event, token, last, job.digest, key or (before.key if before else None))
