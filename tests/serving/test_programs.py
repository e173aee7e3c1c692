"""Real mail programs take a served archive home: every message, octet for octet, and never twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmove.archive.record import records
from tests.kit import Program, archived, hashes, message
from tests.serving.conftest import ARRIVAL, Serving, Shelved

Serve = Callable[..., Serving]

TEXTS = {uid: message(uid, size=300 * uid) for uid in range(1, 9)}
_ADDED = re.compile(rb"^(?:X-TUID: .{12}|Content-Length: \d+|Lines: \d+)\r?\n", re.MULTILINE)
ODD = {
    20: b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n",
    21: b"Subject: 8 bit \xfc\r\n\r\n\xe4\xf6\r\n",
    22: b"only a line\r\n",
}


def program(name: str) -> str:
    """Where a program is; in continuous integration it must be."""
    found = shutil.which(name, path=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs {name}")
        pytest.skip(f"{name} is not installed")
    return found


def ran(home: Path, *command: object, code: int = 0) -> str:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm"}
    done = subprocess.run(
        list(map(str, command)), env=environment, cwd=home, capture_output=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == code, said
    return said


def bodies(directory: Path) -> Counter[str]:
    """What lies in a Maildir, with the line ends that mail has on the wire, and without what mbsync and mutt add."""
    files = [file for part in ("new", "cur") for file in (directory / part).iterdir()]
    plain = (_ADDED.sub(b"", file.read_bytes()).replace(b"\r\n", b"\n") for file in files)
    return hashes(*(text.replace(b"\n", b"\r\n") for text in plain))


@pytest.fixture
def serving(shelved: Shelved, serve: Serve) -> Serving:
    shelved.put(TEXTS, flags=["\\Seen", "\\Flagged", "$Forwarded"])
    shelved.put(ODD, "Sent", use="\\sent", uidvalidity=8)
    shelved.put({1: message(50)}, "Clienti/Gr&APYA3w-e", uidvalidity=9)
    shelved.record(records.Flags(b"INBOX", 7, 3, ("\\Answered", "Junk")))
    return serve()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "other"
    place.mkdir(mode=0o700)
    return place


def test_our_own_export_finds_what_was_archived(serving: Serving, shelved: Shelved, mailmove: Program) -> None:
    from mailmove.archive.store import Archive

    there = mailmove.home / "there"
    url = f"imap://{serving.user}@127.0.0.1:{serving.imap_port}"
    done = mailmove("export", url, "--tls", "none", "--archive", there, env={"MAILMOVE_PASSWORD": serving.password})
    assert done.code == 0, done.out + done.err
    assert archived(there) == archived(shelved.path)
    seen = []
    for place in (shelved.path, there):
        with Archive.open(str(place), shelved.memory, writable=False) as archive:
            seen.append(
                {
                    (entry.stored.id, entry.arrival, entry.flags, entry.stored.sha256)
                    for wire, uidvalidity in archive.index.folders()
                    for entry in archive.index.entries(wire, uidvalidity)
                }
            )
    assert seen[0] == seen[1]
    assert min(arrival for _, arrival, _, _ in seen[1]) == ARRIVAL + 1


def test_mbsync_copies_it(serving: Serving, home: Path) -> None:
    (home / "mail").mkdir()
    (home / ".mbsyncrc").write_text(
        f"IMAPAccount a\nHost 127.0.0.1\nPort {serving.imap_port}\nUser {serving.user}\nPass {serving.password}\n"
        "SSLType None\nAuthMechs *\n\nIMAPStore far\nAccount a\n\n"
        f"MaildirStore near\nSubFolders Verbatim\nPath {home}/mail/\nInbox {home}/mail/INBOX\n\n"
        "Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSync Pull\nExpunge None\nCopyArrivalDate yes\n"
    )
    mbsync = program("mbsync")
    for _ in range(2):
        ran(home, mbsync, "-a")
        assert bodies(home / "mail" / "INBOX") == hashes(*TEXTS.values())
        assert bodies(home / "mail" / "Sent") == hashes(ODD[20], ODD[21])  # one without a header it refuses to copy
        (below,) = (home / "mail" / "Clienti").iterdir()
        assert bodies(below) == hashes(message(50))
    kept = [file for part in ("new", "cur") for file in (home / "mail" / "INBOX" / part).iterdir()]
    assert {round(file.stat().st_mtime) for file in kept} == {ARRIVAL + uid for uid in TEXTS}
    assert sum("F" in file.name.rpartition(",")[2] for file in kept) == len(TEXTS) - 1


def test_getmail_takes_it_once(serving: Serving, home: Path) -> None:
    deliver = home / "deliver"  # its own Maildirs getmail refuses to write as root
    deliver.write_text(
        f"#!/bin/sh\nmkdir -p {home}/mail/new {home}/mail/cur\nexec cat >$(mktemp {home}/mail/new/XXXXXX)\n"
    )
    deliver.chmod(0o700)
    (home / "rc").write_text(
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {serving.pop3_port}\n"
        f"username = {serving.user}\npassword = {serving.password}\n"
        f"[destination]\ntype = MDA_external\npath = {deliver}\nunixfrom = false\nallow_root_commands = true\n"
        "[options]\ndelete = false\nread_all = false\ndelivered_to = false\nreceived = false\n"
    )
    getmail = program("getmail")
    ran(home, getmail, "--getmaildir", home, "--rcfile", home / "rc")
    assert sum(bodies(home / "mail").values()) == len(TEXTS) + len(ODD) + 1
    assert "0 messages (0 bytes) retrieved" in ran(home, getmail, "--getmaildir", home, "--rcfile", home / "rc")


def test_fetchmail_takes_it_once(serving: Serving, home: Path) -> None:
    deliver = home / "deliver"
    deliver.write_text(f"#!/bin/sh\nmkdir -p {home}/got\nexec cat >$(mktemp {home}/got/XXXXXX)\n")
    deliver.chmod(0o700)
    rc = home / "rc"
    rc.write_text(
        f"poll 127.0.0.1 protocol POP3 port {serving.pop3_port} uidl bad-header accept\n"
        f"user '{serving.user}' password '{serving.password}' mda '{deliver}' keep sslproto '' no rewrite\n"
    )
    rc.chmod(0o600)
    fetchmail = program("fetchmail")
    command = (fetchmail, "-f", rc, "-i", home / "ids", "--pidfile", home / "pid", "--nosyslog", "--invisible")
    ran(home, *command)
    assert len(list((home / "got").iterdir())) == len(TEXTS) + len(ODD) + 1
    ran(home, *command, code=1)  # no new mail
    assert len(list((home / "got").iterdir())) == len(TEXTS) + len(ODD) + 1


def test_curl_reads_single_messages(serving: Serving, home: Path) -> None:
    curl = program("curl")
    login = ("-s", "-u", f"{serving.user}:{serving.password}")
    path = home / "got"
    for url, text in (
        (f"imap://127.0.0.1:{serving.imap_port}/INBOX;UID=3", TEXTS[3]),
        (f"imap://127.0.0.1:{serving.imap_port}/Sent;UID=20", ODD[20]),
        (f"pop3://127.0.0.1:{serving.pop3_port}/1", TEXTS[1]),
    ):
        ran(home, curl, *login, url, "-o", path)
        assert path.read_bytes() == text
    assert "Clienti" in ran(home, curl, *login, f"imap://127.0.0.1:{serving.imap_port}/")


def test_offlineimap_copies_it_and_then_nothing(serving: Serving, home: Path) -> None:
    (home / ".offlineimaprc").write_text(
        "[general]\naccounts = a\nui = quiet\n[Account a]\nlocalrepository = near\nremoterepository = far\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {home}/mail\nsep = /\n"
        f"[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {serving.imap_port}\nssl = no\n"
        f"starttls = no\nauth_mechanisms = PLAIN\nremoteuser = {serving.user}\nremotepass = {serving.password}\n"
        "readonly = true\nstartdate = \n"
    )
    offlineimap = program("offlineimap")
    copied = []
    for _ in range(2):
        ran(home, offlineimap, "-o", "-1")
        assert bodies(home / "mail" / "INBOX") == hashes(*TEXTS.values())
        there = bodies(home / "mail" / "Sent")
        assert there.total() == len(ODD) and there >= hashes(ODD[20], ODD[21])  # to a bare line it adds its end
        copied.append({file: file.stat().st_ino for file in (home / "mail").rglob("*,U=*")})
    assert copied[0] == copied[1]


def test_mutt_opens_it(serving: Serving, home: Path) -> None:
    """It tags everything and copies it; what it shows is the same each time."""
    (home / "rc").write_text(
        f'set imap_user="{serving.user}" imap_pass="{serving.password}" ssl_starttls=no ssl_force_tls=no\n'
        "set copy=no confirmappend=no confirmcreate=no delete=no mbox_type=Maildir quit=yes wait_key=no\n"
        f'set folder="{home}" record="" spoolfile="imap://127.0.0.1:{serving.imap_port}/INBOX"\n'
    )
    mutt = program("mutt")
    for number in range(2):
        place = home / f"copy{number}"
        keys = f"push '<tag-pattern>~A<enter><tag-prefix><copy-message>{place}<enter><quit>'"
        ran(home, "script", "-qec", f'{mutt} -F {home}/rc -e "{keys}"', "/dev/null")
        assert bodies(place) == hashes(*TEXTS.values())
