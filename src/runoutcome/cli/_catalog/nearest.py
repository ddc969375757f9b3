"""Values of the catalog that a word may mean: its misspellings, and values, titles and causes with the same words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from ..._catalog.catalog import Catalog
from ..._catalog.rows import HOME, Entry

_MOST = 3
_MISSPELT = 0.8
_SURE = ("high", "medium", "low")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_ENDINGS = re.compile(r"(ations?|ing|ed|es|s|e)$")
_EMPTY = frozenset({"error", "the", "a", "is", "of", "to", "in", "for", "run", "was", "it", "not", "code"})


def nearest_values(catalog: Catalog, word: str) -> list[str]:
    """Return the values nearest to a word, the best first: misspellings, then those with its words in their meaning."""
    entries = {entry.value: entry for entry in reversed(catalog.entries) if entry.value is not None}
    misspelt = get_close_matches(word.lower(), entries, n=_MOST, cutoff=_MISSPELT)
    stems = _stems(word)
    scores = {value: _score(entry, stems) for value, entry in entries.items()}
    meant = [value for value, score in scores.items() if score > 0]
    meant.sort(key=lambda value: (-scores[value], *_rank(entries[value])))
    return list(dict.fromkeys([*misspelt, *meant]))[:_MOST]


def _score(entry: Entry, stems: frozenset[str]) -> int:
    """Return how well a row fits: its value counts most; 0 unless most of the words are in it."""
    texts = ((3, _stems(entry.value or "")), (2, _stems(entry.title)), (1, _stems(f"{entry.cause} {entry.remedy}")))
    found = [max((weight for weight, own in texts if stem in own), default=0) for stem in stems]
    return sum(found) if stems and 2 * sum(map(bool, found)) > len(stems) else 0


def _rank(entry: Entry) -> tuple[bool, bool, int, int]:
    """Return the order of rows that fit equally: those of a response, documented ones, sure ones, short ones."""
    return entry.surface != HOME, not entry.documented, _SURE.index(entry.confidence), len(entry.value or "")


def _stems(text: str) -> frozenset[str]:
    return frozenset(_without_endings(word.lower() for word in _WORD.findall(text)) - _EMPTY)


def _without_endings(words: Iterable[str]) -> set[str]:
    return {_ENDINGS.sub("", word) if len(word) > 4 and word not in _EMPTY else word for word in words}
