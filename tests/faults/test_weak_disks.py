"""Disks that cannot do all that a disk should: what that means is said, and what is safe goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove import replacing, utf7
from mailmove.archive.files import layout
from mailmove.jobs.get import safe_name
from tests.disks import LASTING, MEMORY, SHORT, WEAK, as_machine
from tests.kit import NOW, Program, archived, hashes, message, total
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]
PRUNE = ("prune", "--older-than", "30d", "--yes")
IN_MEMORY = "the archive lies in memory (tmpfs): it is gone when this machine stops"
NO_NAMES = "cannot make the names of files durable"


@pytest.fixture
def server(scripted: Start) -> Scripted:
    server = scripted()
    server.store.add("INBOX", message(1), message(2), arrival=NOW - timedelta(days=400))
    return server


@pytest.mark.fault(61)
@pytest.mark.parametrize(("disk", "why"), [(MEMORY, IN_MEMORY), (WEAK, NO_NAMES)])
def test_an_archive_on_a_disk_that_forgets_is_no_proof_while_nobody_watches(
    server: Scripted, mailmove: Program, disk: str, why: str
) -> None:
    archive = mailmove.account(server, trust_disk=False)
    there = as_machine(mailmove, "there", LASTING, disk)
    done = there("export")
    assert (done.code, why in " ".join(done.out.split())) == (0, True), (done.out, done.err)
    done = there(*PRUNE, "-q")
    assert done.code == 8 and why in done.err and "trust_disk" in done.err, done.err
    assert len(server.store["INBOX"].mails) == 2 and not server.deletions
    config = mailmove.home / ".config/mailmove/config.toml"
    config.write_text(config.read_text().replace("trust_disk = false", "trust_disk = true"))
    done = there(*PRUNE)
    assert done.code == 0 and why in " ".join(done.out.split()), done.out
    assert total(archived(archive)) == hashes(message(1), message(2)) and not server.store["INBOX"].mails


@pytest.mark.fault(61)
def test_a_lasting_disk_is_proof(server: Scripted, mailmove: Program) -> None:
    mailmove.account(server, trust_disk=False)
    done = as_machine(mailmove, "there", LASTING)(*PRUNE)
    assert (done.code, server.store["INBOX"].mails) == (0, []), done.err


@pytest.mark.fault(73)
def test_a_disk_without_rights_and_without_sync_of_directories_is_told_and_used(
    server: Scripted, mailmove: Program
) -> None:
    server.store.add("A/B", message(3))
    archive = mailmove.account(server)
    done = as_machine(mailmove, "there", LASTING, WEAK)("export")
    said = " ".join(done.out.split())
    assert done.code == 0, done.err
    assert NO_NAMES in said and "a power cut may take what was archived shortly before" in said
    assert "others can look into the archive (its .mailmove has mode 777)" in said
    assert total(archived(archive)) == hashes(message(1), message(2), message(3))


@pytest.mark.fault(73)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "ESTALE"])
def test_a_directory_that_could_not_be_synced_for_another_reason_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    number = getattr(errno, error)

    def fsync(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    fd = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr(os, "fsync", fsync)
    for sync in (replacing.flush, replacing.syncs_names):
        with pytest.raises(OSError, match=os.strerror(number)):
            sync(fd)
    os.close(fd)


@pytest.mark.fault(73)
def test_where_names_have_143_octets_every_folder_has_a_directory(scripted: Start, mailmove: Program) -> None:
    """Also a folder of another UIDVALIDITY, and attachments."""
    server = scripted()
    cyrillic = "Исходящие сообщения по вопросам долгосрочного сотрудничества с партнёрами за год"
    assert len(cyrillic.encode()) > 143
    wire = utf7.encode(cyrillic)
    box = server.store.add(wire, message(1))
    server.store.add(wire + b"2", message(2))
    server.store.add("INBOX", message(3))
    archive = mailmove.account(server)
    there = as_machine(mailmove, "there", SHORT)
    done = there("export")
    assert done.code == 0, (done.out, done.err)
    box.uidvalidity += 1
    done = there("export")
    assert done.code == 0, (done.out, done.err)
    assert set(total(archived(archive))) == set(hashes(message(1), message(2), message(3)))
    assert max(len(os.fsencode(path.name)) for path in archive.rglob("*")) <= 143


@pytest.mark.fault(73)
@pytest.mark.parametrize("longest", [143, 255])
def test_every_name_that_is_made_has_room_for_what_is_added(longest: int) -> None:
    long = "Я" * 200
    for name in (layout.directory(utf7.encode(long), None, longest), safe_name(f"{long}.{long}", longest)):
        assert len(f"{name} (UIDVALIDITY 4294967295) %1234".encode()) <= longest
        assert len(name.encode()) > longest // 2, "no shorter than need be"
