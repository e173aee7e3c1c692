"""What audits keep on this machine: earlier figures, and headers that were fetched already."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmove.archive.index.headers import Headers
from mailmove.archive.state import audits as module
from mailmove.archive.state.audits import Audits, Figure, PastAudit
from mailmove.archive.state.header_cache import HeaderCache
from mailmove.archive.state.memory import Memory

WHAT = Figure("Quota “1”", "STORAGE", "server")
DAY = 86_400


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(str(tmp_path / "state"))


def test_every_audit_is_remembered(memory: Memory) -> None:
    kept = Audits(memory, "me@example.org")
    assert kept.read() == []
    first, second = PastAudit(1000, {WHAT: 5}), PastAudit(2000, {WHAT: 7, Figure("", "MESSAGE", "sum"): 1})
    kept.append(first)
    kept.append(second)
    assert Audits(memory, "me@example.org").read() == [first, second]
    assert Audits(memory, "other@example.org").read() == []


def test_a_line_that_a_crash_cut_is_left_out_and_counted(memory: Memory) -> None:
    kept = Audits(memory, "me@example.org")
    kept.append(PastAudit(1000, {WHAT: 5}))
    kept.append(PastAudit(2000, {WHAT: 6}))
    path = Path(memory.path) / "audits" / "me@example.org.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    kept.append(PastAudit(3000, {WHAT: 7}))
    assert [audit.at for audit in kept.read()] == [1000, 3000]
    assert kept.damaged == 1


@pytest.mark.parametrize(
    "line", ["[]", "7", '{"at": "yesterday", "gauges": []}', '{"gauges": [{"used": "5"}]}', "\\xff"]
)
def test_nonsense_is_left_out(memory: Memory, line: str) -> None:
    kept = Audits(memory, "me@example.org")
    kept.append(PastAudit(1000, {WHAT: 5}))
    with open(Path(memory.path) / "audits" / "me@example.org.jsonl", "a") as file:
        file.write(line + "\n")
    assert [audit.at for audit in kept.read()] == [1000]
    assert kept.damaged == 1


def test_the_history_stays_small(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 2000)
    kept = Audits(memory, "me@example.org")
    for number in range(200):
        kept.append(PastAudit(number * DAY // 10, {WHAT: number}))
    found = kept.read()
    assert len(found) < 50
    assert found[-1] == PastAudit(199 * DAY // 10, {WHAT: 199})
    assert {audit.at // DAY for audit in found} == set(range(20))
    assert kept.damaged == 0


def test_headers_are_kept_by_folder_and_uidvalidity(memory: Memory) -> None:
    told = Headers(date=b"today", from_=b"a@b", list_id=None)
    with HeaderCache(memory, "me") as cache:
        cache.add(b"INBOX", 1, [(7, told), (8, told)])
        cache.add(b"Sent", 1, [(7, Headers())])
        cache.forget(b"INBOX", [8])
    with HeaderCache(memory, "me") as cache:
        assert dict(cache.read(b"INBOX", 1)) == {7: told}
        assert dict(cache.read(b"INBOX", 2)) == {}
        cache.add(b"INBOX", 2, [(1, told)])
        assert dict(cache.read(b"INBOX", 1)) == {}
        assert dict(cache.read(b"INBOX", 2)) == {1: told}
        assert dict(cache.read(b"Sent", 1)) == {7: Headers()}


def test_a_damaged_cache_is_made_again(memory: Memory) -> None:
    with HeaderCache(memory, "me") as cache:
        cache.add(b"INBOX", 1, [(7, Headers())])
    (Path(memory.path) / "headers" / "me.sqlite").write_bytes(b"not a database" * 1000)
    with HeaderCache(memory, "me") as cache:
        assert dict(cache.read(b"INBOX", 1)) == {}
        cache.add(b"INBOX", 1, [(7, Headers())])


def test_a_cache_damaged_in_the_middle_only_costs_the_time_to_fetch_again(memory: Memory) -> None:
    many = [(uid, Headers(date=b"x" * 100)) for uid in range(1, 500)]
    with HeaderCache(memory, "me") as cache:
        cache.add(b"INBOX", 1, many)
    path = Path(memory.path) / "headers" / "me.sqlite"
    path.write_bytes(path.read_bytes()[:8192].ljust(path.stat().st_size, b"\xff"))
    with HeaderCache(memory, "me") as cache:
        assert dict(cache.read(b"INBOX", 1)) == {}
        cache.add(b"INBOX", 1, many)
        cache.forget(b"INBOX", [499])
        assert dict(cache.read(b"INBOX", 1)) == dict(many[:-1])


def test_what_is_not_used_is_not_made(memory: Memory) -> None:
    with HeaderCache(memory, "me"):
        pass
    assert not (Path(memory.path) / "headers").exists()
