"""What was hashed in copies is a cache: what is wrong with it is none of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mailmove.archive.state import proofs
from mailmove.archive.state.memory import Memory
from mailmove.archive.state.proofs import Proofs, Proven

UUID = "11111111-2222-3333-4444-555555555555"
ONE, TWO = Proven("1.V7U1", b"\1", f"{2**64 - 1} 2 3 4", 100), Proven("1.V7U2", b"\2", "5 2 3 4", 200)


def test_what_was_noted_is_told_by_directory_and_time(tmp_path: Path) -> None:
    known = Proofs(Memory(str(tmp_path)), UUID, "a")
    known.note("INBOX", [ONE, TWO])
    known.note("\udcff", [ONE])
    assert known.of("INBOX", 0) == {ONE.base: ONE, TWO.base: TWO}
    assert known.of("INBOX", 101) == {TWO.base: TWO} and known.of("\udcff", 100) == {ONE.base: ONE}
    assert (known.count(100), known.count(101)) == (3, 1)
    known.note("INBOX", [ONE._replace(at=300)])
    assert known.of("INBOX", 300)[ONE.base].at == 300
    assert Proofs(Memory(str(tmp_path)), UUID, "b").of("INBOX", 0) == {}


def test_one_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path))
    Proofs(memory, UUID, "a").note("INBOX", [ONE])
    (path,) = proofs.files(memory, UUID)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    assert Proofs(memory, UUID, "a").of("INBOX", 0) == {}
    Proofs(memory, UUID, "a").note("INBOX", [TWO])
    assert Proofs(memory, UUID, "a").count(0) == 1
    assert proofs.files(memory, UUID[:-1]) == []
