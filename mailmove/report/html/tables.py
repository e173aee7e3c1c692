"""Tables, by themselves or behind a drawing."""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.report.html.tags import Content, Html, element


def behind(figures: Html) -> Html:
    """The figures of a drawing, for those who want them or do not see it."""
    return element("details", element("summary", "Figures"), figures)


def table(heads: Iterable[str], rows: Iterable[Iterable[Content]]) -> Html:
    """A table that scrolls where it is too wide."""
    head = element("thead", element("tr", [element("th", each, scope="col") for each in heads]))
    body = element("tbody", [element("tr", [element("td", cell) for cell in row]) for row in rows])
    return element("div", element("table", head, body), class_="wide")
