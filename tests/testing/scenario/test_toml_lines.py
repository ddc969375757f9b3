"""The line that an error in a scenario file names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from runoutcome._catalog import validator
from runoutcome.testing import ScenarioError, load_scenario
from runoutcome.testing._scenario.toml_lines import line_of, lines_of

LAYOUTS = '''# a comment, with [[outcomes]] in it
description = """
[[outcomes]]
seed = 1
\\""" still inside
"""
seed = 7          # "not a string

[[ outcomes ]]    # no. 1
name = "a"
poll_faults = [
  "503",
  { status = 429 },   # ]
]
status = 'it''s' # an error in TOML, but no reason to lose count

  [outcomes.body_fields]
  usage = 1

[[outcomes]]
'name' = 'b = ]'
body_fields.note = "x"
body_fields = { note = "]" }

[[jobs]]
outcome = "a"
[jobs.match]
metadata."a b" = "c"

[webhooks]
drop = 2
literal = \'\'\'
[[jobs]]
\'\'\'
secret = "x"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("description",), 2),
        (("seed",), 7),
        (("outcomes",), 9),
        (("outcomes", 0), 9),
        (("outcomes", 0, "name"), 10),
        (("outcomes", 0, "poll_faults"), 11),
        (("outcomes", 0, "status"), 15),
        (("outcomes", 0, "body_fields"), 17),
        (("outcomes", 0, "body_fields", "usage"), 18),
        (("outcomes", 0, "missing"), 9),
        (("outcomes", 1, "name"), 21),
        (("outcomes", 1, "body_fields", "note"), 22),
        (("outcomes", 2, "name"), 9),
        (("jobs", 0, "outcome"), 26),
        (("jobs", 0, "match"), 27),
        (("jobs", 0, "match", "metadata", "a b"), 28),
        (("jobs", 1), 25),
        (("webhooks", "drop"), 31),
        (("webhooks", "secret"), 35),
        (("faults",), None),
        ((), None),
    ],
)
def test_the_line_of_a_value_is_found(path: validator.Path, line: int | None) -> None:
    """Comments, strings and arrays over many lines do not lead the scanner astray; what is not there is near by."""
    assert line_of(path, lines_of(LAYOUTS)) == line


@given(text=st.text(alphabet="[]={}\"'#.\\\nab ", max_size=200))
def test_any_text_can_be_scanned(text: str) -> None:
    """The scanner takes any text, and names lines that exist."""
    assert all(1 <= line <= text.count("\n") + 1 for line in lines_of(text).values())


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("seed = 1\nseeds = 1", "line 2: unknown key 'seeds'; did you mean 'seed'?"),
        ("seed = 1\n\nqueued_seconds = -1", "line 3: queued_seconds: expected a number, 0 or more, got -1"),
        (
            "[[outcomes]]\nname = 'a'\n\n[[outcomes]]\nname = 'b'\nqueued_secnds = 1",
            "line 6: [[outcomes]] no. 2: unknown key 'queued_secnds'; did you mean 'queued_seconds'?",
        ),
        ("[[outcomes]]\nname = 'a'\n[[outcomes]]\nstatus = 'failed'", "line 3: [[outcomes]] no. 2: name: is missing"),
        ("outcomes = [\n{name = 'a', weight = 'x'}]", "line 1: [[outcomes]] no. 1: weight: expected a number"),
        ("[[outcomes]]\nname = 'a'\n[[outcomes]]\nname = 'a'", "line 4: [[outcomes]] no. 2: name: another outcome"),
        ("[[jobs]]\noutcome = 'a'\nmatch = {nht = 1}", "line 3: [[jobs]] no. 1: match: unknown key 'nht'"),
        ("[[jobs]]\nmatch = {}\noutcome = 'fialed'", "line 3: [[jobs]] no. 1: outcome: unknown outcome 'fialed'; did"),
        (
            "[[faults]]\nroute = 'poll'\nfault = 503\noutcome = 'copmleted'",
            "line 4: [[faults]] no. 1: outcome: unknown outcome 'copmleted'; did you mean 'completed'?",
        ),
        ("[webhooks]\n\ndrop = 2", "line 3: [webhooks]: drop: expected a share"),
        ("[webhooks]\ndorp = 2", "line 2: [webhooks]: unknown key 'dorp'; did you mean 'drop'?"),
        ("\n= 1", "not TOML: Invalid statement (at line 2, column 1)"),
    ],
)
def test_an_error_names_its_line(tmp_path: Path, toml: str, said: str) -> None:
    """Every error of a file starts with the file and the line of the key."""
    path = tmp_path / "mine.toml"
    path.write_text(toml)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert str(caught.value).startswith(f"{path}: {said}")


def test_an_error_of_a_mapping_names_no_line() -> None:
    """What was never text has no lines."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario({"outcomes": [{"name": "a", "weight": -1}]})
    assert str(caught.value) == "scenario: [[outcomes]] no. 1: weight: expected a number, 0 or more, got -1"
