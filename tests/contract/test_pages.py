"""The generated pages of the catalog: they are fresh, every row has its place, and every link leads there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from runoutcome import Catalog, Entry
from runoutcome._catalog.rows import Deprecation
from runoutcome.cli._catalog.catalog import pages as write_pages
from runoutcome.cli._catalog.overlays import VARIABLE
from runoutcome.cli._errors import UserError
from runoutcome.contract._address import INDEX, anchor_of, page_of, rule_anchor
from runoutcome.contract._pages import MARKER, pages

DOCS = Path(__file__).parents[2] / "docs"
CATALOG = Catalog.load()
PAGES = pages(CATALOG)
ODD = [
    "InvalidPrompt",
    "invalidprompt",
    "con",
    "nul.x",
    "readme",
    "a/b",
    "a\\b",
    ".hidden",
    "..",
    "a b",
    "?*:|<>",
    "é" * 90,
]
RENEW = "the committed pages are not those of the catalog; renew them with: runoutcome catalog pages docs/catalog"


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    """No overlay of whoever runs the tests."""
    monkeypatch.delenv(VARIABLE, raising=False)


def anchors(text: str) -> list[str]:
    """The anchors of a page."""
    return re.findall(r'<a id="([^"]*)"></a>', text)


def links(text: str) -> list[tuple[str, str]]:
    """The file and the anchor of each relative link of a page."""
    found = re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text)
    return [(path, anchor) for path, anchor in found if "://" not in path]


def extended(*values: str) -> Catalog:
    """The catalog with an overlay that has these codes."""
    rows = [{"value": value, "error_type": "bad_request_error", "retryable": False} for value in values]
    return CATALOG.extend({"name": "mine", "entries": rows})


def changed(entry: Entry, **fields: object) -> Catalog:
    """The catalog with other fields in one row."""
    rows = tuple(replace(row, **fields) if row == entry else row for row in CATALOG.entries)  # type: ignore[arg-type]
    return replace(CATALOG, entries=rows)


def section(text: str, anchor: str) -> str:
    """What stands below an anchor, up to the next one."""
    return text.split(f'<a id="{anchor}"></a>')[1].split("<a id=")[0]


def test_the_committed_pages_are_fresh() -> None:
    """`docs/catalog/` holds exactly the pages of the catalog as it is."""
    committed = {path.name: path.read_text("utf-8") for path in (DOCS / "catalog").iterdir()}
    assert committed == PAGES, RENEW


def test_every_row_has_its_place() -> None:
    """Each row has an anchor on the page of its value, and the index leads there."""
    for entry in CATALOG.entries:
        assert anchor_of(entry) in anchors(PAGES[page_of(entry)])
        assert (page_of(entry), anchor_of(entry)) in links(PAGES[INDEX])


def test_every_rule_has_its_place() -> None:
    """Each message rule has an anchor in the index."""
    assert {rule_anchor(rule) for rule in CATALOG.rules} <= set(anchors(PAGES[INDEX]))


def test_anchors_are_unique() -> None:
    """No anchor is on a page twice."""
    assert [name for name, text in PAGES.items() if max(Counter(anchors(text)).values()) > 1] == []


def test_links_lead_to_a_page_and_an_anchor() -> None:
    """Each link between pages leads to an anchor that is there, and any other one to a file of the docs."""
    for name, text in PAGES.items():
        for path, anchor in links(text):
            if path.startswith("../"):
                assert (DOCS / "catalog" / path).exists(), f"{name}: {path}"
            else:
                assert not anchor or anchor in anchors(PAGES[path or name]), f"{name}: {path}#{anchor}"


def test_a_page_tells_everything_a_row_says() -> None:
    """A contested row has its advice, exception, status, versions, other views and evidence on its page."""
    (entry,) = CATALOG.find("vector_store_timeout")
    told = section(PAGES["vector_store_timeout.md"], "response-error-code")
    for text in (
        entry.cause,
        entry.remedy,
        "| retryable | yes: an identical new run may succeed |",
        "| action | `resubmit` |",
        "| exception | `RunInternalServerError`, also `openai.InternalServerError` |",
        "| `error.type` | `internal_server_error` |",
        "| since | catalog 1.0.0; openai 1.66.0 |",
        *(view.argument for view in entry.alternatives),
        *entry.evidence,
    ):
        assert text in told


def test_a_rule_that_may_decide_otherwise_is_linked() -> None:
    """A retryable code links to the message rules by which it would not be."""
    told = section(PAGES["rate_limit_exceeded.md"], "response-error-code")
    assert "(README.md#rule-request-too-large): then not retryable, `change_request`" in told


def test_a_value_of_several_fields_is_one_page() -> None:
    """A value has one page, which begins with where it stands."""
    text = PAGES["content_filter.md"]
    assert len(anchors(text)) == 3
    assert text.count("](#") == 3


def test_numbers_are_told_by_status() -> None:
    """The page for HTTP statuses in place of codes says what each of them amounts to."""
    text = PAGES["http-status.md"]
    assert (
        "| 429 | `RunRateLimitError` | yes: an identical new run may succeed after a while | `resubmit_later` |" in text
    )
    assert "| 418 | `RunStatusError` | no: the request has to be changed first | `change_request` |" in text


def test_a_deprecated_row_says_so() -> None:
    """A row that is out of use says since when, why, and links what takes its place."""
    (entry,) = CATALOG.find("slow_down")
    old = Deprecation("1.2.0", "The API renamed it.", use="response/error.code/server_overloaded")
    text = pages(changed(entry, deprecated=old))["slow_down.md"]
    link = "[`server_overloaded`](server_overloaded.md#response-error-code)"
    assert f"**Deprecated** since catalog 1.2.0. The API renamed it. Use {link}." in text


def test_overlays_are_named() -> None:
    """Pages of an extended catalog name the overlay, in the index and with its rows."""
    found = pages(extended("mine_alone"))
    assert "With the overlays `mine`." in found[INDEX]
    assert "| decided by | the overlay `mine` |" in found["mine_alone.md"]
    assert "overlay `mine`" not in found["server_error.md"]


def test_any_value_has_a_page_on_any_file_system() -> None:
    """Whatever a value is, its page has a short plain name of its own, even where letter case does not count."""
    found = pages(extended(*ODD))
    assert len(found) == len(PAGES) + len(ODD)
    assert len({name.lower() for name in found}) == len(found)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,110}\.md", name) for name in found)
    assert all(name.partition(".")[0] not in ("con", "nul", "readme") for name in found)
    assert set(PAGES) <= set(found)


def written(folder: Path) -> Mapping[str, str]:
    """The files of a folder."""
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


def test_the_command_writes_every_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command makes the folder and writes every page; a second call has nothing to do."""
    folder = tmp_path / "new" / "pages"
    write_pages(folder)
    assert written(folder) == PAGES
    write_pages(folder)
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 written, 0 removed.")


def test_only_generated_pages_are_removed(tmp_path: Path) -> None:
    """A page of a value that is gone is removed; what somebody wrote stays."""
    (tmp_path / "gone.md").write_text(f"{MARKER}\n# `gone`\n", "utf-8")
    (tmp_path / "notes.md").write_text("# Notes\n", "utf-8")
    (tmp_path / "data.json").write_text("{}", "utf-8")
    (tmp_path / "folder.md").mkdir()
    write_pages(tmp_path)
    assert not (tmp_path / "gone.md").exists()
    assert {"notes.md", "data.json", "folder.md"} < {path.name for path in tmp_path.iterdir()}


def test_what_somebody_wrote_is_not_overwritten(tmp_path: Path) -> None:
    """A file in the way is one clear error, and nothing is written."""
    (tmp_path / INDEX).write_text("# By hand\n", "utf-8")
    with pytest.raises(UserError, match=r"README\.md was not written by this command"):
        write_pages(tmp_path)
    assert written(tmp_path) == {INDEX: "# By hand\n"}
