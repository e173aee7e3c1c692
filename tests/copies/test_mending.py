"""A copy is proven again, and harm in either place is named and mended from the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove.cancel import Cancel
from mailmove.errors import Exit, RefusedError
from mailmove.jobs import accept
from mailmove.jobs.copy import checking
from mailmove.jobs.copy.result import Mended, Second, Target
from tests.copies.kit import JOURNAL, copied, held
from tests.exported import overwrite, snapshot
from tests.kit import NOW, leftovers, message
from tests.pruning import Pruner, drained
from tests.servers.scripted import Scripted

OLD = NOW - timedelta(days=400)


@pytest.fixture
def server(scripted: Callable[..., Scripted]) -> Scripted:
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 6)), arrival=OLD, flags={"\\Seen"})
    return server


@pytest.fixture
def pruner(server: Scripted, tmp_path: Path, nas: Path) -> Pruner:
    pruner = Pruner(server.port, "user", tmp_path)
    pruner.export()
    assert copied(pruner, nas).exit is Exit.DONE
    return pruner


def file(place: Path, uid: int) -> Path:
    return next(path for path in (place / "INBOX/cur").iterdir() if f"U{uid}," in path.name)


def flip(place: Path, uid: int) -> None:
    """One bit of a message."""
    data = bytearray(file(place, uid).read_bytes())
    data[7] ^= 4
    overwrite(file(place, uid), bytes(data))


def checked(pruner: Pruner, nas: Path) -> Second:
    before = snapshot(nas)
    with pruner.opened(writable=False) as archive:
        found = drained(checking.check(archive, Target("nas", str(nas)), Cancel(), NOW))
    assert snapshot(nas) == before
    return found


def mended(pruner: Pruner, nas: Path) -> Mended:
    with pruner.opened() as archive:
        return drained(checking.mend(archive, Target("nas", str(nas)), Cancel()))


@pytest.mark.fault(83)
def test_a_flipped_bit_in_either_place_is_found_named_and_mended(pruner: Pruner, nas: Path) -> None:
    whole = held(nas)
    flip(nas, 2)
    file(nas, 3).unlink()
    flip(pruner.archive, 4)
    file(pruner.archive, 5).unlink()
    found = checked(pruner, nas)
    assert found.exit is Exit.ARCHIVE and found.good == 3
    assert [(fault.uid, fault.why) for fault in found.faults] == [
        (2, "its file was altered"),
        (3, "its file is missing"),
    ]
    done = mended(pruner, nas)
    assert (done.mended, done.put_aside, done.lost) == (2, 1, [])
    assert held(pruner.archive) == whole
    assert copied(pruner, nas).exit is Exit.DONE
    assert held(nas) == whole and checked(pruner, nas).exit is Exit.DONE
    for place in (pruner.archive, nas):
        assert len(list((place / ".mailmove/aside").iterdir())) == 1, "what was altered is kept"
        assert not leftovers(place)


@pytest.mark.fault(83)
def test_what_neither_place_holds_is_lost_and_nothing_altered_is_spread(pruner: Pruner, nas: Path) -> None:
    flip(nas, 2)
    flip(pruner.archive, 2)
    done = mended(pruner, nas)
    assert [fault.uid for fault in done.lost] == [2] and (done.mended, done.put_aside) == (0, 1)
    assert copied(pruner, nas).exit is Exit.ARCHIVE
    assert len(held(nas)) == 4


def test_what_is_not_copied_yet_is_behind_and_no_harm(server: Scripted, pruner: Pruner, nas: Path) -> None:
    server.store.add("INBOX", message(9), arrival=OLD)
    pruner.export()
    found = checked(pruner, nas)
    assert (found.exit, found.good, found.behind, found.faults) == (Exit.DONE, 5, 1, [])


def test_flags_that_were_set_here_stay_when_a_message_is_mended(pruner: Pruner, nas: Path) -> None:
    here = file(pruner.archive, 1)
    here.rename(here.with_name(here.name.replace(":2,S", ":2,FS")))
    flip(pruner.archive, 1)
    assert mended(pruner, nas).mended == 1
    assert file(pruner.archive, 1).name.endswith(":2,FS")


@pytest.mark.fault(85)
def test_a_copy_that_is_away_is_an_error_and_not_an_empty_result(pruner: Pruner, nas: Path) -> None:
    nas.rename(nas.with_name("away"))
    with pruner.opened(writable=False) as archive:
        found = drained(checking.check(archive, Target("nas", str(nas)), Cancel(), NOW))
    assert found.exit is Exit.ARCHIVE and found.failed is not None and found.good == 0


@pytest.mark.fault(89)
def test_what_is_accepted_as_missing_is_missed_in_no_copy(pruner: Pruner, nas: Path) -> None:
    for uid in (2, 3):
        file(pruner.archive, uid).unlink()
    file(nas, 2).unlink()
    with pruner.opened() as archive:
        planned = drained(accept.plan("box", archive, Cancel(), ()))
        accept.carry_out(planned, archive, "deleted on purpose")
    file(pruner.archive, 4).unlink()
    file(nas, 4).unlink()
    found = checked(pruner, nas)
    assert (found.good, found.accepted, [fault.uid for fault in found.faults]) == (3, 1, [4])
    done = copied(pruner, nas)
    assert (done.held, done.accepted, [fault.uid for fault in done.faults]) == (3, 1, [4])
    result = mended(pruner, nas)
    assert (result.mended, [fault.uid for fault in result.lost]) == (1, [4]), "what a copy has comes back"
    new = nas.with_name("new")
    assert copied(pruner, new).accepted == 1 and len(held(new)) == 3


@pytest.mark.fault(84)
@pytest.mark.parametrize("end", [b"{}\n", b""], ids=["ahead", "diverged"])
def test_a_copy_whose_journal_is_no_beginning_of_the_archives_mends_nothing(
    pruner: Pruner, nas: Path, end: bytes
) -> None:
    journal = (pruner.archive / JOURNAL).read_bytes()
    (nas / JOURNAL).write_bytes(journal + end if end else journal[:-5] + b"0000\n")
    file(pruner.archive, 2).unlink()
    with pytest.raises(RefusedError, match="is no beginning of the archive's"):
        mended(pruner, nas)
    found = checked(pruner, nas)
    assert found.exit is Exit.REFUSED and found.good == 0
