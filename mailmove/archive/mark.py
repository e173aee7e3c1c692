"""``copy.toml``: what makes a directory a copy of an archive, and not the archive itself.

Copying is all that writes in such a directory, and its journal is always a beginning of the archive's.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from typing import NamedTuple

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.errors import ArchiveError
from mailmove.safe import visible

NAME = "copy.toml"
_PLAIN = re.compile(r"[0-9A-Za-z-]{1,64}")


class Mark(NamedTuple):
    """What a copy says of itself.

    ``id`` is its own UUID, ``archive`` that of the archive. Of the archive's journal ``octets`` had come ``at``.
    """

    id: str
    archive: str
    octets: int = 0
    at: str = ""


def load(directory: int, shown: str) -> Mark | None:
    """Read the mark in a ``.mailmove`` directory; None where there is none: that is an archive.

    :raises ArchiveError: when it cannot be read, or is not what mailmove wrote.
    """
    with durable.explained(f"reading {shown}"):
        try:
            fd = durable.open_file(NAME, directory)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as file:
            text = file.read()
    try:
        data = tomllib.loads(text.decode("utf-8"))
        mark = Mark(**data)
        if list(map(type, mark)) != [str, str, int, str]:
            raise ValueError("a value is not as it should be")
    except (TypeError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ArchiveError(
            f"{shown} is damaged: {visible(str(error))}",
            "Nothing was changed. Make a new copy in another directory; this one holds its message files all the same.",
        ) from error
    return mark


def save(mark: Mark, directory: int) -> None:
    """Write the mark; a crash leaves the old or the new one, whole.

    :raises OSError: when the disk does not take it.
    """
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("This directory is a copy of an archive: nothing but mailmove copy may write here."))
    for name, value in mark._asdict().items():
        document.add(name, value)
    replacing.replace_below(directory, NAME, tomlkit.dumps(document).encode("utf-8"))


def remove(directory: int) -> None:
    """From now on this is no copy but an archive, durably.

    :raises OSError: when the disk fails.
    """
    os.unlink(NAME, dir_fd=directory)
    replacing.flush(directory)


def index_name(uuid: str, copy: str = "") -> str:
    """What the index of an archive, or of this copy of it, is called in the state directory.

    Both are read from files that may come from anybody: whatever they say, it names a file in that directory.
    """
    return ".".join([_as_name(uuid), *([_as_name(copy)] if copy else []), "sqlite"])


def _as_name(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
