"""Seal: what goes missing with its record is found, what is whole is said to be, and a proof needs no mailmove."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailmove.archive.record.journal import encode, whole_lines
from mailmove.archive.record.records import Message
from mailmove.archive.seals.seal import Number, Seal
from tests.exported import Archived, overwrite, snapshot
from tests.kit import Mailbox, Program, message, sha256, topic

OLD = Path(__file__).parents[1] / "formats/0.1"
SCRIPT = textwrap.dedent(
    re.findall(r'^    """python3 verify.*?^$(?=\n## )', topic("seal"), re.MULTILINE | re.DOTALL)[0]
)


@pytest.fixture
def archived(mailbox: Mailbox, mailmove: Program) -> Archived:
    return Archived(mailbox, mailmove)


def seal(archived: Archived, *arguments: str, code: int = 0) -> Any:
    done = archived.mailmove("seal", "--json", *arguments)
    assert done.code == code, done.out + done.err
    return done.json["accounts"][0]


def kept(archived: Archived) -> tuple[Path, str]:
    """A seal's file at another place, and its number."""
    made = seal(archived)
    elsewhere = archived.mailmove.home / "seal.json"
    shutil.copy(made["file"], elsewhere)
    return elsewhere, made["number"]


def rewrite(archived: Archived, change: Callable[[Message], Message | None]) -> None:
    """Change the journal as somebody would who knows how; what lies in the state directory goes."""
    path = archived.box / ".mailmove/journal.jsonl"
    changed = b""
    for line, record in whole_lines(path.read_bytes()):
        if isinstance(record, Message):
            new = change(record)
            changed += encode(new) if new is not None else b""
        else:
            changed += line
    path.write_bytes(changed)
    for directory in ("index", "leaves"):
        shutil.rmtree(archived.mailmove.home / "state" / directory)


def test_what_is_whole_is_said_to_be(archived: Archived) -> None:
    file, number = kept(archived)
    for given in (str(file), number, number.upper().replace("-", " ").replace(" ", "-", 1)):
        result = archived.check("--seal", given)
        told = result["seal"]
        assert (told["as_sealed"], told["size"], told["recorded"], told["problems"]) == (True, 12, 12, 0), given
    assert "SEAL     yes: all 12 records are what was sealed\n" in archived.says("--seal", number)
    archived.mailbox.fill([message(50)])
    archived.export()
    for given in (str(file), number):
        assert "yes: all 12 records are what was sealed; 1 came later" in archived.says("--seal", given)


def test_nothing_new_is_no_new_seal_and_seals_are_a_chain(archived: Archived) -> None:
    first = seal(archived)
    journal = archived.box / ".mailmove/journal.jsonl"
    before = journal.read_bytes()
    again = seal(archived)
    assert (first["new"], again["new"], again["number"], again["file"]) == (True, False, first["number"], first["file"])
    assert journal.read_bytes() == before
    archived.mailbox.fill([message(50)])
    archived.export()
    second = seal(archived)
    assert second["before"] == sha256(Path(first["file"]).read_bytes())
    assert json.loads(Path(second["file"]).read_bytes())["before"] == second["before"]
    Path(second["file"]).unlink()
    assert seal(archived)["new"]  # its file is to be there


def test_it_is_the_same_wherever_it_is_made_and_however_it_is_read(archived: Archived) -> None:
    number = seal(archived)["number"]
    copy = archived.mailmove.home / "copy"
    shutil.copytree(archived.box, copy)
    before = snapshot(copy)
    done = archived.mailmove.elsewhere("other")("seal", copy, "--out", "-")
    assert str(Seal.read(done.out.rstrip("\n").encode()).number) == number
    assert snapshot(copy) == before
    (leaves,) = (archived.mailmove.home / "state/leaves").iterdir()
    whole = leaves.read_bytes()
    for damaged in (b"", whole[:-1], whole[:80], whole[:-1] + bytes([whole[-1] ^ 1]), b"nonsense"):
        leaves.write_bytes(damaged)
        assert seal(archived)["number"] == number


@pytest.mark.fault(90)
def test_a_message_that_went_with_its_record_is_found(archived: Archived) -> None:
    file, number = kept(archived)
    for uid in (3, 4):
        archived.file("INBOX", uid).unlink()
    rewrite(archived, lambda record: None if (record.folder, record.uid) in ((b"INBOX", 3), (b"INBOX", 4)) else record)
    assert archived.check()["problems"] == []  # that is what a seal is for
    told = archived.check("--seal", str(file), exit_code=7)["seal"]
    assert told["lost"] == [{"first": 7, "last": 8, "after": "INBOX UID 2", "before": "INBOX UID 5"}]
    assert "LOST     number 7 to 8, after INBOX UID 2, before INBOX UID 5" in archived.says("--seal", str(file))
    told = archived.check("--seal", number, exit_code=7)["seal"]
    assert (told["as_sealed"], told["recorded"], told["lost"]) == (False, 10, [])
    assert "NO: these are not the 12 records that were sealed; there are only 10" in archived.says("--seal", number)


