"""archive.toml: read back exactly; nothing in it leads out of the archive; a newer format is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.archive.record import manifest
from mailmove.archive.record.manifest import Manifest
from mailmove.errors import ArchiveError
from mailmove.model import Folder

wires = st.binary(max_size=30) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))
delimiters = st.none() | st.binary(min_size=1, max_size=1)


def saved(directory: Path, what: Manifest) -> Manifest:
    fd = os.open(directory, os.O_RDONLY)
    try:
        manifest.save(what, fd)
        return manifest.load(fd, "archive.toml")
    finally:
        os.close(fd)


def loaded(directory: Path, text: str) -> Manifest:
    (directory / manifest.NAME).write_text(text)
    fd = os.open(directory, os.O_RDONLY)
    try:
        return manifest.load(fd, "archive.toml")
    finally:
        os.close(fd)


@given(st.lists(st.tuples(wires, delimiters, st.integers(0, 2**32 - 1)), max_size=6))
def test_every_folder_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, folders: list[tuple[bytes, bytes | None, int]]
) -> None:
    what = Manifest("6e4c", "me@example.org", ";")
    for wire, delimiter, uidvalidity in folders:
        what = what.with_folder(Folder(wire, delimiter), uidvalidity)
    assert saved(tmp_path_factory.mktemp("meta"), what) == what


HEAD = 'format = 1\nuuid = "u"\nlogin = "me"\nseparator = ":"\n'
FOLDER = '[[folder]]\nwire = "INBOX"\nuidvalidity = 7\npath = '


@pytest.mark.parametrize("path", ["../out", "/etc", "a/../../b", ".mailmove", "a/.hidden", "a//b", "", "a\\u0000b"])
def test_a_path_out_of_the_archive_is_damage(tmp_path: Path, path: str) -> None:
    with pytest.raises(ArchiveError, match="is damaged"):
        loaded(tmp_path, f'{HEAD}{FOLDER}"{path}"\n')


def test_two_folders_in_one_directory_are_damage(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="two folders have the path 'a'"):
        loaded(tmp_path, f'{HEAD}{FOLDER}"a"\n{FOLDER.replace("INBOX", "Sent")}"a"\n')


@pytest.mark.parametrize(
    "text",
    [
        *("", "format = 1", HEAD + FOLDER + "7\n", HEAD.replace('":"', '"|"'), HEAD + "[[folder]]\n", "\0", "x = ["),
        HEAD + FOLDER.replace("= 7", '= "7"') + '"a"\n',
    ],
)
def test_what_does_not_read_is_never_an_empty_archive(tmp_path: Path, text: str) -> None:
    with pytest.raises(ArchiveError, match="is damaged"):
        loaded(tmp_path, text)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="archive format 2") as error:
        loaded(tmp_path, HEAD.replace("format = 1", "format = 2"))
    assert "Install a newer mailmove" in error.value.next_step


def test_a_changed_uidvalidity_moves_the_old_one_aside() -> None:
    first = Manifest("u", "me").with_folder(Folder(b"INBOX"), 7)
    second = first.with_folder(Folder(b"INBOX"), 8)
    assert [(f.path, f.retired) for f in second.folders] == [("INBOX (UIDVALIDITY 7)", True), ("INBOX", False)]
    assert [folder.shown for folder in second.folders] == ["INBOX (UIDVALIDITY 7)", "INBOX"]
