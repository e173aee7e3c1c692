"""What a newer mailmove recorded and must not be ignored: an older one reads on, says so, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailmove.archive.record.records import Record, Unknown
from mailmove.errors import ArchiveError
from mailmove.safe import few, visible


class Newer(NamedTuple):
    """A kind of record that must not be ignored, and that this version does not know; ``needs`` is one that does."""

    kind: str
    needs: str


def found(lines: Iterable[Record]) -> list[Newer]:
    """What of these records is of that sort."""
    return sorted({Newer(line.kind, line.needs) for line in lines if isinstance(line, Unknown) and line.must})


def refuse(newer: Sequence[Newer], path: str) -> None:
    """Write nothing into an archive that holds any.

    :raises ArchiveError: then, naming the version that may write.
    """
    if newer:
        raise ArchiveError(
            f"{visible(path)} holds {_what(newer)}",
            f"Nothing was changed: this mailmove can only read it. Install {_wanted(newer)}.",
        )


def note(newer: Sequence[Newer], path: str) -> str:
    """What to say of it to who only reads; empty where there is none."""
    if not newer:
        return ""
    what = f"{visible(path)} holds {_what(newer)}: what is said of it here may be wrong"
    return f"{what}, and nothing can be written to it. Install {_wanted(newer)}."


def _what(newer: Sequence[Newer]) -> str:
    return f"records that a newer mailmove made and this one does not know ({', '.join(few(n.kind for n in newer))})"


def _wanted(newer: Sequence[Newer]) -> str:
    versions = few(dict.fromkeys(kind.needs for kind in newer if kind.needs))
    return f"mailmove {' and '.join(versions)}, or a later one" if versions else "the version that made them"
