"""Calendars (RFC 5545) and address cards (RFC 6350): both are content lines, a name, parameters and a value each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_TEXT = 1 << 20  # characters of a calendar or card that are read
_FOLDED = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r'([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)?)((?:;(?:"[^"]*"|[^":;])*+)*+):(.*)', re.DOTALL)
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=(?:"([^"]*)"|([^":;]*))')
_ESCAPED = re.compile(r"\\([\\;,nN])")


class Line(NamedTuple):
    """One content line; name and parameters' names in capitals."""

    name: str
    parameters: dict[str, str]
    value: str

    @property
    def text(self) -> str:
        """The value of a line that holds text (RFC 5545 3.3.11)."""
        return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], self.value).strip()


def lines(source: str) -> Iterator[Line]:
    """The lines of a calendar or card; what is none is passed over."""
    for each in _FOLDED.sub("", source[:MAX_TEXT]).splitlines():
        if found := _LINE.fullmatch(each):
            named = {one[1].upper(): one[2] if one[2] is not None else one[3] for one in _PARAMETER.finditer(found[2])}
            yield Line(found[1].rpartition(".")[2].upper(), named, found[3])
