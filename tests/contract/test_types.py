"""Types, read from Python annotations and from JSON schemas into the same shape."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal

import pytest
from openai import BaseModel

from runoutcome import Catalog
from runoutcome.contract import ContractError, drift
from runoutcome.contract._drift import find
from runoutcome.contract._models import ModelShape
from runoutcome.contract._openapi import SchemaShape, openapi_vocabulary

DOCUMENT = Path(__file__).with_name("openapi.yaml")


class Cause(BaseModel):
    code: Literal["one", "two"]


class Detail(BaseModel):
    code: str | Literal["three"] | None = None
    reason: str | None = None


class Body(BaseModel):
    status: Annotated[Literal["queued", "failed"], "not a value"] | None = None
    errors: list[Cause] | None = None
    detail: Cause | Detail | None = None


class Older:
    """A model in the form of pydantic 1."""

    __fields__: ClassVar = {
        "status": SimpleNamespace(annotation=Literal["old"]),
        "detail": SimpleNamespace(annotation=Cause),
    }


@pytest.mark.parametrize(
    ("model", "path", "texts"),
    [
        (Body, "status", {"queued", "failed"}),
        (Body, "errors.code", {"one", "two"}),
        (Body, "detail.code", {"one", "two", "three"}),
        (Body, "detail.reason", set[str]()),
        (Older, "status", {"old"}),
        (Older, "detail.code", {"one", "two"}),
    ],
)
def test_literals_are_found_in_annotations(model: Any, path: str, texts: set[str]) -> None:
    """The texts of a Literal are found through optionals, unions, lists and models, of either pydantic."""
    shape = find(ModelShape((model,)), path)
    assert shape is not None
    assert shape.texts() == texts


@pytest.mark.parametrize("path", ["nothing", "status.code", "detail.nothing", "errors.code.more"])
def test_a_path_may_lead_nowhere(path: str) -> None:
    """A path that the types do not name leads to None."""
    assert find(ModelShape((Body,)), path) is None


def schema(given: object, **schemas: object) -> SchemaShape:
    """The shape of one schema, in a document with the others."""
    return SchemaShape({"components": {"schemas": schemas}}, (given,))


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ({"enum": ["a", "b", None, 1]}, {"a", "b"}),
        ({"const": "a"}, {"a"}),
        ({"anyOf": [{"enum": ["a"]}, {"const": "b"}]}, {"a", "b"}),
        ({"oneOf": [{"allOf": [{"enum": ["a"]}]}, {"type": "null"}]}, {"a"}),
        ({"type": "array", "items": {"enum": ["a"]}}, {"a"}),
        ({"$ref": "#/components/schemas/Word"}, {"word"}),
        ({"$ref": "#/components/schemas/Word", "enum": ["a"]}, {"a", "word"}),
        ({"$ref": "#/components/schemas/Loop"}, {"loop"}),
        ({"type": "string"}, set[str]()),
        (True, set[str]()),
    ],
)
def test_texts_are_found_in_schemas(given: object, texts: set[str]) -> None:
    """The texts of enum and const are found through references, variants and lists, and loops end."""
    loop = {"enum": ["loop"], "anyOf": [{"$ref": "#/components/schemas/Loop"}]}
    assert schema(given, Word={"const": "word"}, Loop=loop).texts() == texts


def test_a_reference_that_leads_nowhere_is_told() -> None:
    """A reference to what the document does not have is an error that names it."""
    with pytest.raises(ContractError, match=re.escape("'#/components/schemas/Gone' leads nowhere")):
        schema({"$ref": "#/components/schemas/Gone"}).texts()


@pytest.fixture
def document() -> dict[str, Any]:
    """The cut-down document."""
    yaml = pytest.importorskip("yaml")
    read: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text("utf-8"))
    return read


def test_yaml_and_json_are_the_same(catalog: Catalog, document: dict[str, Any], tmp_path: Path) -> None:
    """A document gives the same findings in YAML and in JSON: what is new in it, and nothing else."""
    path = tmp_path / "openapi.yaml"
    path.write_text(json.dumps(document), "utf-8")
    findings = drift(catalog, openapi_vocabulary(catalog, path)[0])
    assert drift(catalog, openapi_vocabulary(catalog, DOCUMENT)[0]) == findings
    assert [(one.surface, one.field, one.kind) for one in findings] == [
        ("batch", "errors.data.cause", "field"),
        ("report.job", "status", "surface"),
    ]


def test_a_surface_without_a_schema_is_skipped(catalog: Catalog, document: dict[str, Any], tmp_path: Path) -> None:
    """A surface whose schema the document does not have is skipped, with the name that was looked for."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document), "utf-8")
    vocabulary, _ = openapi_vocabulary(catalog, path)
    assert vocabulary.bodies.keys() == {"response", "batch"}
    assert vocabulary.skipped["thread.run"] == "openapi.json has no schema RunObject"
    assert vocabulary.lost == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "is no text in UTF-8"),
        (b"{", "is neither JSON nor YAML"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b"{}", "has no components.schemas"),
        (b'{"components": {"schemas": []}}', "has no components.schemas"),
        (b'{"components": {"schemas": {"Pet": {}}}}', "has no schema of any surface"),
    ],
)
def test_what_is_no_openapi_document_is_told(
    catalog: Catalog, tmp_path: Path, content: bytes | None, said: str
) -> None:
    """A file that cannot be read, or is no such document, is an error of one line that names it."""
    path = tmp_path / "document"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ContractError, match=re.escape(str(path))) as caught:
        openapi_vocabulary(catalog, path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["a: [", "- no document"])
def test_yaml_that_is_no_document_is_told(catalog: Catalog, tmp_path: Path, content: str) -> None:
    """Broken YAML, and YAML of something else, is an error of one line."""
    pytest.importorskip("yaml")
    path = tmp_path / "document.yaml"
    path.write_text(content, "utf-8")
    with pytest.raises(ContractError, match=re.escape(str(path))) as caught:
        openapi_vocabulary(catalog, path)
    assert "\n" not in str(caught.value)


def test_without_pyyaml_it_is_said_what_to_install(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyYAML a YAML document is an error that says what to install; a JSON document needs none."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ContractError, match="pip install pyyaml"):
        openapi_vocabulary(catalog, DOCUMENT)
