"""Every file name that mailmove takes away, as the kernel saw it: in the archive it deletes in ``tmp/`` only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import NOW, Mailbox, Program, archived, message, total
from tests.tracing import traced

CALLS = ("unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "truncate", "ftruncate")

CALL = re.compile(r"^\d+ +(\w+)\((.*)\) = 0$")
NAME = re.compile(r'(?:\w+<([^>]*)>)?(?:, )?(?:"([^"]*)")?')

PROBES = {"link-probe", "probe:2,"}
"""Empty files that ask the file system what it can."""

RECORDS = {"archive.toml", "journal.jsonl"}

PARTS = {"tmp", "new", "cur"}


def calls(log: Path) -> Iterator[tuple[str, list[str]]]:
    """Every call that came about, and the paths it names, in full."""
    for line in log.read_text().splitlines():
        if found := CALL.match(line):
            pairs = NAME.findall(found[2])
            yield found[1], [str(Path(directory, name)) for directory, name in pairs if name or directory]


def kind(path: str, archive: Path) -> str:
    """Where a path is: the part of a folder, a part itself, ``.mailmove`` or below it, or not in the archive."""
    if not path.startswith(f"{archive}/"):
        return "elsewhere"
    at = Path(path)
    return "part" if at.name in PARTS else at.parent.name


@pytest.mark.loss(45)
def test_nothing_is_deleted_in_the_archive_but_in_tmp(mailbox: Mailbox, mailmove: Program) -> None:
    """A year of an archive in one go: every command that writes, after every change that makes it move files."""
    archive = mailmove.account(mailbox)
    old = NOW - timedelta(days=400)
    mailbox.fill([message(n) for n in range(1, 6)], arrival=old)
    mailbox.fill([message(1), message(6)], "Archive/2019", arrival=old)
    log = mailmove.home / "calls.strace"
    options = ["-y", "-s", "4096", "-A", "-o", str(log), "-e", "trace=" + ",".join(f"?{call}" for call in CALLS)]

    def run(*arguments: object, code: int = 0) -> None:
        done = traced(mailmove, options, *arguments)
        assert done.code == code, (arguments, done.out, done.err)

    run("export")
    (archive / "INBOX/tmp/mailmove-00c0ffee-1").write_bytes(b"left by a run that was killed")
    (archive / "INBOX/tmp/not-of-mailmove").write_bytes(b"left by another program")
    altered = next((archive / "INBOX/cur").glob("*U2,*"))
    altered.chmod(0o600)
    altered.write_bytes(b"edited")
    mailbox.expunge("INBOX", [1])
    with mailbox.client() as client:
        client.select_folder("INBOX")
        client.add_flags([3], ["\\Answered"])
        client.select_folder("INBOX")
        client.delete_folder("Archive/2019")
    mailbox.fill([message(1), message(7)], "Archive/2019", arrival=old)
    run("check", code=7)
    run("export", "--refetch")
    run("check")
    run("reindex")
    run("prune", "--older-than", "30d", "--yes", code=8)  # the folder that was made anew is left alone
    run("restore", "--all", "--yes")

    deleted, moved, there = set(), set(), set[str]()
    for call, paths in calls(log):
        where = [kind(path, archive) for path in paths]
        name = Path(paths[0]).name
        if where == ["elsewhere"]:
            assert paths[0].startswith(f"{mailmove.home}/"), (call, paths)  # the index, which can be made again
        elif call in ("unlink", "unlinkat"):
            assert where == ["tmp"] or (where == [".mailmove"] and name in PROBES), (call, paths)
            assert where != ["tmp"] or name.startswith("mailmove-"), "of another program"
            deleted.add(where[0])
        elif call.startswith("rename"):
            assert paths[1] not in there, f"replaced: {paths}"
            if where == ["part", "part"]:
                there = {path for path in there if not path.startswith(f"{paths[0]}/")}
            elif where == [".mailmove", ".mailmove"]:
                assert Path(paths[1]).name in RECORDS, (call, paths)
            elif where[1] == "cur":
                there = there - {paths[0]} | {paths[1]}
            else:
                there -= {paths[0]}
            moved.add((where[0], where[1]))
        else:
            assert (call, where, name) == ("ftruncate", [".mailmove"], "lock"), (call, paths)
    assert deleted == {"tmp", ".mailmove"}
    named, flags, aside, epoch, record = ("tmp", "cur"), ("cur", "cur"), ("cur", "aside"), ("part", "part"), ".mailmove"
    assert moved - {("elsewhere", "elsewhere")} == {named, flags, aside, epoch, (record, record)}
    assert (archive / "INBOX/tmp/not-of-mailmove").exists()
    assert total(archived(archive)).keys() >= total(mailbox.contents()).keys()
