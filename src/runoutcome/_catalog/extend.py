"""Makes whole rows of an overlay's keys, checked against the catalog below it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .overlay import Overlay, broken
from .rows import HOME, RESUBMIT_ACTIONS, STATUS, Action, Alternative, Entry, ErrorType, Match, Rule, Surface, TypeRow

Find = Callable[[str, str, Match, str | None], Entry | None]
_REMEDY = "See the documentation of this server."


class Extension:
    """The rows of one overlay, checked against the catalog they go on top of."""

    def __init__(
        self, overlay: Overlay, surfaces: Mapping[str, Surface], error_types: Mapping[str, TypeRow], version: str
    ) -> None:
        self._overlay = overlay
        self._surfaces = surfaces
        self._error_types = error_types
        self._version = version

    def entries(self, find: Find) -> tuple[Entry, ...]:
        """The overlay's entries; what a row does not say it takes from the row it overrides, found by `find`.

        Raises CatalogError if a row says too little, contradicts itself, or is there twice.
        """
        wrong: list[str] = []
        rows: dict[str, Entry] = {}
        for number, row in enumerate(self._overlay.entries):
            where = f"entries[{number}]" + (f" ({row['value']!r})" if "value" in row else "")
            try:
                entry = self._entry(row, find)
            except _RowError as error:
                wrong.append(f"{where}{error}")
                continue
            if entry.id in rows:
                wrong.append(f"{where}: there is an entry for {entry.id} before this one")
            rows[entry.id] = entry
        if wrong:
            raise broken(self._overlay.where, wrong)
        return tuple(rows.values())

    def rules(self) -> tuple[Rule, ...]:
        """The overlay's message rules. Raises CatalogError for one that contradicts itself or is there twice."""
        wrong: list[str] = []
        rows: dict[str, Rule] = {}
        for number, row in enumerate(self._overlay.rules):
            action = row.get("action") or ("resubmit" if row["retryable"] else "none")
            if problem := _contradiction(row["retryable"], action):
                wrong.append(f"rules[{number}].action: {problem}")
            if row["id"] in rows:
                wrong.append(f"rules[{number}].id: there is a rule {row['id']!r} before this one")
            words = {"title": row["id"].replace("-", " ").capitalize(), "cause": self._cause, "remedy": _REMEDY}
            blank = {"surface": HOME, "code": None, "since": self._version, **words}
            values: dict[str, Any] = {**blank, **row, "action": action, "evidence": tuple(row.get("evidence", ()))}
            rows[row["id"]] = Rule(**values, overlay=self._overlay.name)
        if wrong:
            raise broken(self._overlay.where, wrong)
        return tuple(rows.values())

    def surfaces_with_statuses(self) -> Mapping[str, Surface]:
        """The surfaces, with the statuses for which the overlay names a phase."""
        surfaces = dict(self._surfaces)
        for row in self._overlay.entries:
            if phase := row.get("phase"):
                surface = surfaces[row.get("surface", HOME)]
                surfaces[surface.name] = _with_status(surface, row["value"], phase)
        return surfaces

    @property
    def _cause(self) -> str:
        return f"The overlay {self._overlay.name!r} decides so."

    def _entry(self, row: Mapping[str, Any], find: Find) -> Entry:
        surface = row.get("surface", HOME)
        field = row.get("field", self._surfaces[surface].code_field)
        match, value = row.get("match", "literal"), row.get("value")
        base = find(surface, field, match, value)
        if field == STATUS and base is None and "phase" not in row:
            raise _RowError(
                ': a status that the catalog does not have needs phase = "pending", "completed" or "terminal"'
            )
        values = {key: row[key] for key in row if key not in ("surface", "field", "match", "value", "phase")}
        if "evidence" in values:
            values["evidence"] = tuple(values["evidence"])
        if "alternatives" in values:
            values["alternatives"] = tuple(Alternative(**view) for view in values["alternatives"])
        values.update(self._class_of(row, base))
        values.update(_advice(row, base))
        if values.get("contested") and not values.get("alternatives"):
            raise _RowError(".contested: needs alternatives, each with its argument")
        if base is not None:
            return replace(base, **values, overlay=self._overlay.name)
        return Entry(**{**self._blank(surface, field, match, value), **values}, overlay=self._overlay.name)

    def _class_of(self, row: Mapping[str, Any], base: Entry | None) -> dict[str, Any]:
        """Class, status and error type: the type decides, unless the others are given, and they have to agree."""
        if row.get("phase") in ("pending", "completed"):
            return {"error_type": None, "error_class": None, "status_code": None}
        if not {"error_type", "error_class", "status_code"} & set(row):
            if base is None:
                raise _RowError(": needs an error_type, as the catalog has no such entry")
            return {}
        error_type = row["error_type"] if "error_type" in row else self._type_of_class(row, base)
        expected = self._error_types[error_type].error_class if error_type else None
        error_class = row.get("error_class", expected)
        if error_class != expected:
            raise _RowError(f".error_class: {error_class!r} does not go with {error_type!r}, which is {expected!r}")
        same = base is not None and base.error_type == error_type
        status_code = row.get("status_code", base.status_code if base and same else None)
        return {"error_type": error_type, "error_class": error_class, "status_code": status_code}

    def _type_of_class(self, row: Mapping[str, Any], base: Entry | None) -> ErrorType | None:
        if "error_class" not in row:
            if base is None:
                raise _RowError(": needs an error_type, as the catalog has no such entry")
            return base.error_type
        fitting = [name for name, kind in self._error_types.items() if kind.error_class == row["error_class"]]
        if len(fitting) != 1:
            raise _RowError(".error_class: null needs an error_type beside it")
        return fitting[0]  # type: ignore[return-value]  # the keys are error types

    def _blank(self, surface: str, field: str, match: Match, value: str | None) -> dict[str, Any]:
        return {
            "surface": surface,
            "field": field,
            "match": match,
            "value": value,
            "title": (value or "no value").replace("_", " ").capitalize(),
            "cause": self._cause,
            "remedy": _REMEDY,
            "since": self._version,
            "sdk_since": None,
            "documented": False,
            "inferred": False,
            "confidence": "medium",
            "contested": False,
        }


