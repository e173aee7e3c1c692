"""``mailmove copy`` as a user runs it: to a directory, by name, killed at any step, back from a broken disk."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.copies.kit import held, is_beginning
from tests.disks import as_machine
from tests.exported import Archived
from tests.kit import NOW, Mailbox, Program, leftovers, message, topic
from tests.tracing import MOST, killed_at, some, steps


@pytest.fixture
def archived(mailbox: Mailbox, mailmove: Program) -> Archived:
    return Archived(mailbox, mailmove)


def test_it_says_what_came_and_what_to_do_next(archived: Archived, tmp_path: Path) -> None:
    to = tmp_path / "disk/box"
    done = archived.mailmove("copy", to)
    assert done.code == 0, done.err
    assert f"box → {to}\n  12 new (" in done.out
    assert "each hashed here and read back there" in done.out
    assert "12 of 12 messages now lie there." in done.out
    assert "Note: it lies on the same disk as the archive: that is no second place." in done.out
    assert done.out.endswith(f"Next: mailmove check {to}     proves it again\n")
    assert archived.mailmove("check", to).code == 0
    assert "copy" in archived.mailmove("history").out
    again = archived.mailmove("copy", "box", to, "--json").json["accounts"][0]["copies"][0]
    assert (again["new"], again["held"], again["faults"], again["done"]) == (0, 12, [], True)


def test_what_the_configuration_names_is_copied_by_itself(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> None:
    mailmove.account(mailbox)
    mailbox.fill(map(message, range(3)))
    assert mailmove("copy").code == 2
    config = mailmove.home / ".config/mailmove/config.toml"
    stick = f'{{ path = "{tmp_path}/stick/box", proven_within = "7d" }}'
    tables = f'[account.box.copies]\nnas = "{tmp_path}/nas/box"\nstick = {stick}\n'
    config.write_text(config.read_text() + tables)
    assert mailmove("copy").code == 7, "there is no archive yet"
    assert mailmove("export").code == 0
    done = mailmove("copy")
    assert done.code == 0, done.err
    assert f"box → nas ({tmp_path}/nas/box)" in done.out and "box → stick" in done.out
    assert held(tmp_path / "nas/box") == held(tmp_path / "stick/box") == held(mailmove.home / "box")
    assert mailmove("copy", "-q").out == ""
    told = "box: in the copy stick 0 of 3 are proven within 7d; the rest by mailmove check --copies"
    assert told in mailmove("status").out
    shutil.rmtree(tmp_path / "nas")
    done = mailmove("copy", "-q")
    assert (done.code, done.out) == (8, "") and "Is its disk not mounted?" in done.err and "stick" not in done.err


@pytest.mark.parametrize(
    "table",
    [
        *('nas = "nas"', "nas = 7", '"a b" = "/x"', 'nas = ""', 'nas = "s3://bucket/prefix"'),
        *('nas = { path = "/x", proven_within = "2026-01-01" }', 'nas = { proven_within = "7d" }'),
    ],
    ids=str,
)
def test_a_copy_in_the_configuration_that_cannot_be_meant(mailbox: Mailbox, mailmove: Program, table: str) -> None:
    mailmove.configure(mailbox.table("box") + f"[account.box.copies]\n{table}\n")
    done = mailmove("copy")
    assert done.code == 2 and "account.box.copies" in done.err


def test_where_to_is_clear_or_refused(archived: Archived, tmp_path: Path) -> None:
    done = archived.mailmove("copy", "s3://bucket/prefix")
    assert done.code == 2 and "is no directory" in done.err
    archived.mailmove.account(Mailbox("dovecot", "localhost", 1, "other"), name="other")
    done = archived.mailmove("copy", tmp_path / "to")
    assert done.code == 2 and "can be a copy of one archive only" in done.err and "box, other" in done.err
    assert archived.mailmove("copy", "box", tmp_path / "to").code == 0
    assert not (tmp_path / "s3:").exists()
    done = archived.mailmove("copy", "box", tmp_path / "to", "--read-back", "never")
    assert done.code == 2 and "Allowed: all, sample, none." in done.err


@pytest.mark.fault(88)
def test_a_copy_killed_at_any_step(archived: Archived, tmp_path: Path) -> None:
    to = archived.mailmove.home / "disk/box"
    with archived.mailmove.kept() as bring_back:
        found = some(steps(archived.mailmove, "copy", to, calls=("write", "renameat", "syncfs")), 6)
        expected, reached = held(archived.box), 0
        assert held(to) == expected
        for step in found:
            bring_back()
            reached += killed_at(archived.mailmove, step, "copy", to)
            if (to / ".mailmove/journal.jsonl").exists():
                assert is_beginning(to, archived.box), step
            done = archived.mailmove("copy", to)
            assert done.code == 0, (step, done.out, done.err)
            assert held(to) == expected, step
            assert not leftovers(to), step
            assert is_beginning(to, archived.box), step
    assert reached >= MOST * len(found)


@pytest.mark.fault(88)
def test_the_page_about_a_broken_disk_is_followed_step_by_step(archived: Archived, tmp_path: Path) -> None:
    to, mailmove = tmp_path / "disk/box", archived.mailmove
    assert mailmove("copy", to).code == 0
    archived.mailbox.expunge("INBOX", archived.mailbox.uids("INBOX"))
    archived.mailbox.fill([message(60)])
    shutil.rmtree(archived.box)
    page = topic("broken-disk")
    steps_of_page = [
        "mailmove check /mnt/nas/mail/rossi",
        "mailmove account rebind rossi --archive /mnt/nas/mail/rossi",
        "mailmove export",
        "mailmove copy /mnt/new/rossi",
    ]
    for line in steps_of_page:
        assert f"\n    {line}" in page
        words = line.replace("/mnt/nas/mail/rossi", str(to)).replace("rossi", "box").split()[1:]
        words = [word.replace("/mnt/new", str(tmp_path)) for word in words]
        done = mailmove(*words)
        assert done.code == 0, (line, done.out, done.err)
    assert held(to) == held(tmp_path / "box") and len(held(to)) == 13
    assert json.loads(mailmove("account", "list", "--json").out)


def test_a_copy_of_a_copy_brings_it_back_as_a_directory(archived: Archived, tmp_path: Path) -> None:
    stick, back = tmp_path / "stick", tmp_path / "back"
    assert archived.mailmove("copy", stick).code == 0
    before = held(archived.box)
    shutil.rmtree(archived.box)
    done = archived.mailmove("copy", stick, back)
    assert done.code == 0, done.err
    assert held(back) == before and is_beginning(back, stick)
    assert archived.mailmove("account", "rebind", "box", "--archive", back).code == 0
    archived.export()
    assert archived.mailmove("copy", stick).code == 0, "the stick goes on as a copy of it"
    assert is_beginning(stick, back)


@pytest.mark.fault(85)
def test_a_run_brings_the_copies_on_before_it_prunes_what_they_must_hold(
    mailbox: Mailbox, mailmove: Program, tmp_path: Path
) -> None:
    mailmove.account(mailbox)
    mailbox.fill(map(message, range(3)), arrival=NOW - timedelta(days=400))
    config = mailmove.home / ".config/mailmove/config.toml"
    nas = tmp_path / "nas"
    config.write_text(
        f'{config.read_text()}[account.box.copies]\nnas = "{nas}"\n'
        '[account.box.prune]\nolder_than = "1y"\ncopies = ["nas"]\n'
    )
    done = mailmove("run", "--json")
    assert (done.code, len(mailbox.uids())) == (8, 3)
    steps_of_run = done.json["accounts"][0]["steps"]
    assert steps_of_run["copy"]["copies"][0]["held"] == 3
    assert "lies on the same disk as the archive" in steps_of_run["prune"]["error"]
    two_disks = as_machine(mailmove, "two", "disk.is_same = lambda one, other: False", WATCHED)
    done = two_disks("run")
    assert done.code == 0, done.out + done.err
    assert "copied    nothing new; 3 of 3 messages now lie at nas" in done.out and not mailbox.uids()
    mailbox.fill([message(7)], arrival=NOW - timedelta(days=400))
    nas.rename(tmp_path / "away")
    done = two_disks("run")
    assert done.code == 8 and len(mailbox.uids()) == 1
    assert "Is its disk not mounted?" in done.out and "its policy needs a copy" in done.out


WATCHED = "from mailmove.jobs.run import run; run.attended = lambda archive, since=0: 'somebody watched'"
"""As after a prune at a terminal that somebody agreed to."""
