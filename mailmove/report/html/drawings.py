"""Drawings as SVG, each with a title for those who do not see it; colours are those of the page's style sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from mailmove.report.html.tags import Content, Html, element

_WIDE, _HIGH = 640, 260
_LEAST_LABEL = 46, 18  # a rectangle in which a name can be read
_MONTHS = "JFMAMJJASOND"


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


class Area(NamedTuple):
    """Something that a rectangle stands for: its name, its size, and what is said of it."""

    name: str
    size: int
    said: str


def drawing(title: str, content: Content, height: float = _HIGH, width: float = _WIDE) -> Html:
    """A drawing as wide as what it stands in."""
    return element(
        "svg",
        element("title", title),
        content,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=title,
        xmlns="http://www.w3.org/2000/svg",
    )


def gauge(title: str, percent: float) -> Html:
    """How full something is."""
    how = "high" if percent >= 90 else "warm" if percent >= 75 else "fine"
    full = element("rect", width=f"{min(100.0, percent):.2f}%", height=18, rx=4, class_=how)
    return drawing(title, [element("rect", width="100%", height=18, rx=4, class_="empty"), full], 18)


def bar(share: float) -> Html:
    """A bar for a cell of a table, which says the figure itself."""
    rect = element("rect", width=f"{100 * share:.2f}%", height=10, rx=2, class_="fine")
    return element("svg", rect, viewBox="0 0 100 10", preserveAspectRatio="none", class_="bar", aria_hidden="true")


def treemap(title: str, areas: Sequence[Area]) -> Html:
    """Rectangles as large as what they stand for, the largest first, as square as can be."""
    ranked = sorted((area for area in areas if area.size > 0), key=lambda area: -area.size)
    boxes = squarified([area.size for area in ranked], Box(0, 0, _WIDE, _HIGH))
    return drawing(title, [_area(*each, number) for number, each in enumerate(zip(ranked, boxes, strict=True))])


def _area(area: Area, box: Box, number: int) -> Html:
    width, height = max(0.0, box.width - 1.5), max(0.0, box.height - 1.5)
    content: list[Html] = [
        element("title", f"{area.name}: {area.said}"),
        element("rect", width="100%", height="100%", rx=2, class_=f"area{number % 6}"),
    ]
    if width > _LEAST_LABEL[0] and height > _LEAST_LABEL[1]:
        content.append(element("text", area.name, x=5, y=14))
    if width > 1.5 * _LEAST_LABEL[0] and height > 2 * _LEAST_LABEL[1]:
        content.append(element("text", area.said, x=5, y=29, class_="said"))
    return element("svg", content, x=f"{box.x:.1f}", y=f"{box.y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}")


def squarified(sizes: Sequence[int], box: Box) -> list[Box]:
    """Boxes of these sizes, the largest first, that fill a box (Bruls, Huizing, van Wijk: Squarified Treemaps)."""
    found: list[Box] = []
    left, at = sum(sizes), 0
    while at < len(sizes):
        scale, side = box.width * box.height / left, min(box.width, box.height)
        end = at + 1
        while end < len(sizes) and _worst(sizes[at : end + 1], side, scale) <= _worst(sizes[at:end], side, scale):
            end += 1
        row = sizes[at:end]
        boxes, box = _row(row, box, sum(row) / left)
        found += boxes
        left -= sum(row)
        at = end
    return found


def _worst(row: Sequence[int], side: float, scale: float) -> float:
    """How far from a square the worst of a row is."""
    total = sum(row) * scale
    if not total or not side:
        return 0.0
    return max(side**2 * row[0] * scale / total**2, total**2 / (side**2 * row[-1] * scale))


def _row(row: Sequence[int], box: Box, share: float) -> tuple[list[Box], Box]:
    """A row along the shorter side, and what is left of the box."""
    total, at, boxes = sum(row), 0.0, []
    lying = box.width < box.height
    for size in row:
        part = size / total
        if lying:
            boxes.append(Box(box.x + at * box.width, box.y, part * box.width, share * box.height))
        else:
            boxes.append(Box(box.x, box.y + at * box.height, share * box.width, part * box.height))
        at += part
    if lying:
        return boxes, Box(box.x, box.y + share * box.height, box.width, (1 - share) * box.height)
    return boxes, Box(box.x + share * box.width, box.y, (1 - share) * box.width, box.height)


def calendar(title: str, months: Mapping[tuple[int, int], tuple[float, str]]) -> Html:
    """Years below each other, a cell for each month: how strong it is, from 0 to 1, and what is said of it."""
    years = sorted({year for year, _ in months}, reverse=True)
    content = [element("text", name, x=70 + 47 * at, y=11, class_="said") for at, name in enumerate(_MONTHS)]
    for row, year in enumerate(years):
        y = 18 + 22 * row
        content.append(element("text", str(year), x=2, y=y + 15))
        for month in range(1, 13):
            strength, said = months.get((year, month), (0.0, ""))
            shape = {"x": 50 + 47 * (month - 1), "y": y, "width": 45, "height": 20, "rx": 2}
            content.append(element("rect", **shape, class_="empty"))
            if said:
                told = element("title", f"{year}-{month:02}: {said}")
                content.append(
                    element("rect", told, **shape, class_="fine", fill_opacity=f"{0.12 + 0.88 * strength:.2f}")
                )
    return drawing(title, content, 20 + 22 * len(years))


def curve(title: str, points: Sequence[tuple[str, float, str]]) -> Html:
    """A line through points from the left to the right: a name below, a height from 0 to 1, what is said of it."""
    step = (_WIDE - 90) / max(1, len(points) - 1)
    places = [(45 + step * at, 20 + 150 * (1 - height)) for at, (_, height, _) in enumerate(points)]
    content: list[Content] = [element("line", x1=20, x2=_WIDE - 20, y1=170, y2=170, class_="axis")]
    content += [
        element("line", x1=f"{x:.1f}", y1=f"{y:.1f}", x2=f"{to:.1f}", y2=f"{end:.1f}", class_="curve")
        for (x, y), (to, end) in pairwise(places)
    ]
    for (x, y), (name, _, said) in zip(places, points, strict=True):
        content += [
            element("circle", element("title", f"{name}: {said}"), cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, class_="fine"),
            element("text", said, x=f"{x:.1f}", y=f"{y - 9:.1f}", text_anchor="middle"),
            element("text", name, x=f"{x:.1f}", y=188, text_anchor="middle", class_="said"),
        ]
    return drawing(title, content, 196)


def series(title: str, points: Sequence[tuple[float, float]], names: tuple[str, str, str]) -> Html:
    """A line over time, through places from 0 to 1; named are its first and last moment, and its greatest height."""
    places = " ".join(f"{20 + (_WIDE - 40) * x:.1f},{150 - 130 * y:.1f}" for x, y in points)
    content = [
        element("line", x1=20, x2=_WIDE - 20, y1=150, y2=150, class_="axis"),
        element("polyline", points=places, class_="curve"),
        element("text", names[0], x=20, y=168, class_="said"),
        element("text", names[1], x=_WIDE - 20, y=168, text_anchor="end", class_="said"),
        element("text", names[2], x=20, y=12),
    ]
    return drawing(title, content, 174)
