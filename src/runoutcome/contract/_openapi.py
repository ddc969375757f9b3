"""Reads the vocabulary of an OpenAPI document, in JSON or YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from .._catalog.catalog import Catalog
from ._drift import Finding, Shape, Vocabulary
from ._overlay_check import overlay_findings
from ._published import ContractError

_VARIANTS = ("allOf", "anyOf", "oneOf")


@dataclass(frozen=True)
class SchemaShape:
    """The type that these schemas of one document have in common."""

    document: Mapping[str, Any] = field(repr=False)
    schemas: tuple[Any, ...]

    def texts(self) -> frozenset[str]:
        """Return the texts of every `enum` and `const`, in any variant."""
        values = (value for part in self._parts() for value in (*_list(part, "enum"), part.get("const")))
        return frozenset(value for value in values if isinstance(value, str))

    def fields(self) -> Mapping[str, Shape]:
        """Return the `properties` of every variant."""
        fields: dict[str, tuple[Any, ...]] = {}
        for part in self._parts():
            properties = part.get("properties")
            for name, schema in properties.items() if isinstance(properties, dict) else ():
                fields[name] = (*fields.get(name, ()), schema)
        return {name: SchemaShape(self.document, schemas) for name, schemas in fields.items()}

    def _parts(self) -> Iterator[dict[str, Any]]:
        """Yield these schemas, and every one they refer to, combine, or have as their items."""
        waiting, followed = list(self.schemas), set[str]()
        while waiting:
            schema = waiting.pop(0)
            if not isinstance(schema, dict):
                continue
            yield schema
            waiting += [variant for keyword in _VARIANTS for variant in _list(schema, keyword)]
            waiting.append(schema.get("items"))
            reference = schema.get("$ref")
            if isinstance(reference, str) and reference not in followed:  # a schema may refer to itself
                followed.add(reference)
                waiting.append(_target(self.document, reference))


def _list(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _target(document: Any, reference: str) -> Any:
    """Return the target of a `$ref` within the document. Raises ContractError if there is none."""
    target = document
    for step in reference.removeprefix("#/").split("/"):
        target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
    if target is None:
        raise ContractError(f"$ref {reference!r} leads nowhere in the OpenAPI document")
    return target


def openapi_vocabulary(catalog: Catalog, path: Path) -> tuple[Vocabulary, list[Finding]]:
    """Return the vocabulary of the OpenAPI document in this file, and where the overlays do not fit it.

    Raises ContractError.
    """
    document = _read(path)
    components = document.get("components") if isinstance(document, dict) else None
    schemas = components.get("schemas") if isinstance(components, dict) else None
    if not isinstance(schemas, dict):
        raise ContractError(f"{path} has no components.schemas; an OpenAPI document in YAML or JSON was expected")
    bodies: dict[str, Shape] = {}
    skipped: dict[str, str] = {}
    for name, surface in catalog.surfaces.items():
        if surface.openapi_schema in schemas:
            bodies[name] = SchemaShape(document, (schemas[surface.openapi_schema],))
        else:
            absent = f"has no schema {surface.openapi_schema}" if surface.openapi_schema else "has no schema of it"
            skipped[name] = f"{path.name} {absent}"
    if not bodies:
        raise ContractError(f"{path} has no schema of any surface; OpenAI's own document was expected")
    others = {name: SchemaShape(document, (schema,)) for name, schema in schemas.items()}
    vocabulary = Vocabulary(path.name, bodies, skipped=skipped, others=others)
    return vocabulary, overlay_findings(catalog, bodies, document, path.name)


def _read(path: Path) -> Any:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ContractError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ContractError(f"{path} is no text in UTF-8: {error}") from None
    try:
        return json.loads(text) if text.lstrip().startswith("{") else _read_yaml(text)
    except RecursionError:
        raise ContractError(f"{path} is nested too deeply for an OpenAPI document") from None
    except ValueError as error:
        raise ContractError(f"{path} is neither JSON nor YAML: {' '.join(str(error).split())}") from None


def _read_yaml(text: str) -> Any:
    try:
        yaml = import_module("yaml")
    except ModuleNotFoundError:
        raise ContractError("reading YAML needs PyYAML: pip install pyyaml, or give the document as JSON") from None
    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
