"""The committed exports: what is generated now, read back by what each is for."""

from __future__ import annotations

import csv
import io
import json
import re
from copy import deepcopy
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from runoutcome import Catalog, Entry, classify
from runoutcome._catalog.rows import ERROR_TYPES, Alternative, Deprecation
from runoutcome._outcome.field import field_of
from runoutcome.contract._exports import EXPORTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", EXPORTS)
def test_the_committed_file_is_fresh(name: str, catalog: Catalog) -> None:
    """A committed export is what is generated from the catalog now."""
    path, text = EXPORTS[name]
    stale = f"{path} is stale; `runoutcome catalog --format {name} > {path}` renews it"
    assert ROOT.joinpath(path).read_bytes() == text(catalog).encode(), stale


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_plain_text(name: str, catalog: Catalog) -> None:
    """An export is ASCII with one line end at its end, so that every tool and every system reads the same."""
    text = EXPORTS[name].text(catalog)
    assert text.isascii()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\r" not in text


# --- CSV -----------------------------------------------------------------------------------------------------------


def entry_of(cells: dict[str, str]) -> Entry:
    """The entry that a line of the CSV was made from."""
    row: dict[str, Any] = {key: value if value != "" else None for key, value in cells.items() if key != "id"}
    for key in ("status_code", "retryable", "documented", "inferred", "contested", "alternatives", "evidence"):
        row[key] = json.loads(row[key]) if row[key] is not None else None
    row["alternatives"] = tuple(Alternative(**view) for view in row["alternatives"])
    row["evidence"] = tuple(row["evidence"])
    row["deprecated"] = Deprecation(**json.loads(row["deprecated"])) if row["deprecated"] else None
    return Entry(**row)


def test_the_csv_is_read_back_as_the_entries(catalog: Catalog) -> None:
    """The lines of the CSV, read with the standard library, are the entries of the catalog."""
    lines = list(csv.DictReader(io.StringIO(EXPORTS["csv"].text(catalog), newline="")))
    assert tuple(map(entry_of, lines)) == catalog.entries
    assert [line["id"] for line in lines] == [entry.id for entry in catalog.entries]


def test_hard_words_survive_the_csv(catalog: Catalog) -> None:
    """Commas, quotes, line ends and a deprecation come back as they were."""
    hard = replace(
        catalog.entries[0],
        cause='A "word", and\nanother.',
        alternatives=(Alternative("a, b", "BadRequestError", False),),
        deprecated=Deprecation("1.2.0", "gone", "response/error.code/x"),
    )
    text = EXPORTS["csv"].text(replace(catalog, entries=(hard,)))
    assert [entry_of(line) for line in csv.DictReader(io.StringIO(text, newline=""))] == [hard]


# --- Statuses, by which other languages map -----------------------------------------------------------------------


WITHOUT_STATUS = {None, "APIError", "ContentFilterFinishReasonError"}
"""The classes that stand for no HTTP status, and no class."""


def statuses_in(name: str, catalog: Catalog) -> dict[str, tuple[str | None, int | None]]:
    """Class and HTTP status of each literal row in an export, by the id of the row."""
    text = EXPORTS[name].text(catalog)
    if name == "csv":
        rows: list[dict[str, Any]] = [asdict(entry_of(line)) for line in csv.DictReader(io.StringIO(text, newline=""))]
    else:
        rows = [json.loads(line.rstrip(",")) for line in text.splitlines() if line.startswith('  {"surface": ')]
    literal = [row for row in rows if row["match"] == "literal"]
    return {
        f"{row['surface']}/{row['field']}/{row['value']}": (row["error_class"], row["status_code"]) for row in literal
    }


@pytest.mark.parametrize("name", ["csv", "typescript"])
def test_a_class_has_a_status(name: str, catalog: Catalog) -> None:
    """Every row whose class of the SDK stands for an HTTP status has it, so that other languages can map by it."""
    statuses = statuses_in(name, catalog)
    assert statuses == {row.id: (row.error_class, row.status_code) for row in catalog.entries if row.match == "literal"}
    assert {cls for cls, status in statuses.values() if status is None} <= WITHOUT_STATUS
    assert not any(status for cls, status in statuses.values() if cls == "APIError")


def test_the_overlay_has_the_statuses(overlay: dict[str, Any], catalog: Catalog) -> None:
    """The overlay gives the HTTP status of every value that has a class."""
    updates = [action["update"]["x-runoutcome"] for action in overlay["actions"] if "x-retryable" in action["update"]]
    rows = [meaning for update in updates for meaning in update.values()]
    assert rows
    assert {row["error_class"] for row in rows if row["status_code"] is None} <= WITHOUT_STATUS


# --- OpenAPI overlay -----------------------------------------------------------------------------------------------

