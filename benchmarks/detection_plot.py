"""Draws what `detection` found: `detection.png` and `detection.svg`. Needs matplotlib (extra `bench`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from detection import OURS, RIVALS, Comparison, Cost, least

PLOT = Path(__file__).with_name("detection.png")
COLOURS = {OURS: "#c0392b", "every 2 s": "#2c3e50", "every 5 s": "#7f8c9b", "doubling to 60 s": "#2e86ab"}
FAMILY_COLOURS = {"any fixed interval": "#2c3e50", "doubling to any cap": "#2e86ab"}
GREY = "#888888"
STYLE: dict[str, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "runoutcome",
}
DURATION_TICKS = {10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 28800: "8 h"}
MEAN_POLL_TICKS: dict[float, str] = {50: "50", 100: "100", 200: "200", 500: "500", 1000: "1,000", 2000: "2,000"}
MEAN_LAG_TICKS: dict[float, str] = {1: "1 %", 2: "2 %", 5: "5 %", 10: "10 %", 20: "20 %"}
POLL_TICKS: dict[float, str] = {10: "10", 100: "100", 1000: "1,000", 10000: "10,000"}
LAG_TICKS: dict[float, str] = {0.01: "0.01 %", 0.1: "0.1 %", 1: "1 %", 10: "10 %", 100: "100 %"}


def draw(found: Comparison) -> None:
    """Write both files; the same numbers give the same bytes."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        axes: Any = figure.subplot_mosaic([["trade", "lag"], ["trade", "polls"]], width_ratios=(1.3, 1))
        _draw_means(axes["trade"], found)
        _draw_by_duration(axes["lag"], "Lag by duration", found, lambda one: one.lag * 100, LAG_TICKS)
        _draw_by_duration(axes["polls"], "Polls by duration", found, lambda one: one.polls, POLL_TICKS)
        _note(axes["lag"], (3.4e3, 4.5), "longer delays where a\nrun may take 2 h or 8 h", (-28, 0))
        figure.savefig(PLOT, dpi=150, metadata={"Software": None})
        figure.savefig(PLOT.with_suffix(".svg"), metadata={"Date": None, "Creator": None})


def _draw_means(axes: Axes, found: Comparison) -> None:
    axes.set_title("Detection lag against polls: means over runs of 10 s to 8 h")
    axes.set(xscale="log", yscale="log", xlim=(45, 3000), ylim=(0.9, 35))
    _ticks(axes.xaxis, MEAN_POLL_TICKS)
    _ticks(axes.yaxis, MEAN_LAG_TICKS)
    axes.set_xlabel("polls per run")
    axes.set_ylabel("lag, as a share of the run's duration")
    for name, family in found.families.items():
        _line(axes, family, color=FAMILY_COLOURS[name])
    _line(axes, [Cost(polls, least(polls), 0.0) for polls in (45, 100, 250)], color=GREY, linestyle=(0, (4, 3)))
    for name in (OURS, *RIVALS):
        one = found.average[name]
        axes.plot(*_place(one), "o", color=COLOURS[name], markersize=10 if name == OURS else 7)
    _note(axes, _place(found.average[OURS]), "ours", (10, 4), COLOURS[OURS], weight="bold", fontsize=12)
    for name, shift in zip(RIVALS, ((8, 4), (8, 4), (-22, -32)), strict=True):
        _note(axes, _place(found.average[name]), name.replace(" to ", "\nto "), shift, COLOURS[name])
    _note(axes, (118, 22), "any fixed\ninterval", (4, 0), FAMILY_COLOURS["any fixed interval"])
    _note(axes, (185, 9.7), "doubling\nto any cap", (-62, -22), FAMILY_COLOURS["doubling to any cap"])
    _note(axes, (170, least(170) * 100), "the least possible for a rule that\nhas to guess the duration", (10, 0))
    axes.annotate("", (195, 3.2), (260, 4.3), arrowprops={"arrowstyle": "->", "color": GREY})
    _note(axes, (260, 4.3), "better", (2, 2))


def _draw_by_duration(
    axes: Axes, title: str, found: Comparison, value: Callable[[Cost], float], ticks: Mapping[float, str]
) -> None:
    axes.set_title(title)
    axes.set(xscale="log", yscale="log")
    for name in (OURS, *RIVALS):
        durations, values = list(found.by_duration[name]), [value(one) for one in found.by_duration[name].values()]
        axes.plot(durations, values, color=COLOURS[name], linewidth=2.4 if name == OURS else 1.6)
        weight = "bold" if name == OURS else "normal"
        _note(axes, (durations[-1], values[-1]), name, (6, -3), COLOURS[name], weight=weight)
    _ticks(axes.xaxis, DURATION_TICKS)
    _ticks(axes.yaxis, ticks)


def _line(axes: Axes, costs: Sequence[Cost], **style: Any) -> None:
    axes.plot(*zip(*map(_place, costs), strict=True), **style)


def _place(one: Cost) -> tuple[float, float]:
    return one.polls, one.lag * 100


def _note(
    axes: Axes, place: tuple[float, float], text: str, shift: tuple[int, int], colour: str = GREY, **style: Any
) -> None:
    axes.annotate(text, place, shift, textcoords="offset points", color=colour, **style)


def _ticks(axis: Any, ticks: Mapping[Any, str]) -> None:
    axis.set_ticks(list(ticks), list(ticks.values()))
    axis.set_ticks([], minor=True)
