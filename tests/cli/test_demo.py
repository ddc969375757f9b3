"""`runoutcome demo`: it shows what it is there to show."""

from __future__ import annotations

from command import call


def test_the_demo_shows_each_ending_and_its_handling() -> None:
    """The demo names each exception class, one resubmitted success, a quota stop, partial output and a survivor."""
    done = call("demo", COLUMNS="60")
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    for name in ("RunRateLimitError", "RunInternalServerError", "RunContentFilterError", "RunIncompleteError"):
        assert name in shown
    assert "completed  (run 2, after RunRateLimitError rate_limit_exceeded)" in shown
    assert "stopped on insufficient_quota" in shown
    assert "kept the output so far: 'Brine plumes" in shown
    assert "met HTTP 503, HTTP 503, HTTP 200 with an HTML page" in shown
    assert "12 jobs: 6 completed, 6 ended otherwise." in shown
    assert "14 runs were paid for" in shown