TARGET = re.compile(r"\$(\.\.?[A-Za-z_]+|\.?\.?\['[^']+'\]|\[\*\])+")
STEP = re.compile(r"(?P<deep>\.\.)?(?:\.?\['(?P<quoted>[^']+)'\]|\.?(?P<plain>[A-Za-z_]+)|(?P<all>\[\*\]))")


def selected(document: Any, target: str) -> list[Any]:
    """What the JSONPath `target` selects: names, in dots or brackets, `[*]` and `..`."""
    nodes = [document]
    for step in STEP.finditer(target[1:]):
        if step["all"]:
            nodes = [item for node in nodes if isinstance(node, list) for item in node]
            continue
        name = step["quoted"] or step["plain"]
        places = [deep for node in nodes for deep in descendants(node)] if step["deep"] else nodes
        nodes = [place[name] for place in places if isinstance(place, dict) and name in place]
    return nodes


def descendants(node: Any) -> list[Any]:
    """The node and everything in it."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [node, *(deep for each in inner for deep in descendants(each))]


def merge(target: dict[str, Any], update: dict[str, Any]) -> None:
    """Merge as the overlay specification says: objects into objects, lists are appended, the rest is replaced."""
    for key, value in update.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        elif isinstance(value, list) and isinstance(target.get(key), list):
            target[key].extend(value)
        else:
            target[key] = deepcopy(value)


def applied(document: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """The document with the actions of the overlay applied, one after the other."""
    document = deepcopy(document)
    for action in overlay["actions"]:
        for node in selected(document, action["target"]):
            merge(node, action["update"])
    return document


@pytest.fixture
def overlay(catalog: Catalog) -> dict[str, Any]:
    """The overlay document."""
    return json.loads(EXPORTS["openapi-overlay"].text(catalog))


def error(**properties: Any) -> dict[str, Any]:
    """The schema of an error that may be null."""
    words = {"code": {"type": "string"}, "message": {"type": "string"}, **properties}
    return {"anyOf": [{"type": "object", "properties": words}, {"type": "null"}]}


@pytest.fixture
def document(overlay: dict[str, Any]) -> dict[str, Any]:
    """A small OpenAPI document with the provider's ways to write a schema, and the overlay applied to it."""

    def body(**properties: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"status": {"type": "string"}, **properties}}

    reason = {"anyOf": [{"type": "object", "properties": {"reason": {"type": "string"}}}, {"type": "null"}]}
    details = {"error": {"type": "object", "properties": {"type": {"type": "string"}, "code": {"type": "string"}}}}
    schemas = {
        "Response": {
            "allOf": [
                {"type": "object", "properties": {"model": {"type": "string"}}},
                body(error={"$ref": "#/components/schemas/ResponseError"}, incomplete_details=reason),
            ]
        },
        "ResponseError": error(code={"$ref": "#/components/schemas/ResponseErrorCode"}),
        "ResponseErrorCode": {"type": "string", "enum": ["server_error", "rate_limit_exceeded"]},
        "FineTuningJob": body(error=error()),
        "VectorStoreFileObject": body(last_error=error()),
        "RealtimeResponse": body(status_details={"type": "object", "properties": details}),
        "Unrelated": body(error=error()),
    }
    return applied({"openapi": "3.1.0", "components": {"schemas": schemas}}, overlay)


def test_the_overlay_is_an_overlay(overlay: dict[str, Any], catalog: Catalog) -> None:
    """The document has what the Overlay Specification 1.0.0 asks for, and nothing that it does not know."""
    assert overlay.keys() == {"overlay", "info", "actions"}
    assert re.fullmatch(r"1\.0\.\d+", overlay["overlay"])
    assert overlay["info"].keys() == {"title", "version"}
    assert overlay["info"]["version"] == catalog.version
    assert overlay["actions"]
    for action in overlay["actions"]:
        assert action.keys() == {"target", "description", "update"}
        assert TARGET.fullmatch(action["target"])
        assert isinstance(action["update"], dict)
    targets = [action["target"] for action in overlay["actions"]]
    assert len(set(targets)) == len(targets)


def test_only_extensions_are_added(overlay: dict[str, Any]) -> None:
    """The overlay of meanings adds keys that begin with `x-`, and nothing else."""
    assert {key[:2] for action in overlay["actions"] for key in action["update"]} == {"x-"}


def test_the_second_overlay_adds_the_field(catalog: Catalog) -> None:
    """The overlay of the field adds the optional `outcome` to errors, with our types and actions, and nothing else."""
    actions = json.loads(EXPORTS["openapi-overlay-field"].text(catalog))["actions"]
    assert "$.components.schemas['ResponseError'].anyOf[*].properties" in [action["target"] for action in actions]
    for action in actions:
        assert action["update"].keys() == {"outcome"}
        properties = action["update"]["outcome"]["properties"]
        assert properties["type"]["enum"] == list(ERROR_TYPES)
        assert properties.keys() == field_of(classify({"status": "failed"})).keys()