@pytest.mark.fault(90)
def test_a_message_that_was_changed_with_its_record_is_found(archived: Archived) -> None:
    file, number = kept(archived)
    path, new = archived.file("Sent", 4), message(99)
    base = re.sub(r"S=\d+,H=\w+", f"S={len(new)},H={sha256(new)[:32]}", path.name)
    path.unlink()
    (path.parent / base).write_bytes(new)
    rewrite(
        archived,
        lambda record: (
            record._replace(sha256=sha256(new), octets=len(new))
            if (record.folder, record.uid) == (b"Sent", 4)
            else record
        ),
    )
    assert archived.check()["problems"] == []
    told = archived.check("--seal", str(file), exit_code=7)["seal"]
    assert told["lost"] == [{"first": 4, "last": 4, "after": "Sent UID 3", "before": "INBOX UID 1"}]
    assert not archived.check("--seal", number, exit_code=7)["seal"]["as_sealed"]


def test_a_file_that_is_missing_or_altered_is_named_and_counted(archived: Archived) -> None:
    file, number = kept(archived)
    archived.file("INBOX", 1).unlink()
    overwrite(archived.file("Sent", 2), b"not the message")
    archived.mailbox.fill([message(50)], "Later")
    archived.mailmove("export")
    archived.file("Later", 1).unlink()
    for given in (str(file), number):
        result = archived.check("--seal", given, exit_code=7)
        assert (result["seal"]["as_sealed"], result["seal"]["problems"], len(result["problems"])) == (True, 2, 3)
    assert archived.mailmove("accept", "--missing", "--yes").code == 0
    assert "2 of its messages missing" not in archived.says("--seal", number)
    assert "1 of its messages missing or altered; 1 accepted; 1 came later" in archived.says("--seal", number)


@pytest.mark.fault(91)
def test_a_seal_that_was_changed_is_none(archived: Archived) -> None:
    file, number = kept(archived)
    whole = file.read_bytes()
    told = json.loads(whole)
    leaves = told["leaves"]
    for changed in (
        b"",
        b"{}",
        b"[]",
        b"\xff",
        whole + b"\n",
        whole.replace(b'"size":"12"', b'"size":"11"'),
        json.dumps(told | {"leaves": leaves[:-1]}, separators=(",", ":")).encode(),
        json.dumps(told | {"leaves": [*leaves[1:], leaves[0]]}, separators=(",", ":")).encode(),
        json.dumps(told | {"leaves": [leaves[0].upper(), *leaves[1:]]}, separators=(",", ":")).encode(),
        json.dumps(told).encode(),
    ):
        file.write_bytes(changed)
        done = archived.mailmove("check", "--seal", file)
        assert (done.code, "cannot be used as a seal" in done.err) == (7, True), changed
    swapped = number[:-1] + ("a" if number[-1] != "a" else "q")
    assert archived.mailmove("check", "--seal", swapped).code == 7
    for nonsense in ("12", number[:-1], "twelve-" + number, f"{number}a", "no/such/file.json"):
        done = archived.mailmove("check", "--seal", nonsense)
        assert (done.code, "neither a seal's file nor its number" in done.err) == (2, True), nonsense
    file.write_bytes(json.dumps(told | {"archive": "other"}, separators=(",", ":")).encode())
    assert "of another archive" in archived.mailmove("check", "--seal", file).err


def verify(archived: Archived, *arguments: object) -> subprocess.CompletedProcess[str]:
    script = archived.mailmove.home / "verify.py"
    script.write_text(SCRIPT)
    words = [sys.executable, "-I", str(script), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.fault(91)
def test_a_proof_is_verified_without_mailmove(archived: Archived) -> None:
    home, texts = archived.mailmove.home, {uid: archived.file("INBOX", uid).read_bytes() for uid in (1, 6, 8)}
    assert "not sealed yet" in archived.mailmove("seal", "--proof", sha256(texts[1])[:12]).err
    number = seal(archived)["number"]
    archived.mailbox.fill([message(50)])
    archived.export()
    for uid, text in texts.items():
        proof, eml = home / f"{uid}.json", home / f"{uid}.eml"
        eml.write_bytes(text)
        assert archived.mailmove("seal", "--proof", sha256(text)[:12], "--out", proof).code == 0
        done = verify(archived, proof, eml, number)
        assert (done.returncode, f"yes: INBOX UID {uid} " in done.stdout) == (0, True), done.stderr
        told = json.loads(proof.read_bytes())
        assert archived.mailmove("seal", "--proof", sha256(text)[:12]).out.rstrip("\n").encode() == proof.read_bytes()
        others = [
            told | {"index": str(int(told["index"]) ^ 1)},
            told | {"index": "12"},
            told | {"path": told["path"][:-1]},
            told | {"path": [*told["path"], told["root"]]},
            told | {"leaf": ["00", *told["leaf"][1:]]},
        ]
        for changed in others:
            (home / "changed.json").write_text(json.dumps(changed))
            assert verify(archived, home / "changed.json", eml, number).returncode == 1, changed
        (home / "other.eml").write_bytes(text + b" ")
        assert "not the message" in verify(archived, proof, home / "other.eml", number).stderr
        assert verify(archived, proof, eml, Number(12, bytes(32))).returncode == 1
    assert "after the last seal" in archived.mailmove("seal", "--proof", sha256(message(50))[:12]).err


def test_of_several_archives_each_is_sealed_and_one_at_a_time_proven(archived: Archived) -> None:
    other = archived.mailmove.home / "other"
    shutil.copytree(OLD, other)
    done = archived.mailmove("seal", archived.box, other)
    assert (done.code, done.out.count("Sealed 12 records")) == (0, 2)
    assert archived.mailmove("seal", archived.box, other, "--out", "-").code == 2
    assert archived.mailmove("check", archived.box, other, "--seal", "1-x").code == 2
