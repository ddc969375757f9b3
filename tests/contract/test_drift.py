"""The catalog against what the installed SDK names, and what is told where it does not know something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from runoutcome import Catalog
from runoutcome._catalog.rows import Surface
from runoutcome._outcome.body import read_failure
from runoutcome._sdk import SDK_VERSION
from runoutcome.contract import Finding, Shape, Vocabulary, drift
from runoutcome.contract._drift import FIELDS, OBJECTS, READ, find
from runoutcome.contract._models import sdk_vocabulary

FILE = "src/runoutcome/data/catalog.json"
# Where each SDK line has a closed list of values, so that a new one can be seen at all.
WATCHED = {
    ("response", "status"): ("queued", "in_progress", "completed", "failed", "incomplete", "cancelled"),
    ("response", "error.code"): ("server_error", "rate_limit_exceeded", "image_file_not_found"),
    ("response", "incomplete_details.reason"): ("max_output_tokens", "content_filter"),
    ("batch", "status"): ("validating", "finalizing", "expired"),
    ("fine_tuning.job", "status"): ("validating_files", "succeeded"),
    ("vector_store.file", "status"): ("in_progress", "failed"),
    ("vector_store.file", "last_error.code"): ("unsupported_file", "invalid_file"),
    ("vector_store.file_batch", "status"): ("in_progress", "failed"),
    ("realtime.response", "status"): ("in_progress", "incomplete"),
    ("realtime.response", "status_details.reason"): ("turn_detected", "content_filter"),
    ("thread.run", "status"): ("requires_action", "expired"),
    ("thread.run", "last_error.code"): ("server_error", "invalid_prompt"),
    ("thread.run", "incomplete_details.reason"): ("max_prompt_tokens",),
}


@pytest.fixture(scope="module")
def sdk() -> Vocabulary:
    """What the installed SDK names; made when it is needed, for that loads each of its models."""
    return sdk_vocabulary(Catalog.load())


@dataclass(frozen=True)
class Named:
    """A type that names these texts and fields."""

    named: frozenset[str] = frozenset()
    parts: Mapping[str, Shape] = field(default_factory=dict)

    def texts(self) -> frozenset[str]:
        """Its texts."""
        return self.named

    def fields(self) -> Mapping[str, Shape]:
        """Its fields."""
        return self.parts


def texts(*values: str) -> Named:
    """A type that is one of these texts."""
    return Named(frozenset(values))


def body(**fields: Shape) -> Named:
    """A type with these fields."""
    return Named(parts=fields)


# What a response has to have beside its status, of any text.
KNOWN = {"error": body(code=Named()), "incomplete_details": body(reason=Named())}


def adding(shape: Shape, path: str, *values: str) -> Shape:
    """`shape` with these values, or with a field of any text, at the end of a dotted path."""
    first, _, rest = path.partition(".")
    if not path:
        return Named(shape.texts() | set(values), shape.fields())
    inner = adding(shape.fields().get(first, Named()), rest, *values)
    return Named(shape.texts(), {**shape.fields(), first: inner})


def told(catalog: Catalog, surface: str, shape: Shape) -> list[Finding]:
    """What is told when the bodies of one surface are of this type."""
    return drift(catalog, Vocabulary("openai 9.9.9", {surface: shape}))


def summary(findings: Iterable[Finding]) -> list[tuple[str, str | None, str | None, str]]:
    """Where and what, without the words."""
    return [(one.surface, one.field, one.value, one.kind) for one in findings]


def test_the_catalog_covers_the_installed_sdk(catalog: Catalog, sdk: Vocabulary) -> None:
    """The installed SDK names nothing that the catalog does not know."""
    assert drift(catalog, sdk) == []


@pytest.mark.parametrize(("surface", "path"), WATCHED)
def test_a_new_value_is_told_with_what_to_do(catalog: Catalog, surface: str, path: str, sdk: Vocabulary) -> None:
    """The SDK's types are where the alarm looks, and a value without a row is told with the field and the file."""
    shape = find(sdk.bodies[surface], path)
    assert shape is not None
    assert shape.texts() >= set(WATCHED[surface, path])
    (finding,) = told(catalog, surface, adding(sdk.bodies[surface], path, "invented_value"))
    assert summary([finding]) == [(surface, path, "invented_value", "value")]
    assert all(part in finding.fix for part in (FILE, path, "'invented_value'"))
    assert "openai 9.9.9" in finding.message


