"""Whatever becomes of what it says, a run does what it does, exits as it would, and is told where anything is left."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import NOW, Mailbox, Program, archived, hashes, message, sha256, total
from tests.outlets import Said, runs
from tests.servers.dovecot import Dovecot

DEEDS = ("export", "prune", "restore", "reindex", "account add", "account pass", "account rebind", "account remove")
GREEK = "Εισερχόμενα €"
OLD, NEW = [message(number) for number in range(3)], [message(number) for number in range(3, 5)]
ID = sha256(OLD[0])[:12]

COMMANDS = """
--version
--help
account --help
account add me@rossi.example --host HOST --port PORT --user USER --tls none --secret-file secret --archive mail
-h
account list
account show me@rossi.example
account test
audit
export
export --json
check
check --server
check missing/
find message
find nothing-of-this
show ID
get ID -o letters
prune --older-than 1y --dry-run
prune --older-than 1y --yes
prune --older-than never
prune --yes
history
restore --folder INBOX --yes
restore ID --yes
reindex
account password me@rossi.example
account rebind me@rossi.example
account remove me@rossi.example --yes
find message --archive mail
""".strip().splitlines()

Play = Callable[..., list[Said]]


@pytest.fixture(scope="module")
def play(dovecot: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Plays all commands with a mailbox and a home of its own; what they leave behind must be as it should be."""

    def play(stdin: str = "open", stdout: str = "open", stderr: str = "open", **environment: str) -> list[Said]:
        home = tmp_path_factory.mktemp("home")
        home.chmod(0o700)
        mailbox = Mailbox("dovecot", dovecot.host, dovecot.imap, home.name)
        mailbox.fill(OLD, arrival=NOW - timedelta(days=800))
        mailbox.fill(NEW, GREEK)
        words = {"HOST": mailbox.host, "PORT": str(mailbox.port), "USER": mailbox.user, "ID": ID}
        commands = [[words.get(word, word) for word in command.split()] for command in COMMANDS]
        said = runs(commands, (stdin, stdout, stderr), {**Program(home).env, **environment}, home)
        assert total(mailbox.contents()) == hashes(*OLD, *NEW)
        assert (home / "mail" / GREEK / "cur").is_dir(), "its name is UTF-8 whatever the locale"
        assert total(archived(home / "mail")) >= hashes(*OLD, *NEW)
        assert [file.read_bytes() for file in (home / "letters").iterdir()] == [OLD[0]]
        assert not (home / "secret").exists()
        return [Said(code, _alike(out, home), _alike(err, home)) for code, out, err in said]

    return play


def _alike(text: str, home: Path) -> str:
    """What a run says without what is another in each: numbers, moments, places."""
    text = text.replace(home.name, "HOME")
    return re.sub(r"(?<![\\\w])\d+([.,:-]\d+)*", "0", text)


@pytest.fixture(scope="module")
def usual(play: Play) -> list[Said]:
    """What all commands come to where nothing is out of the ordinary."""
    said = play()
    assert {one.code for one in said} == {0, 2, 7}
    return said


@pytest.fixture(scope="module")
def latin9(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A German locale of the time before UTF-8."""
    if shutil.which("localedef") is None:
        pytest.skip("no localedef")
    made = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-15", str(made / "de_DE.ISO-8859-15")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"localedef cannot make it: {done.stderr}")
    return {"LOCPATH": str(made), "LC_ALL": "de_DE.ISO-8859-15"}


def codes(said: list[Said]) -> list[int]:
    return [one.code for one in said]


def told(text: str, where: str) -> bool:
    """Whether all of a text stands somewhere; what an encoding does not have may be escaped there."""
    return all(line in where for line in text.splitlines() if line.isascii())


@pytest.mark.fault(69)
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_an_encoding_that_cannot_show_it(usual: list[Said], play: Play, encoding: str) -> None:
    said = play(PYTHONIOENCODING=encoding)
    assert codes(said) == codes(usual)


@pytest.mark.fault(69)
def test_a_locale_that_is_not_utf_8(usual: list[Said], play: Play, latin9: dict[str, str]) -> None:
    said = play(**latin9)
    assert codes(said) == codes(usual)
    for before, now in zip(usual, said, strict=True):
        assert told(before.out, now.out)
    listing = said[COMMANDS.index("audit")].out
    assert r"\u0395" in listing and r"\xa4" in listing, "Greek is escaped, the euro sign is octet A4"


@pytest.mark.fault(69)
@pytest.mark.parametrize("how", ["full", "closed", "left"])
def test_standard_output_that_takes_nothing(usual: list[Said], play: Play, how: str) -> None:
    said = play(stdout=how)
    assert codes(said) == codes(usual)
    for command, before, now in zip(COMMANDS, usual, said, strict=True):
        assert not now.out
        if how != "left" or command.startswith(DEEDS):
            assert told(before.out, now.err) and told(before.err, now.err)
        else:
            assert now.err == before.err, "whoever read it has seen enough"


@pytest.mark.fault(69)
@pytest.mark.parametrize("how", ["full", "closed", "left"])
def test_standard_error_that_takes_nothing(usual: list[Said], play: Play, how: str) -> None:
    said = play(stderr=how)
    assert codes(said) == codes(usual)
    for before, now in zip(usual, said, strict=True):
        assert told(before.out, now.out) and told(before.err, now.out)


@pytest.mark.fault(69)
def test_nobody_can_be_told(usual: list[Said], play: Play) -> None:
    """Then a run that is done says it by its exit code, the only voice it has left."""
    said = play(stdin="closed", stdout="full", stderr="closed")
    assert codes(said) == [one.code or 3 if one.out or one.err else 0 for one in usual]
    assert codes(play(stdout="left", stderr="left")) == codes(usual), "a reader who leaves was told what it wanted"


@pytest.mark.fault(69)
def test_standard_input_that_is_closed(usual: list[Said], play: Play) -> None:
    said = play(stdin="closed")
    assert codes(said) == codes(usual)
    for before, now in zip(usual, said, strict=True):
        assert told(before.out, now.out) and told(before.err, now.err)