def test_every_code_says_what_it_amounts_to(document: dict[str, Any], catalog: Catalog) -> None:
    """The schema of a code says of every value of the catalog its class, its type, and what may be done."""
    codes = document["components"]["schemas"]["ResponseErrorCode"]
    rows = [row for row in catalog.entries if (row.surface, row.field) == ("response", "error.code") and row.value]
    assert codes["enum"] == ["server_error", "rate_limit_exceeded"]
    assert codes["x-retryable"] == [row.value for row in rows if row.retryable]
    said = ("error_type", "error_class", "status_code", "retryable", "action")
    for row in rows:
        assert {key: codes["x-runoutcome"][row.value][key] for key in said} == {key: getattr(row, key) for key in said}
    (inline,) = selected(document, "$.components.schemas['VectorStoreFileObject']..properties['code']")
    assert inline["x-runoutcome"]["invalid_file"]["error_type"] == "bad_request_error"
    (reason,) = selected(document, "$.components.schemas['Response']..properties['reason']")
    assert reason["x-runoutcome"]["content_filter"]["error_class"] == "ContentFilterFinishReasonError"


def test_a_body_says_what_its_statuses_mean(document: dict[str, Any], catalog: Catalog) -> None:
    """The schema of a body names its surface, and the phase of every status."""
    for place in catalog.surfaces.values():
        schema = document["components"]["schemas"].get(place.openapi_schema)
        if schema is None:
            continue
        told = schema["x-runoutcome"]
        assert (told["surface"], told["catalog_version"]) == (place.name, catalog.version)
        assert told["statuses"].keys() == place.pending | place.terminal
        assert {status for status, row in told["statuses"].items() if row["ok"]} == place.completed
        assert {status for status, row in told["statuses"].items() if row["phase"] == "pending"} == place.pending


def test_other_schemas_stay(document: dict[str, Any]) -> None:
    """A schema that is no surface's is not touched."""
    assert document["components"]["schemas"]["Unrelated"]["properties"]["error"] == error()


# --- TypeScript ----------------------------------------------------------------------------------------------------


def constant(text: str, name: str) -> Any:
    """The value of an exported constant of the TypeScript module: its literals are JSON but for the last comma."""
    literal = re.search(rf"export const {name} = (.*?)(?: as const satisfies [^\n]*)?;\n", text, re.DOTALL)
    assert literal is not None
    return json.loads(re.sub(r",\n(?=[]}])", "\n", literal[1]))


def test_the_typescript_module_holds_the_data(catalog: Catalog) -> None:
    """The constants of the TypeScript module are the tables of the catalog."""
    text = EXPORTS["typescript"].text(catalog)
    assert constant(text, "CATALOG_VERSION") == catalog.version
    assert constant(text, "ERROR_TYPES") == {name: asdict(kind) for name, kind in catalog.error_types.items()}
    assert constant(text, "UPSTREAM_ERROR_TYPES") == dict(catalog.upstream_error_types)
    assert constant(text, "RETRYABLE_STATUSES") == sorted(catalog.retryable_statuses)
    assert {int(code): kind for code, kind in constant(text, "HTTP_STATUSES").items()} == dict(catalog.http_statuses)
    for name, rows in (("ENTRIES", catalog.entries), ("RULES", catalog.rules)):
        shown = constant(text, name)
        assert [json.loads(json.dumps({key: getattr(row, key) for key in shown[0]})) for row in rows] == shown
    surfaces = constant(text, "SURFACES")
    assert list(surfaces) == list(catalog.surfaces)
    for name, place in catalog.surfaces.items():
        assert surfaces[name].keys() == {spec.name for spec in fields(place)} - {"name"}
        assert surfaces[name]["decided_by"] == dict(place.decided_by)
        assert set(surfaces[name]["pending"]) == place.pending


def test_every_code_has_a_literal_type(catalog: Catalog) -> None:
    """A surface's codes are a union of literals, and `never` where it has none of its own."""
    text = EXPORTS["typescript"].text(catalog)
    codes = text[text.index("export interface Codes") : text.index("export type Code<")]
    assert re.search(r'"batch.output_row": "batch_expired" \| "batch_cancelled";', codes)
    assert re.search(r'"vector_store.file_batch": never;', codes)
    for entry in catalog.entries:
        if entry.field.endswith(".code") and entry.value:
            (line,) = re.findall(rf'"{re.escape(entry.surface)}": (.*);', codes)
            assert f'"{entry.value}"' in line.split(" | ")
