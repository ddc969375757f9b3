"""What `docs/` shows of scenarios is a scenario."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from runoutcome.testing import Fault, FaultRule, OutcomeScript, load_scenario, parse_fault, scenario_names
from runoutcome.testing._scenario.fault import FAULT_WORDS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "scenarios.md").read_text("utf-8")
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in ("scenarios.md", "emulator.md")
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL), 1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_toml_blocks_load(tmp_path: Path, block: str) -> None:
    """Every TOML block is a scenario as it stands."""
    path = tmp_path / "block.toml"
    path.write_text(block, "utf-8")
    scenario = load_scenario(path)
    assert scenario.outcomes or scenario.faults


def test_the_page_names_everything() -> None:
    """Every key of an outcome, every word of a fault and every shipped scenario is on the page."""
    keys = {field.name for field in fields(OutcomeScript)} - {"spans"}
    detail = {field.name for field in fields(Fault)} - {"word", "shape"}
    conditions = {field.name for field in fields(FaultRule)} - {"first", "last"}
    missing = [
        name
        for name in (*keys, *detail, *conditions, "from", "to", *FAULT_WORDS, *scenario_names())
        if not re.search(rf"`(\[\[)?{re.escape(name)}(\]\])?`", PAGE)
    ]
    assert missing == []


def test_the_page_tells_which_faults_take_effect() -> None:
    """The last column of the table of faults is what the code says."""
    rows = re.findall(r"^\| (`.*?) \| .* \| (yes|no) \|$", PAGE, re.MULTILINE)
    told = {word: effect == "yes" for words, effect in rows for word in re.findall(r"`(.*?)`", words)}
    assert {word: parse_fault(word).applied for word in told} == told
    assert set(FAULT_WORDS) <= set(told)
