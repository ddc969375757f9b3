"""Runs a file of jobs in the OpenAI Batch input format as background runs, and goes on after a crash."""

from inspect import isfunction

from ._jobs import JobFileError, JobLine, read_jobs
from ._journal.errors import StoreError
from ._runner import BatchOptions, JobReport, Progress, run_batch
from ._store import Store

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

for _name in __all__:
    if isfunction(_value := globals()[_name]):
        _value.__module__ = __name__  # its address in pickles and in `help()`
