"""Tables and views of the journal, its version, and the steps from one version to the next.

    batches     one set of jobs that belong together; a file may hold several
    jobs        one row per job, with its state; `inputs` has the bodies of their requests
    attempts    one row per run that was or may have been made; `outputs` has the lines of their results
    events      transitions of jobs and batches, in the order of their ids; polls are not among them
    limits      limits in force, and who set them
    requests    rows that other processes write; the owner carries them out

Times are seconds since the epoch. A clock may jump, so the order of rows is that of their ids. Bodies are JSON,
compressed by zlib: in the `sqlite3` shell, `sqlar_uncompress(line, size)` shows one. Keys of an API are nowhere.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from .errors import StoreError, clear_errors, damaged

APPLICATION_ID = 0x72756E6F  # "runo"
OLDEST_SQLITE = (3, 37, 0)
BUSY_SECONDS = 30.0
"""Time that a write waits for another program, such as a second terminal that writes a request."""

_STATES = (
    "'queued', 'submitting', 'in_flight', 'completed', 'failed', 'incomplete', 'cancelled', 'expired', 'gone', "
    "'unknown', 'refused'"
)

MIGRATIONS: Sequence[str] = (
    f"""
CREATE TABLE batches (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,         -- of `runoutcome run`: path of the results, from the folder of this file
  server TEXT NOT NULL DEFAULT '',   -- host of the API; runs of two hosts are never mixed
  created_at REAL NOT NULL
) STRICT;

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  batch INTEGER NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  key TEXT NOT NULL,                 -- its custom_id
  line INTEGER,                      -- its line in the job file
  digest TEXT,                       -- short hash of its body; NULL if only its result is known
  state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ({_STATES})),
  created_at REAL NOT NULL,
  changed_at REAL NOT NULL,
  UNIQUE (batch, key)
) STRICT;
CREATE INDEX jobs_by_state ON jobs (batch, state);

CREATE TABLE inputs (
  job INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  size INTEGER NOT NULL,             -- bytes of the JSON
  body BLOB NOT NULL
) STRICT;

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,           -- from 1 in its job, over all calls
  reason TEXT,                       -- why the run was made again; NULL for the first
  key TEXT,                          -- its runoutcome_key
  posts INTEGER NOT NULL DEFAULT 1,  -- POSTs with this key; all but the last were refused
  state TEXT NOT NULL CHECK (state IN ({_STATES})),
  response_id TEXT,
  token TEXT,                        -- resume token
  created_at REAL NOT NULL,
  submitted_at REAL,
  ended_at REAL,
  code TEXT,                         -- code of the failure, or reason why it is incomplete
  error_type TEXT,
  exception TEXT,
  retryable INTEGER,
  action TEXT,
  model TEXT,
  input_tokens INTEGER,
  cached_tokens INTEGER,
  output_tokens INTEGER,
  reasoning_tokens INTEGER,
  total_tokens INTEGER,              -- NULL: usage is not known
  price TEXT,                        -- JSON of the prices at that time; NULL if none were given
  cost REAL,                         -- by these prices
  UNIQUE (job, number)
) STRICT;
CREATE INDEX attempts_by_response_id ON attempts (response_id);
CREATE INDEX attempts_by_key ON attempts (key);

CREATE TABLE outputs (
  attempt INTEGER PRIMARY KEY REFERENCES attempts (id) ON DELETE CASCADE,
  size INTEGER NOT NULL,             -- bytes of the JSON
  line BLOB NOT NULL                 -- its line in the results
) STRICT;

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  batch INTEGER NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  job INTEGER REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER REFERENCES attempts (id) ON DELETE CASCADE,
  event TEXT NOT NULL,               -- of a job: the state that it reached
  detail TEXT
) STRICT;
CREATE INDEX events_by_job ON events (job);

