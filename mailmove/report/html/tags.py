"""HTML as values: whatever is text stays text, whoever wrote it.

An element is made of its name, its attributes and what it holds; only :class:`Html` is taken as it is, and only this
module makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from mailmove.safe import visible

_LONGEST = 2000  # characters of one text that somebody else wrote


class Html(str):
    """Text that is HTML."""

    __slots__ = ()


Content = Html | str | int | None | Iterable["Content"]
Value = str | int | float | bool | None
"""True: the attribute stands there without a value; False and None: it does not."""

_EMPTY = {"br", "col", "hr", "img", "input", "link", "meta"}


def element(kind: str, /, *content: Content, **attributes: Value) -> Html:
    """An element. ``class_`` is the attribute class, ``aria_label`` is aria-label."""
    said = "".join(map(_attribute, attributes.items()))
    if kind in _EMPTY:
        return Html(f"<{kind}{said}>")
    return Html(f"<{kind}{said}>{joined(content)}</{kind}>")


def joined(content: Content) -> Html:
    """All of it, one after the other; a text with what would not print escaped, as :func:`mailmove.safe.visible`."""
    if content is None:
        return Html("")
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(escape(visible(content, _LONGEST)))
    if isinstance(content, int):
        return Html(f"{content:,}")
    return Html("".join(map(joined, content)))


def document(head: Content, body: Content, **attributes: Value) -> str:
    """A whole page."""
    whole = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            head,
        ),
        element("body", body, **attributes),
        lang="en",
    )
    return f"<!doctype html>\n{whole}\n"


def verbatim(text: str) -> Html:
    """Text of our own that must stand as it is, such as a style sheet."""
    assert "</" not in text
    return Html(text)


def _attribute(given: tuple[str, Value]) -> str:
    name, value = given[0].rstrip("_").replace("_", "-"), given[1]
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(visible(str(value), _LONGEST))}"'
