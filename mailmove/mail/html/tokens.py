"""HTML taken apart into text and tags, in one pass, as the WHATWG HTML Standard (13.2.5) reads it, whatever it is.

Python's html.parser looks again from the beginning at what does not end (``<a b="``, ``<!--``); here what does not end
goes to the end of the text, as in a browser, and is not looked at twice.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from mailmove.mail.budget import Budget

_NAME = re.compile(r"[a-zA-Z][^\s/>]*+")
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?:(>)|([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)("?)|'([^']*+)('?)|([^\s>]*+)))?)"""
)
_RAW = frozenset(("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"))
"""Elements in which nothing is a tag but their own end."""
_LONG_NUMBER = re.compile(r"&#(?:\d{8,}|[xX][0-9a-fA-F]{8,});?")


class Token(NamedTuple):
    """Text, where ``tag`` is empty, or a tag by its name in lower case; of an end tag it begins with a slash."""

    tag: str
    text: str = ""
    attributes: dict[str, str] = {}  # noqa: RUF012 - never changed


def tokens(source: str, budget: Budget) -> Iterator[Token]:
    """The text and the tags, in order; comments, scripts and styles are passed over.

    :raises Spent: when the budget is.
    """
    at = 0
    never: set[str] = set()  # elements whose end does not come any more
    while at < len(source):
        budget.spend()
        begin = source.find("<", at)
        if begin != at:
            text = source[at:] if begin < 0 else source[at:begin]
            budget.spend(len(text) // 64)
            yield Token("", unescaped(text))
            if begin < 0:
                return
        at, token = _tag(source, begin, budget)
        if token is None:
            continue
        yield token
        if token.tag in _RAW and token.tag not in never:
            end = re.compile(f"</{token.tag}(?=[\\s/>])", re.IGNORECASE).search(source, at)
            if end is None and token.tag == "title":
                never.add(token.tag)  # a browser would show nothing of what follows; a reader had better
                continue
            if token.tag == "textarea" and end is not None:
                yield Token("", unescaped(source[at : end.start()]))
            at = len(source) if end is None else end.start()


def unescaped(text: str) -> str:
    """Character references resolved."""
    if "&" not in text:
        return text
    return html.unescape(_LONG_NUMBER.sub("\ufffd", text))  # int() refuses thousands of digits


def _tag(source: str, begin: int, budget: Budget) -> tuple[int, Token | None]:
    """Where the markup that begins here ends, and the tag if it is one."""
    second = source[begin + 1 : begin + 2]
    if second == "/":
        if name := _NAME.match(source, begin + 2):
            end, _ = _attributes(source, name.end(), budget)
            return end, Token("/" + name[0].lower())
        return _after(source, ">", begin + 2), None
    if name := _NAME.match(source, begin + 1):
        end, attributes = _attributes(source, name.end(), budget)
        return end, Token(name[0].lower(), attributes=attributes)
    if source.startswith("<!--", begin):
        return (begin + 5 if source.startswith(">", begin + 4) else _after(source, "-->", begin + 4)), None
    if second in ("!", "?"):
        return _after(source, ">", begin + 2), None
    return begin + 1, Token("", "<")


def _after(source: str, what: str, at: int) -> int:
    end = source.find(what, at)
    return len(source) if end < 0 else end + len(what)


def _attributes(source: str, at: int, budget: Budget) -> tuple[int, dict[str, str]]:
    """Where a tag ends, and its attributes."""
    found: dict[str, str] = {}
    while each := _ATTRIBUTE.match(source, at):
        budget.spend()
        at = each.end()
        end, name, double, double_end, single, single_end, bare = each.groups()
        if end:
            return at, found
        if (double is not None and not double_end) or (single is not None and not single_end):
            break
        found.setdefault(name.lower(), unescaped(double or single or bare or ""))
    return len(source), found
