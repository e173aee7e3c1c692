"""What a restore writes into the journal, and what the index makes of it."""

from __future__ import annotations

from pathlib import Path

from mailmove.archive import creating
from mailmove.archive.record.manifest import Manifest
from mailmove.archive.record.records import Restored, Restoring
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.model import Folder, MessageId

AT = "2026-11-23T10:02:00Z"
BEGUN = Restoring(b"Sent \xff", 7, 100, AT)
ENDED = Restoring(b"Sent \xff", 7, None, AT)
BACK = Restored(b"Sent \xff", 7, 100, AT, MessageId(b"INBOX", 3, 9), "5f" * 32)
ELSEWHERE = Restored(b"Sent", 7, 100, AT, MessageId(b"INBOX", 3, 9), "5f" * 32, "me@example.net")


def test_the_index_knows_what_was_restored_and_what_was_not_ended(tmp_path: Path) -> None:
    creating.create(str(tmp_path / "mail"), "me@example.org")
    memory = Memory(str(tmp_path / "state"))
    with Archive.open(str(tmp_path / "mail"), memory, writable=True) as archive:
        archive.record([BEGUN, BACK, ELSEWHERE])
    memory = Memory(str(tmp_path / "another machine"))  # where the index is made from the journal
    with Archive.open(str(tmp_path / "mail"), memory, writable=True) as archive:
        assert archive.index.restoring(b"Sent \xff") == BEGUN
        assert archive.index.restoring(b"Sent \xff", "me@example.net") is None
        assert archive.index.restored(b"Sent \xff", 7) == {100: BACK}
        assert archive.index.restored(b"Sent", 7, "me@example.net") == {100: ELSEWHERE}
        assert archive.index.restored(b"Sent", 7) == {}
        archive.record([ENDED])
        assert archive.index.restoring(b"Sent \xff") is None


def test_a_folders_special_use_is_kept_when_the_server_tells_it_no_more() -> None:
    told = Folder(b"Gesendet", b".", frozenset({"\\sent"}))
    manifest = Manifest("uuid", "login").with_folder(Folder(b"Gesendet", b"."), 7).with_folder(told, 7)
    assert manifest.with_folder(Folder(b"Gesendet", b"."), 7) is manifest
    assert [folder.special_use for folder in manifest.folders] == ["\\sent"]