def _with_status(surface: Surface, status: str, phase: str) -> Surface:
    sets: dict[str, frozenset[str]] = {
        "pending": surface.pending,
        "terminal": surface.terminal,
        "completed": surface.completed,
    }
    kept = {name: statuses - {status} for name, statuses in sets.items()}
    for name in ("terminal", "completed") if phase == "completed" else (phase,):
        kept[name] |= {status}
    return replace(surface, pending=kept["pending"], terminal=kept["terminal"], completed=kept["completed"])


class _RowError(Exception):
    """Fault of a row: the key, a colon, and the rest."""


def _advice(row: Mapping[str, Any], base: Entry | None) -> dict[str, Any]:
    """`retryable` and `action`, which have to agree; one follows from the other where only one is given."""
    if row.get("phase") in ("pending", "completed"):
        return {"retryable": False, "action": "wait" if row["phase"] == "pending" else "none"}
    if base is None and "retryable" not in row:
        raise _RowError(": needs retryable = true or false, as the catalog has no such entry")
    retryable: bool = row["retryable"] if "retryable" in row else bool(base and base.retryable)
    action: Action | None = row.get("action", base.action if base else None)
    if "action" not in row and (action is None or _contradiction(retryable, action)):
        action = "resubmit" if retryable else "none"
    if action and (problem := _contradiction(retryable, action)):
        raise _RowError(f".action: {problem}")
    return {"retryable": retryable, "action": action}


def _contradiction(retryable: bool, action: str) -> str | None:
    if (action in RESUBMIT_ACTIONS) is retryable:
        return None
    flag, needs = str(retryable).lower(), "needs" if retryable else "forbids"
    return f"{action!r} does not go with retryable = {flag}, which {needs} {' or '.join(RESUBMIT_ACTIONS)}"
