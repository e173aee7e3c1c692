"""HTML as text for people: paragraphs, lists, quotations, tables, where links lead; no scripts, no styles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from mailmove.mail.budget import Budget, Spent
from mailmove.mail.html.tokens import Token, tokens

_BLANK = re.compile(r"[ \t\r\n\f\xa0]+")
_MANY_LINES = re.compile(r"\n{3,}")
_BLOCKS = frozenset(
    ("p", "div", "br", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "hr", "dl", "dt", "dd", "center", "form")
)
_LISTED = ("http:", "https:", "ftp:", "mailto:")
_DEEPEST = 8  # tables within each other that are kept, and levels of quotations and lists that are shown
_WIDEST = 40  # characters of a cell of a table that is kept as columns
_LONGEST_LABEL = 100  # pieces of text in a link that are compared with where it leads


def readable(source: str, budget: Budget, *, links: bool = True, images: Mapping[str, str] | None = None) -> str:
    """HTML as text. With ``links``, those that do not show where they lead are numbered and listed at the end.

    ``images`` are names of the images that the message brings along, by their Content-ID. What the budget does not
    reach is noted there.
    """
    writer = _Writer(images or {})
    try:
        for token in tokens(source, budget):
            writer.take(token)
    except Spent:
        budget.skip("the rest of its HTML text: it is too long or too intricate")
    text = writer.text()
    return f"{text}\n\n{writer.listed()}".strip() if links and writer.links else text


@dataclass(slots=True)
class _Flow:
    """Lines, one after another; the last is being written."""

    lines: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    indent: str = ""
    quoted: int = 0
    exact: bool = False

    def end_line(self) -> None:
        words = "".join(self.line)
        words = words.rstrip() if self.exact else words.strip()
        self.lines.append(f"{'> ' * self.quoted}{self.indent}{words}" if words else "")
        self.line, self.indent, self.exact = [], "", False

    def text(self) -> str:
        """All of it, without empty lines at its ends, and never two of them together."""
        self.end_line()
        return _MANY_LINES.sub("\n\n", "\n".join(self.lines)).strip("\n")


@dataclass(slots=True)
class _Table:
    """Rows of cells, each as its text; ``cell`` is the one being written."""

    rows: list[list[str]] = field(default_factory=list)
    cell: _Flow | None = None

    def end_cell(self) -> None:
        if self.cell is not None:
            self.rows[-1].append(self.cell.text())
            self.cell = None

    def lines(self) -> list[str]:
        """In columns where it is made of them; else, as most tables in mail only place things, cell after cell."""
        self.end_cell()
        rows = [row for row in self.rows if any(row)]
        columns = max(map(len, rows), default=0)
        if columns > 1 and all("\n" not in cell and len(cell) <= _WIDEST for row in rows for cell in row):
            widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
            return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return [line for row in rows for line in _row(row)]


def _row(row: list[str]) -> list[str]:
    cells = [cell for cell in row if cell]
    if any("\n" in cell for cell in cells):
        return [line for cell in cells for line in (*cell.split("\n"), "")]
    return ["  ".join(cells)]


class _Writer:
    def __init__(self, images: Mapping[str, str]) -> None:
        self.links: dict[str, int] = {}
        self._images = images
        self._flow = _Flow()
        self._tables: list[_Table] = []
        self._too_deep = 0  # tables that are open beyond those that are kept
        self._lists: list[int] = []  # how many items each has; of a list without numbers it stays below 0
        self._link: tuple[str, list[str]] | None = None
        self._hidden = {"head": 0, "title": 0, "template": 0}
        self._pre = 0

    def text(self) -> str:
        """What was written."""
        while self._tables:
            self._end_table()
        return self._flow.text().strip()

    def listed(self) -> str:
        """Where the links lead, by their numbers."""
        return "\n".join(["Links:", *(f"  [{number}] {link}" for link, number in self.links.items())])

    def take(self, token: Token) -> None:
        """Write what one token says."""
        tag = token.tag
        if not tag:
            self._text(token.text)
        elif tag.startswith("/"):
            self._end(tag[1:])
        else:
            self._start(tag, token.attributes)

    @property
    def _now(self) -> _Flow:
        """Where text goes."""
        for table in reversed(self._tables):
            if table.cell is not None:
                return table.cell
        return self._flow

    def _text(self, text: str) -> None:
        if any(self._hidden.values()):
            return
        if self._link and len(self._link[1]) < _LONGEST_LABEL:
            self._link[1].append(text)
        flow = self._now
        if not self._pre:
            words = _BLANK.sub(" ", text)
            flow.line.append(words.lstrip() if words[:1] == " " and flow.line and flow.line[-1][-1:] == " " else words)
            return
        first, *others = text.split("\n")
        flow.exact = True
        flow.line.append(first)
        for each in others:
            flow.end_line()
            flow.exact = True
            flow.line.append(each)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._hidden["title"] = int(tag == "title")
        if tag in ("head", "body"):
            self._hidden["head"] = int(tag == "head")
        elif tag == "template":
            self._hidden["template"] += 1
        elif tag in ("table", "tr", "td", "th", "caption"):
            self._start_of_table(tag)
        elif tag == "blockquote":
            self._now.end_line()
            self._now.quoted = min(self._now.quoted + 1, _DEEPEST)
        elif tag == "li":
            self._item()
        elif tag in _BLOCKS:
            self._block(tag, attributes)
        elif tag == "a":
            self._link = (attributes.get("href", "").strip(), [])
        elif tag == "img" and (name := self._image(attributes)):
            self._now.line.append(f"[{name}]")

    def _image(self, attributes: dict[str, str]) -> str:
        """What an image shows; one that is only there to be fetched shows nothing."""
        source = attributes.get("src", "").strip()
        brought = self._images.get(source[4:]) if source[:4].lower() == "cid:" else None
        return _BLANK.sub(" ", attributes.get("alt", "")).strip() or (f"image: {brought}" if brought else "")

    def _block(self, tag: str, attributes: dict[str, str]) -> None:
        self._now.end_line()
        if tag == "p" and self._now.lines[-1]:
            self._now.lines.append("")
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else -1)
        elif tag == "pre":
            self._pre += 1
        elif tag == "hr":
            self._now.line.append("-" * 20)
            self._now.end_line()

    def _item(self) -> None:
        self._now.end_line()
        mark = "- "
        if self._lists and self._lists[-1] >= 0:
            self._lists[-1] += 1
            mark = f"{self._lists[-1]}. "
        self._now.indent = "  " * min(max(0, len(self._lists) - 1), _DEEPEST)
        self._now.line.append(mark)

    def _end(self, tag: str) -> None:
        self._hidden["title"] = 0
        if tag == "head":
            self._hidden["head"] = 0
        elif tag == "template":
            self._hidden["template"] = max(0, self._hidden["template"] - 1)
        elif tag in ("td", "th"):
            if self._tables and not self._too_deep:
                self._tables[-1].end_cell()
        elif tag == "table":
            self._end_table()
        elif tag == "blockquote":
            self._now.end_line()
            self._now.quoted = max(0, self._now.quoted - 1)
        elif tag in _BLOCKS:
            self._now.end_line()
            if tag in ("ul", "ol") and self._lists:
                self._lists.pop()
            elif tag == "pre":
                self._pre = max(0, self._pre - 1)
        elif tag == "a":
            self._end_link()

    def _end_link(self) -> None:
        if self._link is None:
            return
        (link, label), self._link = self._link, None
        shown = link.partition(":")[2].lstrip("/").rstrip("/")
        if link.lower().startswith(_LISTED) and shown and shown not in "".join(label):
            number = self.links.setdefault(link, len(self.links) + 1)
            self._now.line.append(f" [{number}]")

    def _start_of_table(self, tag: str) -> None:
        if tag == "table":
            if len(self._tables) < _DEEPEST:
                self._tables.append(_Table())
            else:
                self._too_deep += 1
        elif not self._tables or self._too_deep or tag == "caption":
            self._now.end_line()
        elif tag == "tr":
            self._tables[-1].end_cell()
            self._tables[-1].rows.append([])
        else:
            self._tables[-1].end_cell()
            self._tables[-1].rows = self._tables[-1].rows or [[]]
            self._tables[-1].cell = _Flow()

    def _end_table(self) -> None:
        if self._too_deep:
            self._too_deep -= 1
        elif self._tables:
            lines = self._tables.pop().lines()
            flow = self._now
            flow.end_line()
            for line in lines:
                flow.line, flow.exact = [line], True
                flow.end_line()
