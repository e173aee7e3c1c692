"""Prune, on every kind of server: what goes was planned and is in the archive; nothing else goes."""

from __future__ import annotations

import os
import pty
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit import NOW, Mailbox, Program, archived, hashes, message, sha256, total
from tests.servers.dovecot import Dovecot

OLD = NOW - timedelta(days=400)
YOUNG = NOW - timedelta(days=5)


class Owner:
    """Somebody with one account, who runs mailmove on it."""

    def __init__(self, mailbox: Mailbox, mailmove: Program, home: Path) -> None:
        self.mailbox = mailbox
        self.archive = home / "mail"
        self.mailmove = mailmove

    def __call__(self, command: str, *arguments: object) -> Any:
        common = (self.mailbox.url, "--tls", "none", "--archive", self.archive)
        return self.mailmove(command, *common, *arguments)

    def command(self, command: str, *arguments: object) -> list[str]:
        common = (self.mailbox.url, "--tls", "none", "--archive", self.archive)
        return self.mailmove.command(command, *common, *arguments)

    def json(self, command: str, *arguments: object) -> dict[str, Any]:
        done = self(command, *arguments, "--json")
        assert done.out, done.err
        account: dict[str, Any] = done.json["accounts"][0]
        return account

    def at_terminal(self, answer: bytes, command: str, *arguments: object) -> tuple[int, str]:
        """Run it at a terminal and answer its question; end of input is Ctrl-D."""
        pid, fd = pty.fork()
        if pid == 0:
            words = self.command(command, *arguments)
            os.execve(words[0], words, self.mailmove.env)
        said = b""
        while True:
            try:
                piece = os.read(fd, 65536)
            except OSError:
                break
            if not piece:
                break
            said += piece
            if answer and said.endswith(b"to keep everything: "):
                os.write(fd, answer)
                answer = b""
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode().replace("\r\n", "\n")

    @property
    def everything(self) -> dict[str, int]:
        """Every message there is, on the server or in the archive, by SHA-256: the greater number of the two."""
        here, there = total(archived(self.archive)), total(self.mailbox.contents())
        return dict(here | there)


@pytest.fixture
def owner(anywhere: Mailbox, mailmove: Program, tmp_path: Path) -> Owner:
    """With thirty old messages and ten young ones in INBOX, and ten old ones elsewhere."""
    anywhere.fill(map(message, range(30)), arrival=OLD)
    anywhere.fill(map(message, range(30, 40)), arrival=YOUNG)
    anywhere.fill(map(message, range(40, 50)), "Työ/Laskut", arrival=OLD)
    return Owner(anywhere, mailmove, tmp_path)


def test_after_export_and_prune_every_message_is_still_somewhere(owner: Owner) -> None:
    before = owner.mailbox.contents()
    assert owner("export").code == 0
    done = owner("prune", "--older-than", "30d", "--yes")
    assert done.code == 0, done.err
    assert owner.everything == dict(total(before))
    assert len(owner.mailbox.uids()) == 10
    assert not owner.mailbox.uids("Työ/Laskut")
    assert archived(owner.archive) == {name: held for name, held in before.items() if held}
    assert "Exported 0 new. Verified 40 local copies: all identical." in done.out
    assert "Deleted 40 messages" in done.out


def test_what_is_not_archived_yet_is_exported_first(owner: Owner) -> None:
    before = total(owner.mailbox.contents())
    result = owner.json("prune", "--older-than", "30d", "--yes")
    assert (result["exported"], result["verified"], result["deleted"], result["exit"]) == (50, 40, 40, 0)
    assert owner.everything == dict(before)


def test_a_second_run_has_nothing_to_do(owner: Owner) -> None:
    owner("prune", "--older-than", "30d", "--yes")
    again = owner("prune", "--older-than", "30d", "--yes")
    assert again.code == 0
    assert "Nothing to delete" in again.out
    assert owner("prune", "--older-than", "30d", "--yes", "-q").out == ""