CREATE TABLE limits (
  batch INTEGER NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value REAL,
  changed_at REAL NOT NULL,
  changed_by TEXT NOT NULL,
  PRIMARY KEY (batch, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  asked_by TEXT NOT NULL,
  batch TEXT,                        -- name of the batch; NULL for the only one
  command TEXT NOT NULL,
  arguments TEXT NOT NULL DEFAULT '{{}}',
  done_at REAL,
  answer TEXT
) STRICT;
CREATE INDEX open_requests ON requests (id) WHERE done_at IS NULL;

CREATE VIEW runs AS
  SELECT batches.name AS batch, jobs.key AS job, attempts.number AS attempt, attempts.state, attempts.code,
         attempts.exception, attempts.reason, attempts.response_id, attempts.key AS runoutcome_key, attempts.model,
         datetime(attempts.created_at, 'unixepoch') AS created, datetime(attempts.ended_at, 'unixepoch') AS ended,
         round(max(0, attempts.ended_at - attempts.created_at), 1) AS seconds, attempts.posts, attempts.input_tokens,
         attempts.output_tokens, attempts.total_tokens, attempts.cost
  FROM attempts JOIN jobs ON jobs.id = attempts.job JOIN batches ON batches.id = jobs.batch;

CREATE VIEW spend AS
  SELECT batches.name AS batch, attempts.model, attempts.state, count(*) AS attempts,
         sum(attempts.input_tokens) AS input_tokens, sum(attempts.cached_tokens) AS cached_tokens,
         sum(attempts.output_tokens) AS output_tokens, sum(attempts.reasoning_tokens) AS reasoning_tokens,
         sum(attempts.total_tokens) AS total_tokens, sum(attempts.cost) AS cost,
         sum(attempts.total_tokens IS NULL) AS without_usage
  FROM attempts JOIN jobs ON jobs.id = attempts.job JOIN batches ON batches.id = jobs.batch
  WHERE attempts.state <> 'refused'
  GROUP BY batches.name, attempts.model, attempts.state;

CREATE VIEW failures AS
  SELECT batches.name AS batch, jobs.key AS job, jobs.state, attempts.number AS attempts, attempts.code,
         attempts.exception, attempts.retryable, attempts.action, attempts.response_id, attempts.key AS runoutcome_key,
         datetime(attempts.ended_at, 'unixepoch') AS ended
  FROM jobs JOIN batches ON batches.id = jobs.batch JOIN attempts ON attempts.job = jobs.id
  WHERE attempts.number = (SELECT max(number) FROM attempts WHERE attempts.job = jobs.id)
    AND (jobs.state IN ('gone', 'unknown') OR (attempts.exception IS NOT NULL AND jobs.state = attempts.state));
""",
)


def connect(path: Path, *, is_reader: bool = False) -> sqlite3.Connection:
    """Return a connection to an existing database, in autocommit mode; a reader cannot write, nor create a file.

    Raises sqlite3.Error, and StoreError for an old SQLite.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE[:2]))
        raise StoreError(f"the journal needs SQLite {oldest} or later; this Python has {sqlite3.sqlite_version}")
    mode = "mode=rw"
    if is_reader:  # without a write-ahead log nobody writes, and a plain reader would leave an empty one behind
        mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # opened by one thread, then owned by the writer
    )
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def check_version(connection: sqlite3.Connection, path: Path, migrations: Sequence[str] = MIGRATIONS) -> int:
    """Return the version of a journal, 0 for an empty database; nothing is changed.

    Raises StoreError for a database of another program, and for a journal of a later release.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or objects):
        raise StoreError(f"{path} is a database of another program, not a journal of runoutcome; choose another --db")
    if version > len(migrations):
        raise StoreError(
            f"{path} was written by a later release of runoutcome (schema {version}; this one reads up to "
            f"{len(migrations)}). It was left as it is; install the later release"
        )
    return int(version)


def open_reader(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """Return a connection that reads a journal, or a copy in memory of one that has an older schema.

    Raises StoreError for a file that is no journal.
    """
    with clear_errors(path):
        connection = connect(path, is_reader=True)
        try:
            version = check_version(connection, path, migrations)
            if version == len(migrations):
                return connection
            copy = in_memory()
            connection.backup(copy)
        except BaseException:
            connection.close()
            raise
        connection.close()
        migrate(copy, version, migrations)
    return copy


def in_memory() -> sqlite3.Connection:
    """Return an empty database that is nowhere on disk."""
    return sqlite3.connect(":memory:", isolation_level=None)


def open_journal(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """Return a connection that writes durably, to a journal of the newest schema.

    Raises StoreError for a file that is none, is damaged, or cannot be written.
    """
    with clear_errors(path):
        connection = connect(path)
        try:
            version = check_version(connection, path, migrations)
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise StoreError(damaged(path, verdict))
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise StoreError(f"{path}: this file system has no write-ahead log for SQLite; choose another --db")
            for pragma in ("synchronous = FULL", "fullfsync = ON", "checkpoint_fullfsync = ON"):
                connection.execute(f"PRAGMA {pragma}")
            migrate(connection, version, migrations)
        except BaseException:
            connection.close()
            raise
    return connection


def migrate(connection: sqlite3.Connection, version: int, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring a journal to the newest schema in one transaction, so that a kill leaves the old one whole."""
    if version == len(migrations):
        return
    steps = "".join(migrations[version:])
    connection.executescript(
        f"BEGIN IMMEDIATE;{steps}"
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(migrations)}; COMMIT;"
    )
