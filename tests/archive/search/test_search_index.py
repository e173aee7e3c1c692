"""The search index is derived: whatever becomes of it, the next search finds all that is archived."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mailmove.archive import erasing
from mailmove.archive.search import catching, filling, reader, readers
from mailmove.archive.search.matching import Matching
from mailmove.archive.search.query import Query, Term
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from tests.archive.conftest import folder, put
from tests.archive.search.conftest import caught_up, found
from tests.kit import message

MANY = 12


def digest(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


ALL = {digest(message(number)) for number in range(MANY)}


def fill(archive: Archive, name: str = "INBOX") -> None:
    place = folder(archive, name)
    for number in range(MANY):
        put(archive, place, number + 1, message(number))


def files(archive: Archive) -> set[str]:
    return {file.name for file in Path(archive.path).rglob("cur/*")}


def test_messages_are_taken_in_once_and_what_is_new_comes_after(archive: Archive) -> None:
    fill(archive)
    fill(archive, "Twins")
    path = catching.path_of(archive)
    assert found(archive, "padded to sixty") == ALL
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM body").fetchone() == (MANY,)
        assert db.execute("SELECT count(*) FROM copy").fetchone() == (2 * MANY,)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert [list(catching.caught_up(archive))] == [[]], "nothing is read or written where nothing is new"
    put(archive, folder(archive, "INBOX"), 99, b"Subject: late\r\n\r\nnewcomer\r\n")
    assert len(found(archive, "newcomer")) == 1


def test_an_index_that_was_made_anew_numbers_messages_otherwise(archive: Archive) -> None:
    fill(archive, "Sent")
    assert found(archive, "padded") == ALL
    archive.index._db.execute("UPDATE meta SET value = 'another' WHERE name = 'made'")
    archive.index._db.execute("UPDATE message SET id = 1000 - id")
    assert found(archive, "padded") == ALL
    with caught_up(archive) as index:
        assert Matching(index, Query()).counted() == (MANY, MANY)


@pytest.mark.fault(75)
@pytest.mark.parametrize("harm", ["garbage", "empty", "cut", "version", "words"])
def test_a_search_index_that_cannot_be_read_is_made_again_and_that_is_said(archive: Archive, harm: str) -> None:
    fill(archive)
    found(archive, "padded")
    path = Path(catching.path_of(archive))
    content = path.read_bytes()
    if harm == "garbage":
        path.write_bytes(os.urandom(len(content)))
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 7" if harm == "version" else "DROP TABLE body")
    before = files(archive)
    notes = [news for news in catching.caught_up(archive) if isinstance(news, str)]
    assert found(archive, "padded") == ALL
    assert files(archive) == before
    assert [("it is made again" in note and str(path) in note) for note in notes] == ([True] if harm != "empty" else [])


KILLED = """
import os, signal, sys
from mailmove.archive.search import catching, filling
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
filling._PORTION = 3
path, state, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
insert = filling._Filling._insert
def counting(self, *given, **more):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    insert(self, *given, **more)
filling._Filling._insert = counting
with Archive.open(path, Memory(state), writable=False) as archive:
    for _ in catching.caught_up(archive):
        pass
"""


@pytest.mark.fault(76)
def test_killed_while_it_takes_messages_in_the_next_search_goes_on(archive: Archive, memory: Memory) -> None:
    fill(archive)
    for left in (2, 4):
        command = [sys.executable, "-c", KILLED, archive.path, memory.path, str(left)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        with catching.opened(archive) as index:
            (taken,) = index.db.execute("SELECT count(*) FROM body").fetchone()
        assert taken % 3 == 0, "a portion is taken in whole or not at all"
    assert found(archive, "padded") == ALL


@pytest.mark.fault(76)
def test_searches_at_the_same_time_take_everything_in_once(archive: Archive, memory: Memory) -> None:
    fill(archive)
    command = [sys.executable, "-c", KILLED, archive.path, memory.path, "1000"]
    running = [subprocess.Popen(command) for _ in range(3)]
    put(archive, folder(archive, "INBOX"), 99, b"Subject: meanwhile\r\n\r\nan export goes on\r\n")
    assert [each.wait() for each in running] == [0, 0, 0]
    assert found(archive, "padded") == ALL
    assert len(found(archive, "export goes")) == 1
    with catching.opened(archive) as index:
        assert Matching(index, Query()).counted() == (MANY + 1, MANY + 1)


def test_erasing_a_message_erases_the_search_index(archive: Archive) -> None:
    fill(archive)
    assert found(archive, "padded") == ALL
    erasing.erase(archive, [])
    assert not Path(catching.path_of(archive)).exists()
    assert found(archive, "padded") == ALL


DEADLY = b"Subject: deadly\r\n\r\nnobody reads this\r\n"


@pytest.mark.fault(77)
def test_a_message_that_ends_its_reader_costs_its_own_text_and_a_note(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os\nimport mailmove.archive.search.reader as reader\nwords = reader.words\n"
        "reader.words = lambda octets, extractor: os.abort() if b'deadly' in octets else words(octets, extractor)\n"
        "reader.main()\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[3]}")
    monkeypatch.setattr(reader, "__name__", "deadly")
    fill(archive)
    put(archive, folder(archive, "INBOX"), 50, DEADLY)
    put(archive, folder(archive, "INBOX"), 51, b"Subject: after\r\n\r\npadded as well\r\n")
    assert found(archive, "padded") == ALL | {digest(b"Subject: after\r\n\r\npadded as well\r\n")}
    assert found(archive, "nobody") == set()
    with caught_up(archive) as index:
        [note] = Matching(index, Query((Term("nobody"),))).notes()
    assert note == (digest(DEADLY), False, readers.DIED)


def test_a_file_that_cannot_be_read_is_said_and_read_when_it_is_back(archive: Archive) -> None:
    file = put(archive, folder(archive, "INBOX"), 1, octets := b"From: anna\r\nSubject: gone\r\n\r\nwords within\r\n")
    os.rename(file, Path(archive.path).parent / "x")
    assert found(archive, "within") == set()
    assert found(archive, "anna") == {digest(octets)}, "its header is in the archive's index"
    with caught_up(archive) as index:
        hit = Matching(index, Query())
        assert hit.counted() == (1, 1)
        assert index.db.execute("SELECT unread FROM note").fetchall() == [(1,)]
    os.rename(Path(archive.path).parent / "x", file)
    assert found(archive, "within") == {digest(octets)}


@pytest.mark.fault(77)
def test_what_is_made_to_hang_or_fill_a_reader_is_taken_in_bounded(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "MAX_READ", 1 << 20)
    place = folder(archive, "INBOX")
    parts = b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 20_000
    nested = b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"Subject: deep\r\n\r\ninnermost\r\n"
    long = b"Subject: long\r\n\r\nbeginning " + b"word " * 500_000 + b"ending\r\n"
    for uid, octets in enumerate((parts, nested, long), 1):
        put(archive, place, uid, octets)
    assert found(archive, "parts") == {digest(parts)}
    assert found(archive, "beginning word") == {digest(long)}
    assert found(archive, "ending") == found(archive, "innermost") == set()
    with caught_up(archive) as index:
        notes = dict(index.db.execute("SELECT b.sha256, n.what FROM note n JOIN body b ON b.id = n.body"))
    assert set(notes) == {digest(parts), digest(nested), digest(long)}
    assert "they are too many" in notes[digest(parts)] and "deeper than" in notes[digest(nested)]
    assert "what comes after its first 1.00 MB" in notes[digest(long)]
