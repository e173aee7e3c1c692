"""The pure decisions of a restore: what is lacking, where it goes, what a folder keeps, whether there is room."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.errors import RefusedError
from mailmove.model import Folder, QuotaRoot, Resource
from mailmove.plan.mapping import Place, Target, targets
from mailmove.plan.restore import Row, decide, kept_flags, overfull, root

A, B = b"a" * 32, b"b" * 32


def row(key: str, sha256: bytes = A, *, group: str = "INBOX", root: str = "", present: bool = False) -> Row[str]:
    return Row(key, sha256, group, root or key, present)


CASES: list[tuple[str, list[Row[str]], dict[bytes, int], tuple[set[str], int]]] = [
    ("nothing there", [row("1"), row("2", B)], {}, ({"1", "2"}, 0)),
    ("a twin that is there does not stand for one that is not", [row("1", present=True), row("2")], {A: 1}, ({"2"}, 1)),
    ("unknown messages of the same octets count", [row("1"), row("2")], {A: 1}, ({"1"}, 1)),
    ("a restored copy and its source are one", [row("1"), row("9", root="1", present=True)], {A: 1}, (set(), 1)),
    ("a copy that was deleted again comes back once", [row("1"), row("9", root="1")], {}, ({"1"}, 0)),
    ("from two folders into one: once", [row("1"), row("2", group="Sent")], {}, ({"1"}, 0)),
    ("as often as where it was most often", [row("1"), row("2"), row("3", group="Sent")], {A: 1}, ({"1"}, 1)),
    ("more than wanted", [row("1")], {A: 5}, (set(), 1)),
]


@pytest.mark.parametrize(("rows", "held", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_folder_gets_what_it_lacks(
    rows: list[Row[str]], held: dict[bytes, int], expected: tuple[set[str], int]
) -> None:
    decision = decide(rows, held)
    assert (set(decision.put), decision.there) == expected


@given(
    st.lists(st.tuples(st.sampled_from([A, B]), st.booleans())),
    st.dictionaries(st.sampled_from([A, B]), st.integers(0, 4)),
)
def test_every_message_is_put_or_there_and_doing_it_leaves_nothing_to_do(
    drawn: list[tuple[bytes, bool]], others: dict[bytes, int]
) -> None:
    rows = [row(str(number), sha256, present=present) for number, (sha256, present) in enumerate(drawn)]
    held = Counter(others) + Counter(sha256 for sha256, present in drawn if present)
    decision = decide(rows, held)
    assert len(decision.put) + decision.there == len(rows)
    held.update(rows[int(key)].sha256 for key in decision.put)
    assert all(held[sha256] >= count for sha256, count in Counter(each.sha256 for each in rows).items())
    assert decide(rows, held).put == ()


def test_a_copy_of_a_copy_has_one_root_and_a_ring_ends() -> None:
    assert root(3, {3: 2, 2: 1}) == 1
    assert root(1, {1: 2, 2: 1}) == 1


def test_flags_that_a_folder_keeps() -> None:
    flags = {"\\Seen", "\\Flagged", "$Label1", "\\Deleted"}
    assert kept_flags(flags, None) == {"\\Seen", "\\Flagged", "$Label1"}
    assert kept_flags(flags, frozenset({"\\seen", "\\deleted"})) == {"\\Seen"}
    assert kept_flags(flags, frozenset({"\\seen", "\\*"})) == {"\\Seen", "$Label1"}


def test_room_is_counted_per_quota_root() -> None:
    storage = QuotaRoot("mail", (Resource("STORAGE", 900, 1000),), frozenset({b"INBOX", b"Sent"}))
    count = QuotaRoot("count", (Resource("MESSAGE", 9, 10), Resource("STORAGE", 5, 0)), frozenset({b"Sent"}))
    assert overfull([storage, count], {b"INBOX": (1, 60), b"Sent": (1, 40)}) == []
    assert overfull([storage, count], {b"INBOX": (1, 66), b"Sent": (1, 40)}) == ["it needs 106 B, and 100 B are free"]
    [problem] = overfull([storage, count], {b"Sent": (2, 40)})
    assert problem == "it needs room for 2 messages, and there is room for 1"
    everywhere = QuotaRoot("user", (Resource("STORAGE", 900, 1000),))
    assert overfull([everywhere], {b"INBOX": (1, 60), b"Sent": (1, 46)}) == ["it needs 106 B, and 100 B are free"]


def mapped(sources: list[Folder], there: list[Folder], *, into: str | None = None, **place: Any) -> dict[str, str]:
    found = targets(sources, sources, Place(there, place.get("prefix", b""), place.get("same", False)), into)
    return {
        source.name: target.folder.name + ("*" if target.new else "") for target in found for source in target.sources
    }


def test_folders_find_their_counterparts() -> None:
    inbox, dotted = Folder(b"INBOX", b"."), Folder(b"INBOX.Sent", b".", frozenset({"\\sent"}))
    deep = Folder(b"INBOX.Archive.2019", b".")
    there = [Folder(b"INBOX"), Folder(b"Gesendet", b"/", frozenset({"\\sent"}))]
    assert mapped([inbox, dotted, deep], there) == {
        "INBOX": "INBOX",
        "INBOX.Sent": "Gesendet",
        "INBOX.Archive.2019": "Archive/2019*",
    }
    slashed = [Folder(b"INBOX"), Folder(b"a.b/c")]
    assert mapped(slashed, [Folder(b"INBOX", b".")], prefix=b"INBOX.") == {"INBOX": "INBOX", "a.b/c": "INBOX.a_b.c*"}
    assert mapped([dotted], [inbox], same=True) == {"INBOX.Sent": "INBOX.Sent*"}
    assert mapped([inbox, deep], there, into="Old") == {"INBOX": "Old*", "INBOX.Archive.2019": "Old*"}
    assert mapped([deep], [inbox, deep], into="Archive.2019", prefix=b"INBOX.") == {deep.name: deep.name}


def test_two_folders_never_become_one_by_themselves() -> None:
    with pytest.raises(RefusedError, match="would both become a_b"):
        mapped([Folder(b"a.b"), Folder(b"a_b")], [Folder(b"INBOX", b".")])


def test_a_special_folder_is_made_as_one() -> None:
    source = Folder(b"Sent", b"/", frozenset({"\\sent"}))
    [target] = targets([source], [source], Place([Folder(b"INBOX")], b"", False), None)
    assert target == Target(source, True, (source,))
