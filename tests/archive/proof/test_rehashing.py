"""Hashing proves something only of a file that stays as it is, and of a twin only while it is seen to be the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from mailmove.archive.proof import rehashing
from mailmove.archive.proof.rehashing import Digest, Inode, Reading


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "one").write_bytes(b"octets")
    os.link(tmp_path / "one", tmp_path / "twin")
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_a_file_that_changes_while_it_is_read_proves_nothing(
    directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest_of = rehashing._digest_from_here

    def changing(fd: int, size: int) -> Digest:
        found = digest_of(fd, size)
        (tmp_path / "one").write_bytes(b"others")
        return found

    monkeypatch.setattr(rehashing, "_digest_from_here", changing)
    with pytest.raises(OSError, match="changed while it was read"):
        rehashing.read_at(directory, "", "one")


def test_a_twin_is_read_once_while_it_is_the_same_and_again_when_it_is_not(
    directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    digest_of = rehashing._digest_from_here

    def counting(fd: int, size: int) -> Digest:
        read.append(fd)
        return digest_of(fd, size)

    monkeypatch.setattr(rehashing, "_digest_from_here", counting)
    known: dict[Inode, Reading] = {}
    digests = [rehashing.read_at(directory, "", name, known).digest for name in ("one", "twin")]
    assert digests == [(6, sha256(b"octets").digest())] * 2
    assert len(read) == 1
    (tmp_path / "one").write_bytes(b"others")
    os.utime(tmp_path / "one", ns=(1, 1))
    assert rehashing.read_at(directory, "", "twin", known).digest == (6, sha256(b"others").digest())
