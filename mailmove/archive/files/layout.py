"""Which directory holds which folder: safe on every file system, and never the same directory for two folders.

A folder's name is cut at its delimiter and each part becomes a directory. What some system could not hold or would
confuse is written as ``%XX``, the hexadecimal octets of its UTF-8; ``%`` itself always is. The mapping that an archive
really uses is kept in its ``archive.toml``; this module only proposes.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Iterator

from mailmove.model import folder_text

NAME_MAX = 255  # octets of a name, on most file systems
SPARE = 55  # of them are kept for what is added to a name: a UIDVALIDITY, a number
MAX_PATH = 900  # octets of the whole; every path below the archive stays far from PATH_MAX

_UNSAFE = set('%/\\:*?"<>|')
_MAILDIR = {"cur", "new", "tmp"}
_WINDOWS = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"
}


def directory(wire: bytes, delimiter: bytes | None, longest: int = NAME_MAX) -> str:
    """The directory for a folder, relative to the archive, parts joined by ``/``, each at most ``longest`` octets."""
    parts = wire.split(delimiter) if delimiter else [wire]
    path = "/".join(safe_part(folder_text(part), longest) for part in parts)
    if len(path.encode()) > MAX_PATH:
        return f"%long-{_fingerprint(wire)}"
    return path


def unused(wanted: str, taken: Collection[str]) -> str:
    """``wanted``, or it with a number, so that no directory in ``taken`` is the same on any file system."""
    used = {_folded(name) for name in taken}
    for candidate in _candidates(wanted):
        if _folded(candidate) not in used:
            return candidate
    raise AssertionError("unreachable: candidates do not end")


def _candidates(wanted: str) -> Iterator[str]:
    yield wanted
    number = 2
    while True:
        yield f"{wanted} %{number}"  # no folder's own name encodes to this: a lone % is always escaped
        number += 1


def _folded(path: str) -> str:
    """Equal for names that a case-insensitive or normalizing file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())


def safe_part(text: str, longest: int = NAME_MAX) -> str:
    """One name as a file or directory name that every file system takes, and that leads nowhere else."""
    if not text:
        return "%"
    composed = unicodedata.normalize("NFC", text) == text
    out = "".join(_escaped(c) if _must_escape(c, composed) else c for c in text)
    if out[0] in ". -~":  # hidden, cut off, taken for an option or for a home directory
        out = _escaped(out[0]) + out[1:]
    if out[-1] in ". ":
        out = out[:-1] + _escaped(out[-1])
    stem = out.partition(".")[0].rstrip(" ").casefold()
    if out.casefold() in _MAILDIR or stem in _WINDOWS:
        out = _escaped(out[0]) + out[1:]
    room = longest - SPARE
    if len(out.encode()) > room:
        short = out.encode()[: room - 40].decode("utf-8", "ignore")
        out = f"{short}%~{_fingerprint(text.encode('utf-8', 'surrogateescape'))}"
    return out


def _must_escape(char: str, composed: bool) -> bool:
    if char in _UNSAFE:
        return True
    if char.isascii():
        return not char.isprintable()
    return not composed or unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def _escaped(char: str) -> str:
    return "".join(f"%{octet:02X}" for octet in char.encode("utf-8", "surrogateescape"))


def _fingerprint(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]