def test_flagged_and_draft_messages_stay_by_default(owner: Owner) -> None:
    uids = owner.mailbox.uids()
    with owner.mailbox.client() as client:
        client.select_folder("INBOX")
        client.add_flags(uids[:3], [b"\\Flagged"])
        client.add_flags(uids[3:5], [b"\\Draft"])
    result = owner.json("prune", "--older-than", "30d", "--yes", "--folder", "INBOX")
    assert result["deleted"] == 25
    assert result["folders"][0]["keep"] == {
        "newer": {"messages": 10, "octets": result["folders"][0]["keep"]["newer"]["octets"]},
        "flagged": {"messages": 3, "octets": result["folders"][0]["keep"]["flagged"]["octets"]},
        "draft": {"messages": 2, "octets": result["folders"][0]["keep"]["draft"]["octets"]},
    }
    assert owner.mailbox.uids()[:5] == uids[:5]
    assert len(owner.mailbox.uids("Työ/Laskut")) == 10
    assert owner.json("prune", "--older-than", "30d", "--yes", "--keep", "none")["deleted"] == 15


@pytest.mark.fault(18)
def test_messages_that_another_program_has_marked_survive(owner: Owner) -> None:
    uids = owner.mailbox.uids()
    with owner.mailbox.client() as client:
        client.select_folder("INBOX")
        client.add_flags(uids[30:33], [b"\\Deleted"])
    assert owner.json("prune", "--older-than", "30d", "--yes")["deleted"] == 40
    assert owner.mailbox.uids() == uids[30:]
    with owner.mailbox.client() as client:
        client.select_folder("INBOX", readonly=True)
        assert client.search(["DELETED"]) == uids[30:33]


@pytest.mark.loss(43)
def test_without_terminal_and_without_yes_it_only_plans(owner: Owner) -> None:
    before = owner.mailbox.contents()
    done = owner("prune", "--older-than", "30d")
    assert done.code == 8
    assert "To delete on the server (arrived before " in done.out
    assert re.search(r"INBOX\s+30 .* keeps 10 newer", done.out)
    assert owner.mailbox.contents() == before


def test_a_dry_run_downloads_and_changes_nothing(owner: Owner) -> None:
    before = owner.mailbox.contents()
    done = owner("prune", "--older-than", "30d", "--yes", "--dry-run")
    assert done.code == 0, done.err
    assert "40 of them are not archived yet" in done.out
    assert owner.mailbox.contents() == before
    assert not owner.archive.exists()


def test_a_dry_run_with_an_archive_changes_nothing_either(owner: Owner) -> None:
    """Not even what any run that may write mends: a line of the journal that was being written."""
    assert owner("export").code == 0
    with (owner.archive / ".mailmove/journal.jsonl").open("ab") as journal:
        journal.write(b'{"kind":"unfin')
    before = owner.mailbox.contents()
    files = {path: path.read_bytes() for path in owner.archive.rglob("*") if path.is_file()}
    done = owner("prune", "--older-than", "30d", "--yes", "--dry-run")
    assert done.code == 0, done.err
    assert owner.mailbox.contents() == before
    assert {path: path.read_bytes() for path in owner.archive.rglob("*") if path.is_file()} == files


def test_an_answer_that_comes_through_a_pipe_is_none(owner: Owner) -> None:
    before = owner.mailbox.contents()
    account = (owner.mailbox.url, "--tls", "none", "--archive", owner.archive)
    done = owner.mailmove("prune", *account, "--older-than", "30d", stdin="40\n")
    assert done.code == 8
    assert owner.mailbox.contents() == before


