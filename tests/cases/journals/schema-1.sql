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
  state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'submitting', 'in_flight', 'completed', 'failed', 'incomplete', 'cancelled', 'expired', 'gone', 'unknown', 'refused')),
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
  state TEXT NOT NULL CHECK (state IN ('queued', 'submitting', 'in_flight', 'completed', 'failed', 'incomplete', 'cancelled', 'expired', 'gone', 'unknown', 'refused')),
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
  arguments TEXT NOT NULL DEFAULT '{}',
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
