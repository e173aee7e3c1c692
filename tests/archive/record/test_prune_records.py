"""What a prune writes into the journal, and what the index makes of it."""

from __future__ import annotations

from pathlib import Path

from mailmove.archive import creating
from mailmove.archive.record.records import Message, PruneBegun, PruneDone, Run
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive

AT = "2026-11-23T10:02:00Z"
SENT = b"Sent \xff"


def begun(run: str, folder: bytes = SENT, *uids: int) -> PruneBegun:
    return PruneBegun(run, AT, folder, 7, frozenset(uids), frozenset({1}), frozenset(), "sha256", "typed 3")


def message(uid: int) -> Message:
    return Message(SENT, 7, uid, None, 1000, 10, 10, f"{uid:064x}", (), AT)


def test_the_index_knows_what_runs_deleted_and_what_none_has_ended(tmp_path: Path) -> None:
    creating.create(str(tmp_path / "mail"), "me@example.org")
    one, two, three = begun("a", SENT, 1, 2, 3), begun("a", b"INBOX", 9), begun("b", SENT, 3)
    done = PruneDone("a", AT, SENT, 7, frozenset({1, 2}), frozenset({3}))
    run = Run("prune", AT, 3, {"deleted": 2, "attended": 1}, "a")
    with Archive.open(str(tmp_path / "mail"), Memory(str(tmp_path / "state")), writable=True) as archive:
        archive.record([message(1), message(2), message(3), one, done, two, run, Run("export", AT, 0, {})])
        archive.record([three])
    for state in ("state", "another machine"):  # where the index is made from the journal
        with Archive.open(str(tmp_path / "mail"), Memory(str(tmp_path / state)), writable=False) as archive:
            index = archive.index
            assert [tuple(d) for d in index.deletions("a")] == [(one, done), (two, None)]
            assert [d.begun for d in index.deletions()] == [one, two, three]
            assert [d.begun for d in index.unfinished()] == [two, three]
            assert index.runs() == [run, Run("export", AT, 0, {})]
            assert {uid for uid, known in index.known(SENT, 7).items() if known.gone} == {1, 2}
