"""RUNOUTCOME_CATALOG: overlays on top of the catalog, for every command that goes by it; and the docs of overlays."""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint
from openai import OpenAI

from runoutcome import Catalog, classify
from runoutcome._catalog.overlay import dialects
from runoutcome.cli._catalog.overlays import VARIABLE, catalog_in_use, overlaid
from runoutcome.cli._errors import UserError
from runoutcome.contract._exports import dump
from runoutcome.testing import Emulator

CATALOG = Catalog.load()
GUIDE = (Path(__file__).parents[2] / "docs" / "overlays.md").read_text("utf-8")
BUDGET = {"value": "tenant_budget", "error_type": "rate_limit_error", "retryable": True}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """An overlay with a code of its own, and another decision about a published one."""
    path = tmp_path / "mine.json"
    entries = [BUDGET, {"value": "slow_down", "retryable": False}]
    path.write_text(json.dumps({"entries": entries}), "utf-8")
    return path


def shown(word: str, *overlays: object) -> dict[str, Any]:
    """How `explain` tells of the first row of a value, with these overlays."""
    done = call("explain", word, "--json", RUNOUTCOME_CATALOG=os.pathsep.join(map(str, overlays)))
    assert done.returncode == 0, done
    found: dict[str, Any] = json.loads(done.stdout)["explanations"][0]
    return found


def test_explain_goes_by_the_overlays(mine: Path) -> None:
    """A code of an overlay is explained, names who decided, and has no page in the docs."""
    told = shown("tenant_budget", mine)
    assert (told["exception"], told["retryable"], told["overlay"]) == ("RunRateLimitError", True, "mine")
    assert told["docs"] is None
    text = call("explain", "tenant_budget", RUNOUTCOME_CATALOG=str(mine)).stdout
    assert "decided by  overlay mine\n" in text
    assert "since" not in text


def test_a_changed_row_keeps_its_page(mine: Path) -> None:
    """A published row that an overlay changed names the overlay, and still has its page."""
    told = shown("slow_down", mine)
    assert (told["retryable"], told["overlay"]) == (False, "mine")
    assert told["docs"] == "slow_down.md#response-error-code"


def test_overlays_apply_in_order(tmp_path: Path, mine: Path) -> None:
    """Several overlays, dialects among them, go on top of each other in the order of the variable."""
    other = tmp_path / "other.toml"
    other.write_text('[[entries]]\nvalue = "slow_down"\nretryable = true\n', "utf-8")
    assert shown("slow_down", mine, other)["overlay"] == "other"
    assert shown("slow_down", other, "azure", mine)["overlay"] == "mine"
    assert shown("DeploymentNotFound", mine, "azure")["overlay"] == "azure"


def test_bodies_and_lines_go_by_the_overlays(mine: Path) -> None:
    """A body and each row of a list are judged by the extended catalog."""
    body = json.dumps({"id": "resp_1", "status": "failed", "error": {"code": "tenant_budget"}})
    data = json.loads(call("explain", body, "--json", RUNOUTCOME_CATALOG=str(mine)).stdout)
    assert (data["outcome"]["overlay"], data["outcome"]["retryable"]) == ("mine", True)
    done = call("explain", "-", "--json", stdin=f"{body}\n{body}\n", RUNOUTCOME_CATALOG=str(mine))
    assert [row["outcome"]["overlay"] for row in json.loads(done.stdout)["rows"]] == ["mine", "mine"]


