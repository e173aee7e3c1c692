"""Which folders a rule has matched, and what the index makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmove.archive import creating
from mailmove.archive.index import index
from mailmove.archive.record.records import RuleMatched
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive

EARLIER, LATER = "2026-11-23T10:02:00Z", "2026-11-24T10:02:00Z"


def test_each_folder_of_a_rule_is_known_as_it_was_last(tmp_path: Path) -> None:
    creating.create(str(tmp_path / "mail"), "me@example.org")
    first, second = RuleMatched("Clienti", b"Clienti", 7, None, EARLIER), RuleMatched("K*", b"K\xff", 7, "F2", EARLIER)
    again = first._replace(mailboxid="F1", at=LATER)
    renewed = again._replace(uidvalidity=8)
    with Archive.open(str(tmp_path / "mail"), Memory(str(tmp_path / "state")), writable=True) as archive:
        archive.record([first, second, again])
        archive.record([renewed])
    for state in ("state", "another machine"):  # where the index is made from the journal
        with Archive.open(str(tmp_path / "mail"), Memory(str(tmp_path / state)), writable=False) as archive:
            assert archive.index.rules_matched() == [second, again, renewed]
            assert archive.index.folders() == []


def test_an_index_of_a_mailmove_that_skipped_a_kind_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    creating.create(str(tmp_path / "mail"), "me@example.org")
    memory = Memory(str(tmp_path / "state"))
    monkeypatch.setattr(index, "_KINDS", "message run")
    Archive.open(str(tmp_path / "mail"), memory, writable=False).close()
    monkeypatch.undo()
    for notes in (1, 0):
        with Archive.open(str(tmp_path / "mail"), memory, writable=False) as archive:
            assert len(archive.notes) == notes