def test_a_new_status_has_to_be_listed_too(catalog: Catalog) -> None:
    """For a new status a row is not enough: the surface has to say whether it is pending or terminal."""
    (finding,) = told(catalog, "response", body(status=texts("paused"), **KNOWN))
    assert "add an entry" in finding.fix
    assert "list it as pending or terminal" in finding.fix


def test_a_status_with_a_row_has_to_be_listed_too(catalog: Catalog) -> None:
    """A status that has a row, and that the surface does not list, is told."""
    surface = catalog.surfaces["response"]
    narrow = replace(surface, terminal=surface.terminal - {"expired"})
    changed = replace(catalog, surfaces={**catalog.surfaces, "response": narrow})
    (finding,) = told(changed, "response", body(status=texts("expired"), **KNOWN))
    assert finding.fix == f"{FILE}: list it as pending or terminal of the surface"


def test_a_row_for_another_field_does_not_cover(catalog: Catalog) -> None:
    """A value is covered only by a row of its own field."""
    (finding,) = told(catalog, "response", body(status=texts("server_error"), **KNOWN))
    assert summary([finding]) == [("response", "status", "server_error", "value")]


def test_a_code_of_response_covers_every_surface(catalog: Catalog) -> None:
    """A code that has a row on `response` is known on every surface, as in the lookup; a reason is not."""
    codes = body(status=Named(), last_error=body(code=texts("bio_policy")), incomplete_details=body(reason=Named()))
    reasons = body(status=Named(), last_error=body(code=Named()), incomplete_details=body(reason=texts("bio_policy")))
    assert told(catalog, "thread.run", codes) == []
    assert [one.value for one in told(catalog, "thread.run", reasons)] == ["bio_policy"]


def test_open_text_is_no_finding(catalog: Catalog) -> None:
    """A field that may hold any text says nothing, and rows that no SDK names are fine."""
    assert told(catalog, "response", body(status=Named(), **KNOWN)) == []


@pytest.mark.parametrize("path", ["error.reason_code", "incomplete_details.model", "last_error", "errors", "failure"])
def test_a_new_failure_field_is_told(catalog: Catalog, path: str, sdk: Vocabulary) -> None:
    """A field that speaks of a failure, or is new beside a code or reason, is told if nothing reads it."""
    (finding,) = told(catalog, "response", adding(sdk.bodies["response"], path))
    assert summary([finding]) == [("response", path, None, "field")]
    assert "contract/_drift.py" in finding.fix


@pytest.mark.parametrize("path", ["failed_at", "reasoning", "terrors", "usage.error", "error.param", "error.headers"])
def test_other_new_fields_are_not_told(catalog: Catalog, path: str, sdk: Vocabulary) -> None:
    """A time, a word that only looks like a failure, a field elsewhere, and what is read are not told."""
    assert told(catalog, "response", adding(sdk.bodies["response"], path)) == []


def test_fields_on_the_way_to_a_code_are_looked_at(catalog: Catalog, sdk: Vocabulary) -> None:
    """Every object on the way to a code is looked at, also inside lists."""
    shape = adding(adding(sdk.bodies["batch"], "errors.cause"), "errors.data.hint")
    assert [one.field for one in told(catalog, "batch", shape)] == ["errors.cause", "errors.data.hint"]


def test_a_path_that_is_gone_is_told(catalog: Catalog) -> None:
    """Where the source has no field any more that the catalog looks into, that is told: nothing is watched there."""
    shape = body(status=Named(), error=body(code=Named()))
    assert summary(told(catalog, "response", shape)) == [("response", "incomplete_details.reason", None, "lost")]


def test_another_name_of_the_object_is_told(catalog: Catalog, sdk: Vocabulary) -> None:
    """Bodies that call themselves something by which they are not found are told; aliases are known."""
    shape = adding(sdk.bodies["vector_store.file_batch"], "object", "vector_store.file_batch", "files.batch")
    (finding,) = told(catalog, "vector_store.file_batch", shape)
    assert summary([finding]) == [("vector_store.file_batch", "object", "files.batch", "value")]
    assert "aliases" in finding.fix


