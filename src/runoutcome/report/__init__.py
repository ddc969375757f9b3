"""Reads the journal of a batch, also while it runs.

    status = read_status(Path("results.jsonl"))

A path is the journal, or the results whose journal is beside them. Nothing is written into either.
"""

from inspect import isfunction

from ._status import Status as Status, read_status as read_status

__all__ = [
    "Status",
    "read_status",
]

for _name in __all__:
    if isfunction(_value := globals()[_name]):
        _value.__module__ = __name__  # its address in pickles and in `help()`