@pytest.mark.parametrize("answer", [b"\r", b"39\r", b"yes\r", b"\x04"])
def test_at_a_terminal_anything_but_the_number_keeps_everything(owner: Owner, answer: bytes) -> None:
    before = owner.mailbox.contents()
    code, said = owner.at_terminal(answer, "prune", "--older-than", "30d")
    assert code == 8, said
    assert "Type 40 to delete, Enter to keep everything:" in said
    assert said.count(" is not 40.\nNothing was deleted.") == (answer in (b"39\r", b"yes\r"))
    assert "Nothing was deleted." in said
    assert owner.mailbox.contents() == before
    assert "declined or refused" in owner.mailmove("history", owner.archive).out


def test_at_a_terminal_the_typed_number_deletes(owner: Owner) -> None:
    before = total(owner.mailbox.contents())
    code, said = owner.at_terminal(b"40\r", "prune", "--older-than", "30d")
    assert code == 0, said
    assert "They vanish from every phone" in said
    assert "Deleted 40 messages" in said
    assert owner.everything == dict(before)
    assert len(owner.mailbox.uids()) == 10


def test_ctrl_c_at_the_question_keeps_everything(owner: Owner) -> None:
    before = owner.mailbox.contents()
    code, said = owner.at_terminal(b"\x03", "prune", "--older-than", "30d")
    assert code == 130, said
    assert owner.mailbox.contents() == before


def test_without_archive_says_what_is_lost_for_good(owner: Owner) -> None:
    done = owner("prune", "--older-than", "30d", "--yes", "--without-archive", "--folder", "Työ/Laskut")
    assert done.code == 0, done.err
    assert "10 of them are in NO archive and will be LOST FOR GOOD." in done.out
    assert not owner.mailbox.uids("Työ/Laskut")
    assert len(owner.mailbox.uids()) == 40
    assert total(archived(owner.archive)) == {}


@pytest.mark.fault(8)
def test_an_altered_or_missing_file_keeps_its_message(owner: Owner) -> None:
    owner("export")
    uids = owner.mailbox.uids()
    files = [next((owner.archive / "INBOX" / "cur").glob(f"*U{uid},*")) for uid in uids[:2]]
    files[0].chmod(0o600)
    files[0].write_bytes(files[0].read_bytes().replace(b"message", b"massage"))
    files[1].unlink()
    result = owner.json("prune", "--older-than", "30d", "--yes")
    assert (result["deleted"], result["exit"]) == (38, 3)
    inbox = next(folder for folder in result["folders"] if folder["name"] == "INBOX")
    assert {item["uid"]: item["why"] for item in inbox["unproven"]} == {
        uids[0]: "its file was altered",
        uids[1]: "its file is missing",
    }
    assert owner.mailbox.uids()[:2] == uids[:2]


def test_the_quota_that_is_reported_is_the_servers(
    mailbox: Mailbox, dovecot: Dovecot, mailmove: Program, tmp_path: Path
) -> None:
    owner = Owner(mailbox, mailmove, tmp_path)
    mailbox.fill([message(n, size=20_000) for n in range(40)], arrival=OLD)
    mailbox.fill([message(n, size=20_000) for n in range(40, 50)], arrival=YOUNG)
    result = owner.json("prune", "--older-than", "30d", "--yes")
    said = dovecot.doveadm("quota", "get", "-u", mailbox.user)
    value, limit = re.search(r"STORAGE\s+(\d+)\s+(\d+)", said).groups()  # type: ignore[union-attr]
    assert result["quota"]["after"] == {
        "root": "User quota",
        "resource": "STORAGE",
        "used": int(value) * 1024,
        "limit": int(limit) * 1024,
    }
    assert result["quota"]["before"]["used"] > result["quota"]["after"]["used"] * 4