@pytest.mark.parametrize("status", ["failed", "errored", "expired"])
def test_a_new_failing_surface_is_told_once(catalog: Catalog, status: str) -> None:
    """A body with a name and a bad status that no surface covers is told, once for all types of that name."""
    shape = body(object=texts("report"), status=texts("done", status))
    findings = drift(catalog, Vocabulary("openai 9.9.9", {}, others={"a.Report": shape, "a.ReportTwin": shape}))
    assert summary(findings) == [("report", "status", None, "surface")]
    assert "a.Report of openai 9.9.9" in findings[0].message


@pytest.mark.parametrize(
    "shape",
    [
        body(object=texts("report"), status=texts("done")),
        body(object=texts("report"), status=Named()),
        body(type=texts("report_call"), status=texts("failed")),
        body(object=texts("response"), status=texts("failed")),
        body(object=texts("vector_store.file_batch"), status=texts("failed")),
        body(object=texts("upload"), status=texts("expired")),
    ],
    ids=["only good", "open text", "an item", "a surface", "an alias", "left out"],
)
def test_what_cannot_fail_or_is_known_is_no_new_surface(catalog: Catalog, shape: Shape) -> None:
    """Bodies without a bad status, items of other bodies, surfaces, and what is left out on purpose are not told."""
    assert drift(catalog, Vocabulary("openai 9.9.9", {}, others={"a.Report": shape})) == []


def test_a_model_that_is_gone_is_told(catalog: Catalog) -> None:
    """A surface whose type the source should have, and has not, is told with the name that leads nowhere."""
    findings = drift(catalog, Vocabulary("openai 9.9.9", {}, lost={"batch": "openai.types.Batch"}))
    assert summary(findings) == [("batch", None, "openai.types.Batch", "lost")]


def test_a_finding_is_json() -> None:
    """A finding has six fields as JSON."""
    finding = Finding("batch", "status", "new", "value", "message", "fix")
    assert list(finding.to_dict()) == ["surface", "field", "value", "kind", "message", "fix"]


@pytest.mark.parametrize(
    ("path", "since", "legacy", "where"),
    [
        ("openai.types.Nothing", "1.66.0", False, "lost"),
        ("openai.nothing.Batch", "1.66.0", False, "lost"),
        ("openai.types.Nothing", None, False, "lost"),
        ("openai.types.Nothing", "1.66.0", True, "skipped"),
        ("openai.types.Nothing", "99.0.0", False, "skipped"),
        (None, "1.66.0", False, "skipped"),
        ("openai.types.Batch", "1.66.0", False, "bodies"),
    ],
)
def test_a_model_may_be_missing_where_it_is_legacy_or_newer(
    catalog: Catalog, path: str | None, since: str | None, legacy: bool, where: str
) -> None:
    """A model that is gone is told, unless the surface is legacy, has none, or is newer than this release."""
    surface = Surface("new", "new", "status", frozenset(), frozenset({"failed"}), {}, legacy=legacy, sdk_model=path)
    row = replace(catalog.entries[0], surface="new", sdk_since=since)
    changed = replace(catalog, surfaces={"new": surface}, entries=(row,))
    vocabulary = sdk_vocabulary(changed)
    assert [name for name in ("lost", "skipped", "bodies") if "new" in getattr(vocabulary, name)] == [where]


class Anything(dict[str, Any]):
    """An error object that has every field, and notes which were asked for."""

    asked: set[str]

    def get(self, name: Any, default: Any = None) -> Any:
        """Nothing, and a note of the name."""
        self.asked.add(name)
        return default


def test_what_counts_as_read_is_read() -> None:
    """The fields of an error object that count as read are those that the reader asks for, and those of a delay."""
    error = Anything()
    error.asked = set()
    read_failure(error)
    assert error.asked | {"headers", "resets_in_seconds"} == READ


@pytest.mark.skipif(int(SDK_VERSION.partition(".")[0]) < 3, reason="older lines do not have them all")
def test_what_is_left_out_is_there(sdk: Vocabulary) -> None:
    """Each field and object that is left out on purpose is one that the newest SDK line names."""
    objects = {
        name
        for shape in sdk.others.values()
        if (called := find(shape, "object")) and find(shape, "status")
        for name in called.texts()
    }
    assert objects >= OBJECTS.keys()
    assert all(any(find(shape, path) for shape in sdk.bodies.values()) for path in FIELDS)
