"""Charts in SVG. They stretch with the page, so their labels are texts of HTML beside them. Colours are classes."""

import math
from collections.abc import Mapping, Sequence

from ._figures import Bin, Durations, Timeline
from ._markup import Markup, element, joined
from ._words import duration_text, number_text, time_text, words_of

_WIDTH = 1000.0
_HEIGHT = 200.0
_NARROWEST = 3.0
"""Width of a bar that stands for one job of many, so that it can be seen."""

BANDS = ("completed", "ended_otherwise", "held", "running", "queued")
"""Bands of the timeline, from below."""


def share_bar(label: str, counts: Mapping[str, float], total: float = 0.0) -> Markup:
    """Return a bar with a part for each count; it fills the width if no larger `total` is given."""
    total = max(total, sum(counts.values()))
    shown = {kind: count for kind, count in counts.items() if count > 0}
    start, rects = 0.0, list[str]()
    for kind, count in shown.items():
        width = max(_NARROWEST, count / total * _WIDTH)
        title = element("title", f"{words_of(kind)}: {number_text(count)}")
        rects.append(_rect(start, 0.0, width, 20.0, f"k-{kind}", title))
        start += width
    return _svg(label, *rects, size=(max(_WIDTH, start), 20.0), class_="bar")


def timeline_chart(timeline: Timeline) -> Markup:
    """Return the number of jobs in each state over time, as bands on top of each other."""
    points = len(timeline.queued)
    total = max(1, *(sum(getattr(timeline, band)[point] for band in BANDS) for point in range(points)))
    scale, step = _HEIGHT / total, _WIDTH / (points - 1)
    floor, shapes = [0] * points, list[str]()
    for band in BANDS:
        values: Sequence[int] = getattr(timeline, band)
        if any(values):
            top = [below + max(0, value) for below, value in zip(floor, values, strict=True)]
            edge = [*enumerate(top), *reversed(list(enumerate(floor)))]
            corners = " ".join(f"{point * step:.1f},{_HEIGHT - count * scale:.1f}" for point, count in edge)
            shapes.append(element("polygon", points=corners, class_=f"k-{band}"))
            floor = top
    length = timeline.step * (points - 1)
    starts = [min(_WIDTH, max(0.0, (at - timeline.start) / length * _WIDTH)) for at in timeline.opened[1:]]
    shapes += [_vertical(x, "start") for x in starts]
    chart = _svg("Jobs by state over time", *shapes, size=(_WIDTH, _HEIGHT), class_="chart")
    ends = [time_text(timeline.start), duration_text(length), time_text(timeline.start + length)]
    return _framed(chart, [number_text(total), "0"], [ends[0], f"{ends[1]} in all", ends[2]])


def histogram_chart(bins: Sequence[Bin], durations: Durations) -> Markup:
    """Return how many runs took how long, with lines at p50, p95 and p99. Its scale is logarithmic."""
    start, end = bins[0].start, bins[-1].end
    most = max(part.runs for part in bins)
    width = _WIDTH / len(bins)
    shapes: list[str] = []
    for number, part in enumerate(bins):
        height = part.runs / most * _HEIGHT
        text = f"{duration_text(part.start)} to {duration_text(part.end)}: {number_text(part.runs)}"
        shapes.append(
            _rect(number * width + 1, _HEIGHT - height, width - 2, height, "k-running", element("title", text))
        )
    for value in (durations.p50, durations.p95, durations.p99):
        place = math.log(max(start, value) / start) / math.log(end / start)
        shapes.append(_vertical(min(1.0, place) * _WIDTH, "mark"))
    chart = _svg("Durations of runs", *shapes, size=(_WIDTH, _HEIGHT), class_="chart low")
    return _framed(
        chart,
        [number_text(most), "0"],
        [duration_text(start), duration_text(math.sqrt(start * end)), duration_text(end)],
    )


def legend(counts: Mapping[str, str]) -> Markup:
    """Return the meaning of each colour, with a text such as its count."""
    items = [
        element("li", element("i", class_=f"b-{kind}"), f" {words_of(kind)} ", element("b", count))
        for kind, count in counts.items()
    ]
    return element("ul", *items, class_="legend")


def _framed(chart: Markup, high_low: Sequence[str], along: Sequence[str]) -> Markup:
    """Return a chart with labels at its left and below it."""
    left = element("div", *(element("span", label) for label in high_low), class_="axis-y")
    below = element("div", *(element("span", label) for label in along), class_="axis-x")
    return element("div", left, element("div", chart, below, class_="plot"), class_="framed")


def _svg(label: str, *children: str, size: tuple[float, float], class_: str) -> Markup:
    return element(
        "svg",
        joined(*children),
        viewBox=f"0 0 {size[0]:g} {size[1]:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_=class_,
    )


def _rect(x: float, y: float, width: float, height: float, class_: str, title: Markup) -> Markup:
    rect = element("rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}", class_=class_)
    return element("g", title, rect)


def _vertical(x: float, class_: str) -> Markup:
    return element("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1="0", y2=f"{_HEIGHT:g}", class_=class_)
