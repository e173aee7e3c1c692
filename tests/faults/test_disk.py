"""A disk that fills up or breaks at any call: nothing is claimed that is not there, and the next run converges."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.faults.test_crash import changes, files, record
from tests.kit import NOW, Mailbox, Program, archived, hashes, leftovers, message, total
from tests.servers.scripted import Scripted
from tests.tracing import failing_at, some, steps

ERRORS = {
    "write": ["ENOSPC", "EDQUOT", "EIO"],
    "pwrite64": ["ENOSPC", "EIO"],
    "ftruncate": ["EIO"],
    "fsync": ["EIO", "ENOSPC", "EDQUOT"],
    "fdatasync": ["EIO"],
    "syncfs": ["EIO", "ENOSPC"],
    "mkdir": ["ENOSPC", "EROFS"],
    "mkdirat": ["ENOSPC", "EROFS"],
    "rename": ["EROFS", "ENOSPC"],
    "renameat": ["EIO", "ENOSPC", "EROFS"],
    "renameat2": ["EIO"],
    "link": ["ENOSPC"],
    "linkat": ["ENOSPC", "EMLINK", "EPERM"],
    "unlink": ["EIO"],
    "unlinkat": ["EIO", "EROFS"],
    "fchmod": ["EROFS"],
}


@pytest.mark.fault(4)
@pytest.mark.loss(18)
@pytest.mark.parametrize("lasting", [False, True])
def test_a_disk_that_fails_at_any_call(mailbox: Mailbox, mailmove: Program, lasting: bool) -> None:
    archive = mailmove.account(mailbox)
    changes(mailbox, mailmove)
    old = files(archive)
    with mailmove.kept() as bring_back:
        # every thread's N-th write fails, also the main one's, which has two or three words to say at the end
        found = some([s for s in steps(mailmove, "export") if s.call != "write" or s.nth > 3], 24)
        expected_files, expected_record = files(archive), record(archive)
        before = set(old.values()) - {""}
        for number, step in enumerate(found):
            errors = ERRORS[step.call]
            error = errors[number % len(errors)]
            bring_back()
            done = failing_at(mailmove, step, error, "export", lasting=lasting)
            told = (str(step), error, done.code, done.out, done.err)
            assert "bug" not in done.err, told
            assert "Traceback" not in done.err, told
            if done.code == 0:
                assert record(archive) == expected_record, told
                assert files(archive) == expected_files, told
            else:
                assert done.code == 7, told
                assert before <= set(files(archive).values()), told
            again = mailmove("export")
            assert again.code == 0, (told, again.out, again.err)
            assert files(archive) == expected_files, told
            assert record(archive) == expected_record, told
            assert not leftovers(archive), told


@pytest.mark.fault(4)
@pytest.mark.loss(18)
def test_what_did_not_reach_the_disk_is_not_recorded(mailbox: Mailbox, mailmove: Program) -> None:
    """Neither when its octets did not, nor when its name did not, though both can be read."""
    archive = mailmove.account(mailbox)
    changes(mailbox, mailmove)
    messages, _ = record(archive)
    with mailmove.kept() as bring_back:
        found = [step for step in steps(mailmove, "export") if step.call == "syncfs"]
        if not found:
            pytest.skip("a file system that is not known to honour syncfs")
        for step in found:
            bring_back()
            done = failing_at(mailmove, step, "EIO", "export")
            assert done.code == 7, (str(step), done.out, done.err)
            assert record(archive)[0] == messages, step
    assert len(found) > 1


@pytest.mark.fault(4)
def test_a_disk_that_fails_at_any_call_of_a_prune(scripted: Callable[..., Scripted], mailmove: Program) -> None:
    """What goes on the server is archived, whatever fails; young messages are never touched."""
    server = scripted()
    old, young = [message(number) for number in range(4)], [message(number) for number in range(4, 6)]
    server.store.add("INBOX", *old, arrival=NOW - timedelta(days=400))
    server.store.add("INBOX", *young, arrival=NOW)
    inbox = server.store["INBOX"]
    everything = copy.deepcopy(inbox.mails)
    archive = mailmove.account(server)
    prune = ("prune", "--older-than", "30d", "--yes")
    with mailmove.kept() as bring_back:
        found = some([s for s in steps(mailmove, *prune) if s.call != "write" or s.nth > 3], 12)[::2]
        assert inbox.bodies == young
        codes = set()
        for number, step in enumerate(found):
            errors = ERRORS[step.call]
            error = errors[number // 2 % len(errors)]
            bring_back()
            inbox.mails = copy.deepcopy(everything)
            done = failing_at(mailmove, step, error, *prune, lasting=bool(number % 2))
            told = (str(step), error, done.code, done.out, done.err)
            assert "bug" not in done.err and "Traceback" not in done.err, told
            assert done.code in (0, 7), told
            codes.add(done.code)
            assert inbox.bodies[-2:] == young, told
            gone = hashes(*old) - hashes(*inbox.bodies)
            assert gone <= total(archived(archive)), told
            assert done.code or gone == hashes(*old), told
            again = mailmove(*prune)
            assert again.code == 0, (told, again.out, again.err)
            assert inbox.bodies == young, told
            assert total(archived(archive)) >= hashes(*old), told
            assert not leftovers(archive), told
    assert 7 in codes, "some failures are fatal"


INDEXES = {
    "export": ("box: the index ",),
    "history": ("box: the index ",),
    "find": ("box: the index ", "box: the search index "),  # it reads both
}


@pytest.mark.fault(4, 7)
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("command", INDEXES)
def test_a_disk_that_fails_at_any_read_of_the_index(
    mailbox: Mailbox, mailmove: Program, command: str, lasting: bool
) -> None:
    mailbox.fill([message(1), message(2)])
    mailmove.account(mailbox)
    assert mailmove("export").code == 0
    with mailmove.kept() as bring_back:
        reads = steps(mailmove, command, calls=["pread64"])
        codes = []
        for step in reads:
            bring_back()
            done = failing_at(mailmove, step, "EIO", command, lasting=lasting)
            if "error while loading shared libraries" in done.err:
                continue  # that was not ours yet
            told = (str(step), done.code, done.out, done.err)
            assert done.code in (0, 7), told
            of_the_lock = done.err.startswith("box: looking at the lock of ")
            of_an_index = done.err.startswith(INDEXES[command])
            assert done.code == 0 or of_the_lock or of_an_index, told
            codes.append(0 if of_the_lock else done.code)
            assert mailmove(command).code == 0, told
    assert 7 in codes