@pytest.mark.parametrize("value", ["", os.pathsep, f" {os.pathsep} "])
def test_an_empty_variable_is_no_overlay(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Unset, empty or blank, the catalog is the published one."""
    monkeypatch.setenv(VARIABLE, value)
    assert catalog_in_use() is CATALOG
    assert overlaid(catalog_in_use()) == ""


def test_the_overlays_in_use_are_named(monkeypatch: pytest.MonkeyPatch, mine: Path) -> None:
    """What the variable names can be told in a sentence."""
    monkeypatch.setenv(VARIABLE, f"{mine}")
    assert overlaid(catalog_in_use()) == ", with the overlay mine"
    monkeypatch.setenv(VARIABLE, f"azure{os.pathsep}{mine}")
    assert overlaid(catalog_in_use()) == ", with the overlays azure, mine"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[entries]]\nvalue = "x"\nretryabel = true\n', "entries[0].retryabel: is no key that is allowed here"),
        ("entries = 1\n[[rules]]\n", " more)"),
        ("= nothing", "is not TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_overlay_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, told: str
) -> None:
    """What is wrong with an overlay is one error that names the variable, the file and the key."""
    path = tmp_path / "bad.toml"
    if text is not None:
        path.write_text(text, "utf-8")
    monkeypatch.setenv(VARIABLE, f"azure{os.pathsep}{path}")
    with pytest.raises(UserError, match=re.escape(told)) as caught:
        catalog_in_use()
    assert caught.value.message.startswith(f"{VARIABLE}: {path}: ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "server_error"),
        ("catalog",),
        ("wait", "resp_1"),
        ("cancel", "resp_1"),
        ("run", "jobs", "-o", "results"),
    ],
)
def test_a_bad_overlay_ends_a_command_before_it_starts(words: tuple[str, ...]) -> None:
    """A name that is no dialect and no file is bad input, told in one line with the names there are."""
    line = complaint(call(*words, RUNOUTCOME_CATALOG="nowhere"))
    assert line.startswith(f"runoutcome: {VARIABLE}: nowhere: not one of azure, ")


@pytest.mark.parametrize("command", ["wait", "cancel"])
def test_a_run_is_judged_by_the_overlays(mine: Path, command: str) -> None:
    """`wait` and `cancel` go by the extended catalog."""
    with Emulator({"queued_seconds": 0, "running_seconds": 0}) as emulator:
        with OpenAI(base_url=emulator.base_url, api_key="any") as client:
            run = client.responses.create(model="emulate:slow_down", input="Hello", background=True)
        settings = {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "any", VARIABLE: str(mine)}
        data = json.loads(call(command, run.id, "--json", **settings).stdout)
    told = data["outcome"]
    assert (told["code"], told["retryable"], told["overlay"]) == ("slow_down", False, "mine")


def test_what_is_accepted_is_judged_by_the_overlays(tmp_path: Path) -> None:
    """A run that is returned, since an overlay calls its status completed, is judged by that overlay too."""
    overlay = tmp_path / "mine.toml"
    overlay.write_text('[[entries]]\nfield = "status"\nvalue = "cancelled"\nphase = "completed"\n', "utf-8")
    with Emulator({"queued_seconds": 0, "running_seconds": 0}) as emulator:
        with OpenAI(base_url=emulator.base_url, api_key="any") as client:
            run = client.responses.create(model="emulate:cancelled", input="Hello", background=True)
        settings = {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "any", VARIABLE: str(overlay)}
        done = call("wait", run.id, "--json", **settings)
    assert (done.returncode, json.loads(done.stdout)["outcome"]["ok"]) == (0, True)


def test_a_job_file_goes_by_the_overlays(tmp_path: Path, mine: Path) -> None:
    """`run` resubmits by the extended catalog, and writes its verdict; a second call tells the same."""
    body = {"model": "emulate:slow_down", "input": "Hello"}
    job = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": body}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(job), "utf-8")
    words = ("run", tmp_path / "jobs.jsonl", "-o", tmp_path / "results.jsonl", "--emulate", "--scenario", "happy")
    for _ in range(2):
        data = json.loads(call(*words, "--json", RUNOUTCOME_CATALOG=str(mine)).stdout)
        (report,) = data["reports"]
        assert (report["code"], report["retryable"], report["runs"]) == ("slow_down", False, 1)
    assert json.loads((tmp_path / "results.jsonl").read_text("utf-8"))["outcome"]["overlay"] == "mine"


def test_the_table_marks_what_overlays_say(mine: Path) -> None:
    """The table marks the rows of overlays, and names the overlays in its last line."""
    lines = call("catalog", COLUMNS="200", RUNOUTCOME_CATALOG=str(mine)).stdout.splitlines()
    assert {line.split()[0] for line in lines if " * " in line} == {"tenant_budget", "slow_down"}
    assert ", with the overlay mine (their rows are marked *). " in lines[-1]
    assert "overlay" not in call("catalog").stdout
    markdown = call("catalog", "--format", "markdown", RUNOUTCOME_CATALOG=str(mine)).stdout
    assert "| `tenant_budget` (mine) | `RateLimitError` |" in markdown


def test_the_catalog_as_json_holds_the_overlays(mine: Path) -> None:
    """As JSON an extended catalog has the rows of the overlays, which name them."""
    document = json.loads(call("catalog", "--json", RUNOUTCOME_CATALOG=str(mine)).stdout)
    assert document["overlays"] == ["mine"]
    named = {row["value"] for row in document["entries"] if row.get("overlay") == "mine"}
    assert named == {"tenant_budget", "slow_down"}
    assert Catalog.from_dict(document).entries == CATALOG.extend(mine).entries


def test_pages_are_a_command(tmp_path: Path) -> None:
    """`runoutcome catalog pages` writes the pages of the catalog in use, and refuses to lose what somebody wrote."""
    done = call("catalog", "pages", tmp_path / "pages", RUNOUTCOME_CATALOG="azure")
    assert done.stdout.endswith(" written, 0 removed.\n")
    assert "With the overlays `azure`." in (tmp_path / "pages" / "README.md").read_text("utf-8")
    (tmp_path / "README.md").write_text("# By hand\n", "utf-8")
    assert "README.md was not written by this command" in complaint(call("catalog", "pages", tmp_path))


@pytest.mark.parametrize("name", [None, *dialects()])
def test_a_catalog_can_be_written_and_read_again(name: str | None) -> None:
    """The plain form of a catalog, extended or not, makes the same rows again."""
    catalog = CATALOG.extend(name) if name else CATALOG
    document = json.loads(json.dumps(dump(catalog)))
    again = Catalog.from_dict(document)
    assert (again.entries, again.rules, again.surfaces) == (catalog.entries, catalog.rules, catalog.surfaces)
    assert again.upstream_error_types == catalog.upstream_error_types
    assert document.get("overlays") == ([name] if name else None)


def test_the_example_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    """Each row of the overlay in the docs decides as its comment says."""
    path = tmp_path / "guide.toml"
    path.write_text(re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)[0], "utf-8")
    outcome = partial(classify, catalog=CATALOG.extend(path))
    budget = outcome({"status": "failed", "error": {"code": "tenant_budget_exceeded"}})
    assert (budget.error_class, budget.action, budget.overlay) == ("RateLimitError", "fix_account", "acme")
    image = outcome({"status": "failed", "error": {"code": "failed_to_download_image"}})
    assert (image.error_class, image.retryable, image.title) == ("BadRequestError", True, "Image download failed")
    scan = outcome({"object": "batch", "status": "failed", "errors": {"data": [{"code": "file_scan_pending"}]}})
    assert (scan.error_class, scan.status_code, scan.retryable) == ("ConflictError", 409, True)
    cost = outcome({"status": "incomplete", "incomplete_details": {"reason": "cost_limit"}})
    assert (cost.error_type, cost.action, cost.known) == ("incomplete_error", "raise_limit", True)
    assert outcome({"status": "throttled"}).phase == "pending"
    assert outcome({"status": "failed", "error": None}).title == "Failed, and the gateway kept the reason to itself"
    moved = outcome({"status": "failed", "error": {"code": "bio_policy", "message": "Replica r-1 was restarted."}})
    assert (moved.error_class, moved.retryable, moved.overlay) == ("BadRequestError", True, "acme")
    tenant = outcome({"status": "failed", "error": {"type": "TenantError"}})
    assert (tenant.error_class, tenant.retryable, tenant.overlay) == ("PermissionDeniedError", False, "acme")


def test_the_guide_names_every_key() -> None:
    """Each key that an overlay may have is in the guide."""
    schema = json.loads((Path(__file__).parents[2] / "src/runoutcome/data/overlay.schema.json").read_text("utf-8"))
    keys = {key for part in (schema, schema["$defs"]["entry"], schema["$defs"]["rule"]) for key in part["properties"]}
    assert {key for key in keys if f"`{key}`" not in GUIDE} <= {"$schema"}
