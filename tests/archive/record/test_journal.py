"""The record: what is written is what is read; an unfinished last line is cut off and said; other damage stops."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.archive.record import journal, records
from mailmove.archive.record.journal import Journal, Position
from mailmove.archive.record.records import Record
from mailmove.errors import ArchiveError

AT = "2026-11-23T10:02:00Z"
MESSAGE = records.Message(
    folder=b"Sent \xff",
    uidvalidity=7,
    uid=9,
    internaldate=" 1-Jan-2020 00:00:00 +0000",
    arrival=1577836800,
    size=1000,
    octets=1003,
    sha256="5f" * 32,
    flags=("$Invoice", "\\Seen"),
    verified=AT,
)
LINES: list[Record] = [
    records.Beginning(1, "u"),
    MESSAGE,
    records.Flags(b"Sent \xff", 7, 9, ("\\Flagged",)),
    records.Gone(b"Sent \xff", 7, frozenset({9, 10, 11, 40}), AT),
    records.Unknown({"kind": "from the future", "what": ["ever", None]}),
    records.Run("export", AT, 0, {"listed": 1}),
]

octets = st.binary(max_size=30)
uids = st.integers(1, 2**32 - 1)
words = st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.sampled_from(["\\Seen", "$x"]))
messages = st.builds(
    records.Message,
    folder=octets,
    uidvalidity=st.integers(0, 2**32 - 1),
    uid=uids,
    internaldate=st.none() | st.text(max_size=30),
    arrival=st.integers(-(10**11), 10**11),
    size=st.none() | st.integers(0, 10**12),
    octets=st.integers(0, 10**12),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    flags=words,
    verified=st.just(AT),
    object_id=st.none() | st.text("abc123", min_size=1),
    linked=st.booleans(),
)
others = st.one_of(
    st.builds(records.Gone, octets, uids, st.frozensets(uids), st.just(AT)),
    st.builds(records.Flags, octets, uids, uids, words),
    st.builds(records.Trouble, octets, uids, uids, st.text(max_size=50)),
    st.builds(records.Complete, octets, uids, st.none() | uids, uids, st.none() | uids),
)


@contextmanager
def opened(directory: Path, *, writable: bool = True) -> Iterator[Journal]:
    fd = os.open(directory, os.O_RDONLY)
    try:
        file = Journal.open(fd, str(directory / journal.NAME), writable=writable)
    finally:
        os.close(fd)
    try:
        yield file
    finally:
        file.close()


def written(directory: Path, lines: list[Record]) -> bytes:
    fd = os.open(directory, os.O_RDONLY)
    try:
        Journal.create(fd, lines)
    finally:
        os.close(fd)
    return (directory / journal.NAME).read_bytes()


def read(directory: Path, start: Position = Position(), *, writable: bool = True) -> list[Record]:  # noqa: B008
    with opened(directory, writable=writable) as file:
        return [line for line, _ in file.read(start)]


@given(messages | others)
def test_a_line_says_exactly_what_was_recorded(record: Record) -> None:
    line = journal.encode(record)
    assert line.endswith(b"}\n")
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert journal.decode(line[:-1]) == record


def test_what_is_appended_is_read_from_where_one_was(tmp_path: Path) -> None:
    written(tmp_path, LINES[:2])
    with opened(tmp_path) as file:
        *_, (_, behind) = file.read(Position())
        start, end = file.append(LINES[2:4])
        assert start == behind
        file.append(LINES[4:])
    assert read(tmp_path) == LINES
    assert read(tmp_path, behind) == LINES[2:]
    assert read(tmp_path, end) == LINES[4:]


@pytest.mark.fault(7)
def test_an_unfinished_last_line_is_cut_off_wherever_it_ends(tmp_path: Path) -> None:
    whole = written(tmp_path, LINES)
    last = len(journal.encode(LINES[-1]))
    for torn in range(1, last):
        (tmp_path / journal.NAME).write_bytes(whole[: len(whole) - torn])
        assert read(tmp_path, writable=False) == LINES[:-1]
        assert (tmp_path / journal.NAME).stat().st_size == len(whole) - torn  # a reader changes nothing
        with opened(tmp_path) as file:
            assert [line for line, _ in file.read(Position())] == LINES[:-1]
            assert file.torn == last - torn
            file.cut()
            file.append(LINES[-1:])
        assert (tmp_path / journal.NAME).read_bytes() == whole


@pytest.mark.fault(4)
@pytest.mark.parametrize("room", [0, 1, len(journal.encode(LINES[2])) + 1])
def test_what_the_disk_took_only_half_of_is_taken_back(tmp_path: Path, room: int) -> None:
    """A real short write: no file may get larger than the limit."""
    whole = written(tmp_path, LINES[:2])
    with opened(tmp_path) as file:
        assert [line for line, _ in file.read(Position())] == LINES[:2]
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + room, before[1]))
        try:
            with pytest.raises(ArchiveError, match=r"writing .* failed"):
                file.append(LINES[2:])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        with pytest.raises(AssertionError):
            file.append(LINES[2:])  # who knows what the disk did: nothing more until it is read again
    assert (tmp_path / journal.NAME).read_bytes() == whole


@pytest.mark.fault(7)
def test_no_flipped_bit_goes_unnoticed(tmp_path: Path) -> None:
    whole = written(tmp_path, LINES)
    path = tmp_path / journal.NAME
    for place in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << bit
            path.write_bytes(bytes(flipped))
            if place == len(whole) - 1:  # the end of the last line: an unfinished line like any other
                assert read(tmp_path, writable=False) == LINES[:-1]
                continue
            with pytest.raises(ArchiveError, match="is damaged at octet"):
                read(tmp_path)
            assert path.read_bytes() == flipped


@pytest.mark.fault(7)
def test_what_is_too_long_for_a_line_is_damage_and_not_an_unfinished_one(tmp_path: Path) -> None:
    with (tmp_path / journal.NAME).open("xb") as file:
        file.truncate(journal._MAX_LINE + 1)
    with pytest.raises(ArchiveError, match="a line without end"):
        read(tmp_path)
    assert (tmp_path / journal.NAME).stat().st_size == journal._MAX_LINE + 1


@pytest.mark.fault(7)
def test_what_was_read_before_must_not_change_nor_get_shorter(tmp_path: Path) -> None:
    whole = written(tmp_path, LINES)
    with opened(tmp_path) as file:
        *_, (_, end) = file.read(Position())
    path = tmp_path / journal.NAME
    path.write_bytes(whole[: -len(journal.encode(LINES[-1]))])
    with pytest.raises(ArchiveError, match="shorter than when it was last read"):
        read(tmp_path, end)
    path.write_bytes(written(tmp_path, [LINES[0], MESSAGE._replace(uid=8), *LINES[2:]]))
    with pytest.raises(ArchiveError, match="changed since it was last read"):
        read(tmp_path, end)


def test_of_a_damaged_journal_every_line_is_told_and_its_record_where_it_reads() -> None:
    encoded = [journal.encode(line) for line in LINES]
    encoded[2] = encoded[2].replace(b"Flagged", b"flagged")
    told = list(journal.whole_lines(b"".join(encoded) + b'{"kind":"unfin'))
    assert [line for line, _ in told] == encoded
    assert [record for _, record in told] == [*LINES[:2], None, *LINES[3:]]


@pytest.mark.fault(9)
def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    written(elsewhere, LINES)
    (tmp_path / journal.NAME).symlink_to(elsewhere / journal.NAME)
    with pytest.raises(ArchiveError, match="symbolic link"):
        read(tmp_path)


def test_a_missing_journal_points_to_reindex(tmp_path: Path) -> None:
    (tmp_path / "mail" / ".mailmove").mkdir(parents=True)
    with pytest.raises(ArchiveError) as error:
        read(tmp_path / "mail" / ".mailmove")
    assert error.value.next_step.endswith(f"mailmove reindex {tmp_path}/mail")
