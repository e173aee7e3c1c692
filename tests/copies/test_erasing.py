"""What is erased from an archive goes from its copies, too: at once, or, where one cannot be reached, the next time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove.archive.state.standing import Attempt, Standing
from mailmove.cancel import Cancel
from mailmove.copies.directory import Copy
from mailmove.errors import Exit
from mailmove.jobs.check import Options, check
from mailmove.jobs.erase import EraseResult, carry_out, follow, plan
from mailmove.jobs.status import status
from mailmove.report import check as checking
from mailmove.report import erase as report
from mailmove.report import status as standing
from mailmove.report.again import ALL
from tests.copies.kit import JOURNAL, copied, held, is_beginning
from tests.kit import NOW, message, sha256
from tests.pruning import Pruner, drained
from tests.servers.scripted import Scripted


@pytest.fixture
def server(scripted: Callable[..., Scripted]) -> Scripted:
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 5)), arrival=NOW - timedelta(days=400))
    return server


def erase(pruner: Pruner, number: int) -> EraseResult:
    wanted = {hashlib.sha256(message(number)).digest()}
    with pruner.opened() as archive:
        planned = drained(plan("box", archive, wanted))
        carry_out(planned, archive, wanted, "asked for")
    return planned


def pending(pruner: Pruner) -> list[int]:
    """How many erased messages each copy may have still."""
    with pruner.opened(writable=False) as archive:
        return sorted(archive.index.pending().values())


def lies_in(place: Path, number: int) -> bool:
    return sha256(message(number)) in held(place).values()


@contextmanager
def away(nas: Path) -> Iterator[None]:
    nas.rename(nas.with_name("away"))
    yield
    nas.with_name("away").rename(nas)


@contextmanager
def empty_mount_point(nas: Path) -> Iterator[None]:
    with away(nas):
        nas.mkdir()
        yield
        nas.rmdir()


@contextmanager
def another_copy(nas: Path) -> Iterator[None]:
    """Of the same archive, by its own word."""
    file = nas / ".mailmove/copy.toml"
    text = file.read_text()
    file.write_text(text.replace(text.split('id = "')[1][:36], "0" * 36))
    yield
    file.write_text(text)


@contextmanager
def in_use(nas: Path) -> Iterator[None]:
    with Copy.open(str(nas)):
        yield


def test_a_copy_that_can_be_reached_follows_at_once(pruner: Pruner, nas: Path) -> None:
    done = erase(pruner, 2)
    assert (done.exit, done.pending, done.seconds) == (Exit.DONE, {}, ["nas"])
    assert not lies_in(nas, 2) and len(held(nas)) == 3
    assert "and from nas." in list(report.text(done))
    assert '"kind":"erased-in"' in (pruner.archive / JOURNAL).read_text() and pending(pruner) == []
    assert copied(pruner, nas, name="nas").exit is Exit.DONE and is_beginning(nas, pruner.archive)


@pytest.mark.fault(111)
@pytest.mark.parametrize("how", [away, empty_mount_point, another_copy, in_use])
def test_a_copy_that_cannot_be_reached_is_pending_until_the_next(
    pruner: Pruner, nas: Path, how: Callable[[Path], AbstractContextManager[None]]
) -> None:
    with how(nas):
        done = erase(pruner, 2)
    assert (done.exit, list(done.pending), done.done) == (Exit.PARTIAL, ["nas"], True)
    assert any(line.startswith("PENDING  the copy nas: ") for line in report.text(done))
    assert lies_in(nas, 2) and not lies_in(pruner.archive, 2)
    assert pending(pruner) == [1]
    with pruner.opened(writable=False) as archive:
        looked = drained(check("box", archive, None, Cancel(), Options()))
        noted = Standing("box", attempts={"export": Attempt(0).then(0, 0)})
        stands = drained(status("box", archive, noted, NOW, policy=False))
    assert any("1 erased here may lie there still: mailmove copy" in line for line in checking.text(looked))
    assert checking.as_json(looked)["copies"][0]["erasures_pending"] == 1
    assert not stands.well and standing.as_json(stands)["erasures_pending"] == {"nas": 1}
    told = "box: 1 message erased here may lie in the copy nas still: mailmove copy"
    assert told in standing.problems(stands, ALL)
    done_there = copied(pruner, nas, name="nas")
    assert (done_there.exit, done_there.erased, lies_in(nas, 2), pending(pruner)) == (Exit.DONE, 1, False, [])


def test_it_can_be_ended_by_itself(pruner: Pruner, nas: Path) -> None:
    with away(nas):
        erase(pruner, 2)
        with pruner.opened() as archive:
            assert list(follow(archive)) == ["nas"]
    with pruner.opened() as archive:
        assert follow(archive) == {}
    assert (lies_in(nas, 2), pending(pruner)) == (False, [])


@pytest.mark.fault(111)
def test_what_is_erased_while_a_copy_is_made_stays_pending(pruner: Pruner, nas: Path) -> None:
    def meanwhile() -> None:
        with away(nas):
            erase(pruner, 2)

    assert copied(pruner, nas, name="nas", between=meanwhile).done
    assert (lies_in(nas, 2), pending(pruner)) == (True, [1])


def test_each_copy_and_each_erasure_counts_for_itself(pruner: Pruner, nas: Path, tmp_path: Path) -> None:
    erase(pruner, 2)
    assert copied(pruner, tmp_path / "stick", name="stick").exit is Exit.DONE
    assert pending(pruner) == [], "a copy that never had it"
    with away(nas):
        assert list(erase(pruner, 3).pending) == ["nas"]
    assert not lies_in(tmp_path / "stick", 3) and lies_in(nas, 3)
    assert copied(pruner, tmp_path / "stick", name="stick").done and pending(pruner) == [1]
