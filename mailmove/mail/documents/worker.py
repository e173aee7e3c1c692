"""The process that reads documents: one after another from standard input, their text to standard output.

A document is a format and its octets, an answer is frames: text in pieces, at most one note, the end. Limits that the
system keeps are set here; memory, and time on the wall, are watched by :mod:`.extractor`, which may kill this process.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO

from mailmove.mail.documents import office
from mailmove.mail.documents.formats import Format
from mailmove.mail.documents.office import Emit

ASKED = struct.Struct(">BIII")  # format, octets, seconds of CPU, characters
ANSWERED = struct.Struct(">cI")  # what, octets
TEXT, NOTE, END = b"t", b"n", b"e"
MAX_ADDRESSES = 2 << 30  # octets
_FRAME = 1 << 13  # characters


class LeftOut(Exception):
    """All is read, but something is not shown."""


class _Full(Exception):
    """The text is as long as it may be."""


class _Answer:
    """The text that is read, on its way to the other process."""

    def __init__(self, out: BinaryIO, most: int) -> None:
        self._out = out
        self._left = most
        self._held: list[str] = []
        self._size = 0

    def emit(self, text: str) -> None:
        self._held.append(text[: self._left])
        self._size += len(text)
        self._left -= len(text)
        if self._size >= _FRAME or self._left <= 0:
            self.flush()
        if self._left <= 0:
            raise _Full

    def flush(self) -> None:
        if self._held:
            self.send(TEXT, "".join(self._held))
            self._held, self._size = [], 0

    def send(self, what: bytes, text: str) -> None:
        octets = text.encode("utf-8", "replace")
        self._out.write(ANSWERED.pack(what, len(octets)) + octets)
        self._out.flush()


def main() -> None:
    """Answer until the input ends."""
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, MAX_ADDRESSES)):
        try:
            resource.setrlimit(limit, (most, most))
        except (ValueError, OSError):
            pass  # macOS takes no limit of addresses; the other process watches the memory
    while asked := sys.stdin.buffer.read(ASKED.size):
        number, octets, seconds, characters = ASKED.unpack(asked)
        _limit_time(seconds)
        answer = _Answer(sys.stdout.buffer, characters)
        note = _read(Format(number), sys.stdin.buffer.read(octets), answer)
        answer.flush()
        if note:
            answer.send(NOTE, note)
        answer.send(END, "")


def _limit_time(seconds: int) -> None:
    """The system kills this process when it has used so much more CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _read(kind: Format, octets: bytes, answer: _Answer) -> str:
    """Read one document; returns what is to be said of it."""
    try:
        _READERS[kind](octets, answer.emit)
    except _Full:
        return "only its beginning was read: it is too long"
    except LeftOut as left_out:
        return str(left_out)
    except office.Encrypted:
        return "it is encrypted"
    except ImportError:
        return f"it needs: pip install 'mailmove[{'html' if kind is Format.PAGE else 'text'}]'"
    except MemoryError:
        return "only its beginning was read: it needs too much memory"
    except Exception as error:  # noqa: BLE001 - libraries fail in many ways on what strangers make
        return f"it is damaged, or not what it says it is ({type(error).__name__})"
    return ""


def _pdf(octets: bytes, emit: Emit) -> None:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError

    reader = PdfReader(io.BytesIO(octets))
    try:
        for page in reader.pages:
            emit(page.extract_text() + "\n")
    except (DependencyError, FileNotDecryptedError):
        raise office.Encrypted from None


def _rtf(octets: bytes, emit: Emit) -> None:
    from striprtf.striprtf import rtf_to_text

    emit(str(rtf_to_text(octets.decode("latin-1"), errors="replace")))  # type: ignore[no-untyped-call]


def _page(octets: bytes, emit: Emit) -> None:
    from mailmove.mail.html.sanitise import sanitised

    asked = json.loads(octets)
    page, left_out = sanitised(asked["html"], asked["images"])
    emit(page)
    if left_out:
        raise LeftOut(f"{left_out} image{'s' * (left_out > 1)} that would have to be fetched")


_READERS: dict[Format, Callable[[bytes, Emit], None]] = {
    Format.PDF: _pdf,
    Format.RTF: _rtf,
    Format.OFFICE: office.read,
    Format.PAGE: _page,
}


if __name__ == "__main__":
    main()
