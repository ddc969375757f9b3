"""`runoutcome check`: what the installed SDK, or a document, names and the catalog does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint

from runoutcome import CATALOG_VERSION
from runoutcome._sdk import SDK_VERSION


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """An OpenAPI document with a new status, a new failure field and a new failing object."""
    code: dict[str, Any] = {"type": "object", "properties": {"code": {"type": "string"}, "blame": {"type": "string"}}}
    reason: dict[str, Any] = {"type": "object", "properties": {"reason": {"type": "string"}}}
    response = {
        "object": {"const": "response"},
        "status": {"enum": ["queued", "melted"]},
        "error": code,
        "incomplete_details": reason,
    }
    report = {"object": {"const": "report"}, "status": {"enum": ["done", "failed"]}}
    schemas = {"Response": {"properties": response}, "Report": {"properties": report}}
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps({"openapi": "3.1.0", "components": {"schemas": schemas}}), "utf-8")
    return path


def test_the_installed_sdk_is_known() -> None:
    """Against the installed SDK there is no finding, an empty list, and one line for each surface that was skipped."""
    done = call("check", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    *skipped, said = done.stderr.splitlines()
    assert said == f"no finding: catalog {CATALOG_VERSION} against openai {SDK_VERSION}"
    assert skipped[0] == "skipped batch.output_row: the SDK has no model of it"
    assert call("check").stdout == ""


def test_findings_are_a_list(document: Path) -> None:
    """As JSON the findings are a list of objects, and the exit code is 1."""
    done = call("check", "--openapi", document, "--json")
    findings = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(one["surface"], one["field"], one["value"], one["kind"]) for one in findings] == [
        ("response", "status", "melted", "value"),
        ("response", "error.blame", None, "field"),
        ("report", "status", None, "surface"),
        ("response", None, "$.components.schemas['ResponseErrorCode']", "overlay"),
        ("response", None, "$.components.schemas['ResponseError'].properties", "overlay"),
    ]
    assert all(one["message"] and one["fix"] for one in findings)
    assert done.stderr.splitlines()[-1].startswith("5 findings: catalog ")
    assert done.stderr.endswith(" and openapi.json\n")


@pytest.mark.parametrize("columns", ["20", "80", "240"])
def test_findings_are_a_table(document: Path, columns: str) -> None:
    """For a person each finding is there with its value whole, and with what to do."""
    done = call("check", "--openapi", document, COLUMNS=columns)
    text = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert all(word in done.stdout.split() for word in ("melted", "error.blame", "report"))
    assert "add an entry for response status = 'melted'" in text


@pytest.mark.parametrize(("name", "said"), [("nothing.yaml", "cannot be read"), (__file__, "")])
def test_bad_input_is_one_line(name: str, said: str) -> None:
    """A document that cannot be read is one line, and exit code 2."""
    assert said in complaint(call("check", "--openapi", name))