def test_down_to_a_size_frees_only_what_is_needed_and_trash_first(
    mailbox: Mailbox, mailmove: Program, tmp_path: Path
) -> None:
    owner = Owner(mailbox, mailmove, tmp_path)
    for n in range(20):
        mailbox.fill([message(n, size=50_000)], arrival=OLD + timedelta(days=n))
    mailbox.fill([message(n, size=50_000) for n in range(20, 24)], "Trash", arrival=YOUNG)
    used = owner.json("prune", "--down-to", "10MB", "--dry-run")["quota"]["before"]["used"]
    result = owner.json("prune", "--down-to", f"{used // 1024 - 390}KB", "--yes")
    assert result["exit"] == 0, result
    assert not mailbox.uids("Trash")
    assert mailbox.uids() == list(range(5, 21)), "the four oldest"
    assert result["quota"]["after"]["used"] <= used - 390 * 1024
    kept = owner.json("prune", "--down-to", "1KB", "--older-than", "396d", "--yes")
    assert kept["deleted"] == 1
    assert kept["exit"] == 3, "the target is out of reach, and that is said"


def test_down_to_per_cent_goes_by_the_quota_oldest_first_across_folders(mailmove: Program, tmp_path: Path) -> None:
    server = Dovecot(storage="1M")
    try:
        mailbox = Mailbox("dovecot", server.host, server.imap, "full")
        owner = Owner(mailbox, mailmove, tmp_path)
        texts = [message(n, size=50_000) for n in range(18)]
        for n in (7, 0, 5, 2, 4, 1, 6, 3):  # UIDs say nothing about age
            mailbox.fill([texts[n]], ("INBOX", "Work")[n % 2], arrival=OLD + timedelta(days=n))
        mailbox.fill(texts[8:14], "INBOX", arrival=YOUNG)
        mailbox.fill(texts[14:16], "Trash", arrival=YOUNG)
        mailbox.fill(texts[16:], "Junk", arrival=YOUNG + timedelta(days=1))
        every = hashes(*texts)

        def used() -> int:
            found = re.search(r"STORAGE\s+(\d+)\s+1024", server.doveadm("quota", "get", "-u", mailbox.user))
            assert found
            return int(found[1]) << 10

        def gone(per_cent: int, *options: object) -> list[int]:
            """Which messages went; checked: as many as were needed, none more, and what the report says of it."""
            before, target = used(), (per_cent << 20) // 100
            result = owner.json("prune", "--down-to", f"{per_cent}%", "--yes", *options)
            assert result["exit"] == 0, result
            assert (result["quota"]["before"]["used"], result["quota"]["after"]["used"]) == (before, used())
            assert used() <= target < used() + len(texts[0])
            held = total(mailbox.contents())
            assert total(archived(owner.archive)) | held == every
            return [n for n, text in enumerate(texts) if not held[sha256(text)]]

        assert used() > 0.85 * (1 << 20)
        assert gone(80) == [14, 15], "from Trash and Junk first, and the oldest of them"
        assert gone(60, "--older-than", "30d") == [0, 1, 2, 3, 14, 15], "and nothing younger, be it in Junk"
        assert gone(45) == [0, 1, 2, 3, 4, 14, 15, 16, 17], "the rest of Junk before the next oldest"
    finally:
        server.stop()


def test_archived_for_counts_from_the_day_of_archiving(owner: Owner) -> None:
    from mailmove.archive.record import journal, records
    from mailmove.archive.state.memory import Memory
    from mailmove.archive.store import Archive
    from mailmove.units import timestamp

    owner("export")
    uids = owner.mailbox.uids()
    before = total(owner.mailbox.contents())
    long_ago = {**dict.fromkeys(uids[:4], 15), **dict.fromkeys(uids[4:6], 13), **dict.fromkeys(uids[30:33], 15)}
    state = Memory(str(owner.mailmove.home / "state"))
    with Archive.open(str(owner.archive), state, writable=True) as archive:
        lines = map(journal.decode, (owner.archive / ".mailmove" / "journal.jsonl").read_bytes().splitlines())
        held = [line for line in lines if isinstance(line, records.Message) and line.folder == b"INBOX"]
        archive.record(
            line._replace(verified=timestamp(NOW - timedelta(days=long_ago[line.uid])))
            for line in held
            if line.uid in long_ago
        )
    result = owner.json("prune", "--older-than", "30d", "--archived-for", "14d", "--yes")
    assert (result["deleted"], result["exit"]) == (4, 0)
    kept = {folder["name"]: folder["keep"]["recent_in_archive"]["messages"] for folder in result["folders"]}
    assert kept == {"INBOX": 26, "Työ/Laskut": 10}
    assert owner.mailbox.uids() == uids[4:]
    owner.mailbox.fill([message(50)], arrival=OLD)
    assert owner.json("prune", "--archived-for", "14d", "--yes")["deleted"] == 3, "whatever day they arrived"
    assert owner.mailbox.uids()[:-1] == uids[4:30] + uids[33:]
    assert owner.everything == dict(before + hashes(message(50)))


