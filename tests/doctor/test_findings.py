from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from textwrap import dedent

import pytest
from snippets import rules

from runoutcome.doctor import RULES, Finding, Rule, check_source

ROOT = Path(__file__).parents[2]
LOOP = """\
while response.status != "completed":{comment}
    response = client.responses.retrieve(response.id)
"""


def test_a_finding_is_whole() -> None:
    """A finding has the file, the line, the rule, what is wrong, what to do, and where to read on."""
    first, second = check_source(LOOP.format(comment=""), "app.py")
    assert first.to_dict() == {
        "file": "app.py",
        "line": 1,
        "rule": "poll-without-deadline",
        "message": "this loop around responses.retrieve has no deadline: it ends only when the run does",
        "fix": first.fix,
        "docs": "docs/doctor.md#poll-without-deadline",
    }
    assert second.rule == "wait-for-completed-only"
    assert json.loads(json.dumps(first.to_dict())) == first.to_dict()


def test_a_rule_has_a_name() -> None:
    """A rule is found by its id, and pickled by it; a rule of somebody else's is pickled as a whole."""
    for rule in RULES:
        assert Rule.named(rule.id) is pickle.loads(pickle.dumps(rule)) is rule
    own = Rule("own", check_source, "Mend it.")  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(own)) == own
    with pytest.raises(KeyError):
        Rule.named("own")


def test_findings_are_sorted_and_told_once() -> None:
    """They come by line and rule, each once, and the same each time."""
    source = LOOP.format(comment="") * 3
    found = check_source(source)
    assert found == sorted(set(found))
    assert [finding.line for finding in found] == [1, 1, 3, 3, 5, 5]
    assert check_source(source) == found


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("  # runoutcome: ignore[poll-without-deadline]", {"wait-for-completed-only"}),
        ("  # runoutcome: ignore[wait-for-completed-only]", {"poll-without-deadline"}),
        ("  # runoutcome: ignore[poll-without-deadline, wait-for-completed-only]", set()),
        ("  #runoutcome:ignore[poll-without-deadline,wait-for-completed-only] the caller has a limit", set()),
        ("  # noqa  # runoutcome: ignore[poll-without-deadline]", {"wait-for-completed-only"}),
        ("  # runoutcome: ignore[other-rule]", {"poll-without-deadline", "wait-for-completed-only"}),
        ("  # runoutcome: ignore", {"poll-without-deadline", "wait-for-completed-only"}),
        ("  # runoutcome: ignore[]", {"poll-without-deadline", "wait-for-completed-only"}),
    ],
)
def test_a_comment_silences_the_rules_it_names(comment: str, left: set[str]) -> None:
    """`# runoutcome: ignore[rule]` on the line silences these rules, and no others."""
    assert rules(LOOP.format(comment=comment)) == left


def test_a_comment_on_another_line_silences_nothing() -> None:
    """The comment belongs on the line of the finding."""
    comment = "# runoutcome: ignore[poll-without-deadline]\n"
    assert "poll-without-deadline" in rules(comment + LOOP.format(comment="") + comment)


def test_rules_have_names_that_can_be_linked_to() -> None:
    """Every rule has an id of its own in small letters and dashes, a fix of one sentence, and a section in the docs."""
    sections = re.findall(r"^## (\S+)$", (ROOT / "docs" / "doctor.md").read_text("utf-8"), re.MULTILINE)
    ids = [rule.id for rule in RULES]
    assert ids == sections
    assert len(set(ids)) == len(ids)
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.id)
        assert rule.fix.endswith(".")
        assert rule.find.__doc__


def blocks(kind: str) -> list[tuple[str, str]]:
    """The blocks of that kind in the docs, each with the rule whose section it is in."""
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    return [
        (section.split()[0], block)
        for section in sections
        for block in re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)
    ]


@pytest.mark.parametrize(("rule", "block"), blocks("py"))
def test_what_the_docs_call_wrong_is_found(rule: str, block: str) -> None:
    """Every mistake shown in the docs is found by its rule."""
    assert rule in rules(block)


@pytest.mark.parametrize(("rule", "block"), blocks("python"))
def test_what_the_docs_call_right_is_left_alone(rule: str, block: str) -> None:
    """No fix shown in the docs has a finding of any rule."""
    assert rules(block) == set()


def test_the_docs_show_both_sides_of_every_rule() -> None:
    """Each section has at least one mistake, and a fix with and without this package."""
    for rule in RULES:
        assert [name for name, _ in blocks("py")].count(rule.id) >= 1
        assert [name for name, _ in blocks("python")].count(rule.id) >= 1


def test_our_own_source_has_no_finding() -> None:
    """The package, its examples and its tests' helpers do none of this."""
    for directory in ("src", "examples", "benchmarks"):
        for file in (ROOT / directory).rglob("*.py"):
            assert check_source(file.read_text("utf-8"), str(file)) == []


def test_findings_are_values() -> None:
    """Two findings of the same place are equal, and can be kept in sets."""
    finding = Finding("a.py", 1, "rule", "message", "fix")
    assert finding == Finding("a.py", 1, "rule", "message", "fix")
    assert len({finding, Finding("a.py", 1, "rule", "message", "fix")}) == 1


@pytest.mark.parametrize(
    "source",
    [
        "",
        "\n\n",
        "x = lambda: (yield)",
        "client.responses.retrieve",
        "while client.responses.retrieve: pass",
        "while (x := client.responses.retrieve(y)): x[0].z = 1",
        "for i in range(3): client.responses.retrieve(i)",
        "class A:\n def f(self): return self.f(client.responses.retrieve)",
        "def f(): return f(client.responses.retrieve)\nwhile f().status: f()",
        "try: client.responses.retrieve()\nexcept: pass\nfinally: client.responses.cancel()",
        "@retry\n@a.b()[0]\ndef f(): client.responses.create(**x, **y)",
        "a = b = c, (d, *e) = client.responses.retrieve()",
        "done = not done\nwhile not done: done = not done or client.responses.retrieve().status",
        "while x.status not in x.status: x = client.responses.retrieve(x)",
        "while True:\n match client.responses.retrieve(y).status:\n  case [a, *b]: break\n  case {'k': c}: break",
    ],
)
def test_odd_sources_are_no_trouble(source: str) -> None:
    """Code that makes little sense is read without an error."""
    assert isinstance(check_source(dedent(source)), list)
