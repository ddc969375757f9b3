"""Reads the journal of a batch, also while it runs: a status, a report as one HTML page, and the results anew.

    page = html_page(read_report(Path("results.jsonl")))

A path is the journal, or the results whose journal is beside them. Nothing is written into either.
"""

from inspect import isfunction

from ._export import csv_lines as csv_lines, jsonl_lines as jsonl_lines
from ._figures import Report as Report, read_report as read_report
from ._page import html_page as html_page
from ._source import files_of as files_of
from ._status import Status as Status, read_status as read_status

__all__ = [
    "Report",
    "Status",
    "csv_lines",
    "files_of",
    "html_page",
    "jsonl_lines",
    "read_report",
    "read_status",
]

for _name in __all__:
    if isfunction(_value := globals()[_name]):
        _value.__module__ = __name__  # its address in pickles and in `help()`
