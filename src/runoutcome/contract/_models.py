"""Reads the vocabulary of the installed SDK from the annotations of its models. Loads the SDK."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from .._catalog.catalog import Catalog
from .._catalog.rows import Surface
from .._sdk import SDK_VERSION, sdk_models, sdk_type
from ._drift import Shape, Vocabulary


@dataclass(frozen=True)
class ModelShape:
    """The type that these annotations have in common: one of a field, or those of its variants."""

    annotations: tuple[Any, ...]

    def texts(self) -> frozenset[str]:
        """Return the texts of every Literal, however deep."""
        return frozenset(part for part in self._parts() if isinstance(part, str))

    def fields(self) -> Mapping[str, Shape]:
        """Return the fields of every model, however deep."""
        fields: dict[str, tuple[Any, ...]] = {}
        for part in self._parts():
            for name, annotation in _annotations(part).items():
                fields[name] = (*fields.get(name, ()), annotation)
        return {name: ModelShape(annotations) for name, annotations in fields.items()}

    def _parts(self) -> Iterator[Any]:
        for annotation in self.annotations:
            yield from _parts(annotation)


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the classes and literal values inside `Optional`, `Union`, `List`, `Annotated` and `Literal`."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal or not arguments:
        yield from arguments or (annotation,)
        return
    for argument in arguments[:1] if get_origin(annotation) is Annotated else arguments:
        yield from _parts(argument)


def _annotations(model: Any) -> dict[str, Any]:
    """Return the annotations of a model's fields, from pydantic 2 or pydantic 1; empty for anything but a model."""
    if not isinstance(model, type):
        return {}
    fields: Any = getattr(model, "model_fields", None)
    if fields is None:
        fields = getattr(model, "__fields__", {})
    return {name: field.annotation for name, field in fields.items()}


def sdk_vocabulary(catalog: Catalog) -> Vocabulary:
    """Return the vocabulary of the installed SDK."""
    bodies: dict[str, Shape] = {}
    lost: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name, surface in catalog.surfaces.items():
        model = sdk_type(surface.sdk_model) if surface.sdk_model else None
        if model is not None:
            bodies[name] = ModelShape((model,))
        elif surface.sdk_model is None:
            skipped[name] = "the SDK has no model of it"
        elif surface.legacy or _is_older(SDK_VERSION, catalog, surface):
            skipped[name] = f"openai {SDK_VERSION} has no {surface.sdk_model}"
        else:
            lost[name] = surface.sdk_model
    others = {path: ModelShape((model,)) for path, model in sdk_models()}
    return Vocabulary(f"openai {SDK_VERSION}", bodies, lost, skipped, others)


def _is_older(version: str, catalog: Catalog, surface: Surface) -> bool:
    """Return whether this release came before the first one seen with any of the surface's values."""
    since = [_numbers(row.sdk_since) for row in catalog.entries if row.surface == surface.name and row.sdk_since]
    return bool(since) and _numbers(version) < min(since)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
