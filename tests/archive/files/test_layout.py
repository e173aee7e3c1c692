"""Folder names as directories: safe on every file system, inside the archive, and never two folders in one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmove.archive.files import layout
from mailmove.archive.record.manifest import Manifest
from mailmove.model import Folder

WINDOWS = {"con", "prn", "aux", "nul", "com1", "com9", "lpt1", "com¹"}
NASTY = [
    b"../x",
    b"..",
    b".",
    b"/",
    b"//",
    b"a/b",
    b"cur",
    b"new",
    b"TMP",
    b"Cur/new",
    b"CON",
    b"con.txt",
    b"COM\xc2\xb9.a",
    b" leading",
    b"trailing ",
    b"dot.",
    b".hidden",
    b"-rf",
    b"~root",
    b".mailmove",
    b"a\0b",
    b"a\rb",
    b"tab\t",
    b"\x1b[31m",
    b"100%",
    b"%41",
    b"A",
    b"%",
    b"% %2",
    b"a %2",
    b"&AOQ-",
    b"&AMQ-",
    b"a&AwgA-",
    b"\xc3\xa4",
    b"a\xcc\x88",
    b"\xff\xfe",
    b"&broken",
    b"&-",
    b"INBOX",
    b"Inbox",
    b"x" * 255,
    b"x" * 256,
    b"\xc3\xa9" * 200,
    b"/".join([b"deep" * 20] * 20),
    b"",
    b"INBOX (UIDVALIDITY 7)",
    b"\xe2\x80\xae",
    b"stra\xc3\x9fe",
    b"STRASSE",
    b"\xef\xac\x81",
    b"fi",
    b"K",
    b"\xe2\x84\xaa",
]
wires = st.one_of(
    st.sampled_from(NASTY),
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
delimiters = st.sampled_from([b"/", b".", b"\\", None])


def folded(path: str) -> str:
    """What a file system that ignores case and composes characters takes for the same."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFC", path).casefold()).casefold()


def assert_safe(path: str) -> None:
    path.encode("utf-8")  # no lone surrogates
    assert len(path.encode()) <= 1000
    for part in path.split("/"):
        assert part
        assert part not in (".", "..")
        assert not part.startswith((".", " ", "-", "~"))
        assert not part.endswith((".", " "))
        assert part.casefold() not in ("cur", "new", "tmp")
        assert part.partition(".")[0].rstrip(" ").casefold() not in WINDOWS
        assert not set(part) & set('\\:*?"<>|')
        assert not {unicodedata.category(char) for char in part} & {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
        assert unicodedata.normalize("NFC", part) == part
        assert len(part.encode()) <= 255


@pytest.mark.fault(37)
@given(wires, delimiters)
def test_a_directory_is_safe_on_every_system(wire: bytes, delimiter: bytes | None) -> None:
    assert_safe(layout.directory(wire, delimiter))


@pytest.mark.fault(37)
@given(st.lists(wires, unique=True, max_size=12), delimiters, st.integers(1, 3))
@example(NASTY, b"/", 1)
@example(NASTY, b".", 3)
@example(NASTY, None, 2)
def test_no_two_folders_share_a_directory(folders: list[bytes], delimiter: bytes | None, epochs: int) -> None:
    manifest = Manifest("uuid", "login")
    for uidvalidity in range(1, epochs + 1):  # every change of UIDVALIDITY makes a sibling
        for wire in folders:
            manifest = manifest.with_folder(Folder(wire, delimiter), uidvalidity)
    paths = [folder.path for folder in manifest.folders]
    assert len({folded(path) for path in paths}) == len(folders) * epochs
    for path in paths:
        assert_safe(path)


def test_ordinary_names_stay_readable() -> None:
    assert layout.directory(b"INBOX", b"/") == "INBOX"
    assert layout.directory(b"Archive.2019", b".") == "Archive/2019"
    assert layout.directory(b"T&APY-iss&AOQ- &- muualla", b"/") == "Töissä & muualla"
    assert layout.directory(b"100%", b"/") == "100%25"
    assert layout.directory(b"cur", b"/") == "%63ur"
