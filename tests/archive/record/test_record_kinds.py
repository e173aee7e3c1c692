"""The format rule: the fields of a kind of record never change; the topic archive-format has every kind."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from mailmove.archive.record import jsonline, records
from mailmove.archive.record.records import KINDS, Kind
from tests.kit import topic

TOPIC = topic("archive-format")

FROZEN = {
    "archive": ('"format":1,"uuid":"u"', ""),
    "message": (
        '"folder":"INBOX","uidvalidity":7,"uid":9,"internaldate":" 1-Jan-2020 00:00:00 +0000","arrival":5,"size":10,'
        '"octets":11,"sha256":"5f5f","flags":["$x","\\\\Seen"],"verified":"2026-11-23T10:02:00Z","object_id":"M1",'
        '"linked":true',
        "internaldate size object_id linked",
    ),
    "flags": ('"folder":"Sent \\udcff","uidvalidity":7,"uid":9,"flags":["\\\\Seen"]', ""),
    "labels": ('"folder":"INBOX","uidvalidity":7,"uid":9,"labels":["\\\\Inbox"]', ""),
    "gone": ('"folder":"INBOX","uidvalidity":7,"uids":"1:3,9","at":"2026-11-23T10:02:00Z"', ""),
    "present": ('"folder":"INBOX","uidvalidity":7,"uids":"1:3,9","at":"2026-11-23T10:02:00Z"', ""),
    "complete": (
        '"folder":"INBOX","uidvalidity":7,"uidnext":10,"messages":4,"highestmodseq":99',
        "uidnext highestmodseq",
    ),
    "trouble": ('"folder":"INBOX","uidvalidity":7,"uid":9,"why":"NO"', ""),
    "taken": ('"folder":"INBOX","uidvalidity":7,"uid":9,"sha256":"5f5f","at":"2026-11-23T10:02:00Z"', ""),
    "restoring": (
        '"folder":"INBOX","uidvalidity":7,"uidnext":10,"at":"2026-11-23T10:02:00Z","login":"me@example.org"',
        "uidnext login",
    ),
    "restored": (
        '"folder":"INBOX","uidvalidity":7,"uid":9,"at":"2026-11-23T10:02:00Z","source":["Sent",3,4],"sha256":"5f5f",'
        '"login":"me@example.org"',
        "login",
    ),
    "altered": (
        '"folder":"INBOX","uidvalidity":7,"uid":9,"at":"2026-11-23T10:02:00Z","sha256":"5f5f","what":"NUL","login":"me@x"',
        "login",
    ),
    "prune": (
        '"run":"20261123-100200","at":"2026-11-23T10:02:00Z","folder":"INBOX","uidvalidity":7,"uids":"1:3","marked":"2",'
        '"unarchived":"","proof":"sha256","answer":"yes"',
        "",
    ),
    "pruned": (
        '"run":"20261123-100200","at":"2026-11-23T10:02:00Z","folder":"INBOX","uidvalidity":7,"uids":"1:2","left":"3"',
        "",
    ),
    "prune-rule": ('"run":"20261123-100200","folder":"INBOX","uidvalidity":7,"rule":"arrived before 2025"', ""),
    "remembered": (
        '"folder":"INBOX","uidvalidity":7,"uid":9,"internaldate":" 1-Jan-2020 00:00:00 +0000","arrival":5,"size":10,'
        '"octets":11,"sha256":"5f5f","flags":["\\\\Seen"],"verified":"2026-11-23T10:02:00Z",'
        '"headers":{"subject":"caf\\udce9"},"gone":"2026-11-23T10:02:00Z","at":"2026-11-24T10:02:00Z"',
        "internaldate size gone",
    ),
    "accepted": (
        '"folder":"INBOX","uidvalidity":7,"uid":9,"sha256":"5f5f","reason":"asked for","at":"2026-11-24T10:02:00Z"',
        "",
    ),
    "sealed": ('"leaves":12,"root":"5f5f","file":"5e5e","before":"","at":"2026-11-24T10:02:00Z"', ""),
    "erased": (
        '"run":"20261123-100200","at":"2026-11-23T10:02:00Z","folder":"INBOX","uidvalidity":7,"uid":9,"arrival":5,'
        '"octets":11,"sha256":"5f5f","reason":"asked for"',
        "",
    ),
    "erasure-over": ('"run":"20261123-100200","at":"2026-11-23T10:02:00Z"', ""),
    "rule-matched": (
        '"rule":"Clienti/*","folder":"Clienti/Rossi","uidvalidity":7,"mailboxid":"F1","at":"2026-11-23T10:02:00Z"',
        "mailboxid",
    ),
    "copied": (
        '"copy":"0f0e","name":"nas","place":"/mnt/nas/rossi","at":"2026-11-23T10:02:00Z","octets":90,"messages":3,'
        '"read_back":"all"',
        "",
    ),
    "erased-in": ('"run":"20261123-100200","copy":"0f0e","at":"2026-11-23T10:02:00Z"', ""),
    "proven-at": (
        '"run":"20261123-100200","copy":"0f0e","name":"nas","how":"sha256","at":"2026-11-23T10:02:00Z"',
        "",
    ),
    "run": (
        '"command":"prune","at":"2026-11-23T10:02:00Z","exit":0,"summary":{"deleted":3},"id":"20261123-100200"',
        "id",
    ),
}
"""Of each kind a line with all its fields, and which of them it may lack. Lines are added here, and none is changed."""


def line_of(kind: str) -> str:
    needs = KINDS[kind].needs
    must = f'"must":true,"needs":"{needs}",' if needs else ""
    return f'{{"kind":"{kind}",{must}{FROZEN[kind][0]}}}'


def test_no_kind_is_without_its_line_here() -> None:
    assert set(FROZEN) == set(KINDS)


@pytest.mark.parametrize("kind", FROZEN)
def test_the_fields_of_a_kind_are_what_they_have_always_been(kind: str) -> None:
    text = line_of(kind)
    line = json.loads(text)
    record = jsonline.from_json(dict(line))
    assert type(record) is KINDS[kind].shape
    assert jsonline.to_json(record) == text
    optional = FROZEN[kind][1].split()
    for name in line.keys() - {"kind", "must", "needs"}:
        without = {other: value for other, value in line.items() if other != name}
        if name in optional:
            assert json.loads(jsonline.to_json(jsonline.from_json(dict(without)))) == without
        else:
            with pytest.raises((KeyError, TypeError)):
                jsonline.from_json(without)
    with pytest.raises(TypeError):
        jsonline.from_json(line | {"new": 1})
    if not KINDS[kind].needs:
        with pytest.raises(TypeError):
            jsonline.from_json(line | {"must": True})


class Future(NamedTuple):
    folder: bytes


def test_a_kind_that_must_not_be_ignored_says_so_in_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"kind": "future", "must": True, "needs": "0.3", "folder": "INBOX"}
    unknown = jsonline.from_json(dict(line))
    assert isinstance(unknown, records.Unknown)
    assert (unknown.kind, unknown.must, unknown.needs) == ("future", True, "0.3")
    monkeypatch.setitem(KINDS, "future", Kind(Future, needs="0.3"))
    monkeypatch.setitem(jsonline._NAMES, Future, "future")
    record: Any = Future(b"INBOX")
    assert json.loads(jsonline.to_json(record)) == line
    assert jsonline.from_json(dict(line)) == record


@pytest.mark.parametrize(("said", "must"), [({}, False), ({"must": False}, False), ({"must": 1}, True)])
def test_in_doubt_an_unknown_kind_must_not_be_ignored(said: dict[str, Any], must: bool) -> None:
    record = jsonline.from_json({"kind": "future", **said})
    assert isinstance(record, records.Unknown)
    assert (record.must, record.needs) == (must, "")


def test_the_topic_has_every_kind_in_its_table() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", TOPIC, re.MULTILINE) == list(KINDS)
    assert [kind for kind, (_, needs) in KINDS.items() if needs] == re.findall(r"^\| `([a-z-]+)` \| must", TOPIC, re.M)
