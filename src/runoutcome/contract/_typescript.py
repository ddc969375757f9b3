"""The catalog as a TypeScript module: its data, and the literal types of its words. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.rows import ACTIONS, Entry, Rule, Surface

_DECIDING = ("surface", "field", "match", "value", "error_class", "status_code", "error_type", "retryable", "action")
_WORDS = ("title", "cause", "remedy")
_TYPES = """\
export type Match = "literal" | "null" | "unknown" | "http_status";

/** One row: what one value of one field of one surface means. */
export interface Entry {
  readonly surface: Surface;
  readonly field: string;
  readonly match: Match;
  readonly value: string | null;
  /** Name of a class of the `openai` package; null where it has none. */
  readonly error_class: ErrorClass | null;
  readonly status_code: number | null;
  readonly error_type: ErrorType | null;
  /** An identical new run may succeed. */
  readonly retryable: boolean;
  readonly action: Action;
  readonly title: string;
  readonly cause: string;
  readonly remedy: string;
}

/** A refinement by message: `pattern` is searched in the message in lower case. */
export interface Rule {
  readonly id: string;
  readonly surface: Surface;
  /** A code, null (no code) or `*` (any). */
  readonly code: string | null;
  readonly pattern: string;
  /** Every message that the pattern is found in has one of these. */
  readonly words: readonly string[];
  readonly retryable: boolean;
  readonly action: Action;
  readonly title: string;
  readonly cause: string;
  readonly remedy: string;
  readonly since: string;
  readonly evidence: readonly string[];
}

/** One kind of body: where its status is, and what its statuses mean. */
export interface SurfaceRow {
  readonly object: string | null;
  readonly aliases: readonly string[];
  readonly status_field: string;
  readonly pending: readonly string[];
  readonly terminal: readonly string[];
  readonly completed: readonly string[];
  /** Status to the field whose value decides. */
  readonly decided_by: Readonly<Record<string, string>>;
  readonly failure_field: string;
  readonly output_field: string | null;
  readonly counts_field: string | null;
  readonly legacy: boolean;
  readonly sdk_model: string | null;
  readonly openapi_schema: string | null;
}

/** What an error type amounts to. */
export interface TypeRow {
  readonly error_class: ErrorClass | null;
  readonly status_code: number | null;
}
"""


def typescript_text(catalog: Catalog) -> str:
    """Return the module: all of the catalog that decides, and the words for it."""
    return "\n".join(_parts(catalog))


def _parts(catalog: Catalog) -> Iterator[str]:
    classes = [kind.error_class for kind in catalog.error_types.values() if kind.error_class]
    yield f"// Catalog {catalog.version}. Generated: `runoutcome catalog --format typescript` writes it.\n"
    yield f"export const CATALOG_VERSION = {json.dumps(catalog.version)};\n"
    yield _union("Surface", catalog.surfaces)
    yield _union("ErrorType", catalog.error_types)
    yield _union("ErrorClass", dict.fromkeys((*classes, *(row.error_class for row in catalog.entries))))
    yield _union("Action", ACTIONS)
    yield _words_of(catalog, "Code", "Codes", ".code")
    yield _words_of(catalog, "Reason", "Reasons", ".reason")
    yield _words_of(catalog, "Status", "Statuses", "status")
    yield _TYPES
    surfaces = {name: surface_data(surface) for name, surface in catalog.surfaces.items()}
    yield _table("SURFACES", "Readonly<Record<Surface, SurfaceRow>>", surfaces)
    types = {name: asdict(kind) for name, kind in catalog.error_types.items()}
    yield _table("ERROR_TYPES", "Readonly<Record<ErrorType, TypeRow>>", types)
    yield _table("HTTP_STATUSES", "Readonly<Record<number, ErrorType>>", catalog.http_statuses)
    statuses = ", ".join(map(str, sorted(catalog.retryable_statuses)))
    yield f"export const RETRYABLE_STATUSES = [{statuses}] as const satisfies readonly number[];\n"
    yield _table("UPSTREAM_ERROR_TYPES", "Readonly<Record<string, ErrorType>>", catalog.upstream_error_types)
    yield _list("ACTIONS", "readonly Action[]", ACTIONS)
    yield _list("ENTRIES", "readonly Entry[]", (_part(entry, (*_DECIDING, *_WORDS)) for entry in catalog.entries))
    names = tuple(spec.name for spec in fields(Rule) if spec.name != "overlay")
    yield _list("RULES", "readonly Rule[]", (_part(rule, names) for rule in catalog.rules))


def _union(name: str, words: Iterable[str | None]) -> str:
    lines = (f"\n  | {json.dumps(word)}" for word in words if word is not None)
    return f"export type {name} ={''.join(lines)};\n"


def _words_of(catalog: Catalog, one: str, many: str, field: str) -> str:
    """Return an interface from each surface to the union of its words, and the type that looks one up."""
    lines: list[str] = []
    for surface in catalog.surfaces:
        rows = (row for row in catalog.entries if row.surface == surface and row.match == "literal")
        words = " | ".join(dict.fromkeys(json.dumps(row.value) for row in rows if row.field.endswith(field)))
        lines.append(f"  readonly {json.dumps(surface)}: {words or 'never'};\n")
    return (
        f"/** The {many.lower()} that each surface has rows for. */\nexport interface {many} {{\n{''.join(lines)}}}\n"
        f"export type {one}<S extends Surface = Surface> = {many}[S];\n"
    )


def surface_data(surface: Surface) -> dict[str, Any]:
    """Return a surface as plain data, without its name."""
    row = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(surface).items()}
    return {name: value for name, value in row.items() if name != "name"}


def _part(row: Entry | Rule, names: Iterable[str]) -> Mapping[str, Any]:
    return {name: getattr(row, name) for name in names}


def _table(name: str, kind: str, rows: Mapping[Any, Any]) -> str:
    lines = "".join(f"  {json.dumps(str(key))}: {json.dumps(value)},\n" for key, value in rows.items())
    return f"export const {name} = {{\n{lines}}} as const satisfies {kind};\n"


def _list(name: str, kind: str, rows: Iterable[Any]) -> str:
    lines = "".join(f"  {json.dumps(row)},\n" for row in rows)
    return f"export const {name} = [\n{lines}] as const satisfies {kind};\n"