def test_a_number_of_messages_as_the_most_to_delete_unattended(
    anywhere: Mailbox, mailmove: Program, tmp_path: Path
) -> None:
    owner = Owner(anywhere, mailmove, tmp_path)
    anywhere.fill(map(message, range(12)), arrival=OLD)
    anywhere.fill(map(message, range(12, 100)), arrival=YOUNG)
    anywhere.fill(map(message, range(100, 120)), "Small", arrival=OLD)
    before = total(anywhere.contents())
    words = ("prune", "--older-than", "30d", "--max-delete")
    done = owner(*words, 11, "--yes")
    assert done.code == 8
    assert "INBOX is kept: 12 of 100 messages would go, more than --max-delete 11." in done.out
    assert f"run it once by hand: mailmove prune {anywhere.url}" in done.out and "--yes" not in done.out
    assert (len(anywhere.uids()), len(anywhere.uids("Small"))) == (100, 0), "small folders have no such brake"
    assert owner(*words, 12, "--yes").code == 0
    assert len(anywhere.uids()) == 88
    assert owner.everything == dict(before)


def test_the_deed_is_in_the_journal(owner: Owner) -> None:
    from mailmove.archive.state.memory import Memory
    from mailmove.archive.store import Archive

    result = owner.json("prune", "--older-than", "30d", "--yes")
    with Archive.open(str(owner.archive), Memory(str(owner.archive.parent / "elsewhere")), writable=False) as archive:
        deeds = archive.index.deletions(result["run"])
        assert sum(len(deed.begun.uids) for deed in deeds) == 40
        assert all(deed.done is not None and deed.done.uids == deed.begun.uids for deed in deeds)
        assert {(deed.begun.proof, deed.begun.answer) for deed in deeds} == {("sha256", "--yes")}
        assert not archive.index.unfinished()
        run = archive.index.runs()[-1]
        assert (run.command, run.id, run.summary["deleted"]) == ("prune", result["run"], 40)
        assert "attended" not in run.summary


def test_history_tells_what_was_deleted_and_how_it_was_proven(owner: Owner) -> None:
    run = owner.json("prune", "--older-than", "30d", "--yes")["run"]
    listed = owner.mailmove("history", owner.archive)
    assert [line.split()[3] for line in listed.out.splitlines()[1:3]] == ["export", "prune"]
    assert f"40 deleted on the server     {run}".split() == listed.out.splitlines()[2].split()[4:]
    told = owner.mailmove("history", owner.archive, run)
    assert told.code == 0
    assert "30 messages, each re-hashed in the archive right before" in told.out
    assert "answer: --yes" in told.out
    assert "gone from the server: UIDs" in told.out
    deeds = owner.mailmove("history", owner.archive, run, "--json").json["accounts"][0]["runs"][0]["deletions"]
    assert sorted(len(deed["gone"]) > 0 and deed["left"] == "" for deed in deeds) == [True, True]
    known = f"Runs that deleted something: {run}."
    for wrong in ("20200101-000000", "99"):
        done = owner.mailmove("history", owner.archive, wrong)
        assert done.code == 2 and f"has no run '{wrong}'\n  {known}" in done.err
