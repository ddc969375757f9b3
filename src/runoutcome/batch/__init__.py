"""A file of jobs in the OpenAI Batch input format, run as background runs, that go on after a crash."""

from ._jobs import JobFileError, JobLine, read_jobs
from ._runner import BatchOptions, JobReport, Progress, run_batch
from ._store import Store, StoreError

__all__ = [
    "BatchOptions",
    "JobFileError",
    "JobLine",
    "JobReport",
    "Progress",
    "Store",
    "StoreError",
    "read_jobs",
    "run_batch",
]
