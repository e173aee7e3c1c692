"""A disk that fills up or breaks at any call: nothing is claimed that is not there, and the next run converges."""

from __future__ import annotations

import pytest

from tests.faults.test_crash import changes, files, record
from tests.kit import Mailbox, Program, leftovers
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
        found = some([s for s in steps(mailmove, "export") if s.call != "write" or s.nth > 3], 36)
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
