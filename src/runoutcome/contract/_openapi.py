"""Reads the types of an OpenAPI document, in JSON or YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from .._catalog.catalog import Catalog
from ._published import ContractError
from ._shape import Shape, Vocabulary

_VARIANTS = ("allOf", "anyOf", "oneOf")


@dataclass(frozen=True)
class SchemaShape:
    """The type that these schemas of one document have in common."""

    document: Mapping[str, Any] = field(repr=False)
    schemas: tuple[Any, ...]

    def texts(self) -> frozenset[str]:
        """The texts of every `enum` and `const`, in any variant."""
        found = [text for part in self._parts() for text in (*_list(part, "enum"), part.get("const"))]
        return frozenset(text for text in found if isinstance(text, str))

    def fields(self) -> Mapping[str, Shape]:
        """The `properties` of every variant."""
        found: dict[str, tuple[Any, ...]] = {}
        for part in self._parts():
            properties = part.get("properties")
            for name, schema in properties.items() if isinstance(properties, dict) else ():
                found[name] = (*found.get(name, ()), schema)
        return {name: SchemaShape(self.document, schemas) for name, schemas in found.items()}

    def _parts(self) -> Iterator[dict[str, Any]]:
        """These schemas, and every one they refer to, combine, or have as their items."""
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
    """What a `$ref` within the document leads to. Raises ContractError where it leads nowhere."""
    place = document
    for step in reference.removeprefix("#/").split("/"):
        place = place.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
    if place is None:
        raise ContractError(f"$ref {reference!r} leads nowhere in the OpenAPI document")
    return place


def openapi_vocabulary(catalog: Catalog, path: Path) -> Vocabulary:
    """What the OpenAPI document in this file names. Raises ContractError."""
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
    return Vocabulary(path.name, bodies, skipped=skipped, others=others)


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
