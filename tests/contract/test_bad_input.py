"""Bad input gets one or two lines that say what and what next, a documented exit code, and loses nothing."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import Done, Mailbox, Program, archived, message, total
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]


def refused(done: Done, code: int, *parts: str) -> None:
    """One or two lines on standard error, nothing on standard output, this exit code."""
    assert done.code == code, (done.code, done.err)
    assert done.out == ""
    assert 1 <= done.err.count("\n") <= 2, done.err
    for part in parts:
        assert part in done.err


def test_an_unknown_account(mailbox: Mailbox, mailmove: Program) -> None:
    refused(mailmove("export"), 2, "there is no account yet")
    refused(mailmove("export", "nobody"), 2, "there is no account 'nobody'", "has no accounts yet")
    mailmove.account(mailbox)
    refused(mailmove("export", "nobody"), 2, "there is no account 'nobody'", ": box.")


def test_many_accounts_are_not_all_named(mailmove: Program) -> None:
    mailmove.configure("".join(f'[account.box{n}]\nhost = "host{n}.invalid"\n' for n in range(300)))
    some = "box0, box1, box2, box3, box4, and 295 more"
    refused(mailmove("export", "nobody"), 2, f": {some}.")
    refused(mailmove("export", "box"), 2, f"'box' could be {some}")
    refused(mailmove("prune", "--older-than", "1y"), 2, f"all 300 accounts\n  Name those that are meant ({some})")
    refused(mailmove("prune", "--yes"), 2, f"no prune policy is laid down for {some}")
    refused(mailmove("restore", "--all"), 2, f"there are several accounts: {some}")


def test_a_wrong_url(mailmove: Program) -> None:
    refused(mailmove("export", "pop3://me@localhost"), 2, "not an account URL", "Write imaps://user@host")
    refused(mailmove("export", "imaps://localhost"), 2, "not an account URL")
    refused(mailmove("export", "imaps://me@localhost:imap"), 2, "not a URL")


def test_a_host_that_is_not_found(mailmove: Program) -> None:
    refused(mailmove("export", "imaps://me@host.invalid"), 6, "host.invalid:993: host not found", "Check the host name")


def test_a_port_that_refuses(mailmove: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    done = mailmove("export", f"imap://me@localhost:{port}", "--tls", "none")
    refused(done, 6, f"localhost:{port}: Connection refused", "Check host and port")


def test_a_server_that_is_no_imap_server(mailmove: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            sock, _ = listener.accept()
            sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            sock.close()

        thread = threading.Thread(target=greet)
        thread.start()
        done = mailmove("export", f"imap://me@localhost:{listener.getsockname()[1]}", "--tls", "none")
        thread.join()
    refused(done, 6, "localhost")


def test_a_wrong_password(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    archive = mailmove.account(mailbox)
    done = mailmove("export", env={"MAILMOVE_PASSWORD": "wrong"})
    refused(done, 5, "localhost refused the login of", "Check user name and password")
    assert not archive.exists()


def test_a_url_and_an_account_that_mean_the_same_login_share_one_archive(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill(map(message, range(5)))
    archive = mailmove.account(mailbox)
    assert mailmove("export", mailbox.url, "--tls", "none").code == 0
    assert total(archived(archive)).total() == 5
    again = mailmove("export", "box", "--json").json["accounts"][0]
    assert sum(folder["fetched"] for folder in again["folders"]) == 0
    both = mailmove("export", "box", mailbox.url, "--json").json["accounts"]
    assert [account["account"] for account in both] == ["box"]
    assert not (mailmove.home / "Mail").exists()


@pytest.mark.fault(5)
def test_an_archive_that_cannot_be_written(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    place = "/sys/mailmove"  # not even root makes directories here
    done = mailmove("export", mailbox.url, "--tls", "none", "--archive", place)
    refused(done, 7, f"making {place} failed")


@pytest.mark.fault(5, 45)
def test_the_archive_of_another_account(dovecot: object, mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    archive = mailmove.account(mailbox)
    assert mailmove("export").code == 0
    before = archived(archive)
    other = Mailbox(mailbox.kind, mailbox.host, mailbox.port, f"{mailbox.user}x")
    other.fill([message(2)])
    done = mailmove("export", other.url, "--tls", "none", "--archive", archive)
    refused(done, 7, f"is the archive of {mailbox.user}@localhost", "Give this account an archive of its own")
    assert archived(archive) == before


def test_a_directory_with_something_else_in_it(mailbox: Mailbox, mailmove: Program) -> None:
    (mailmove.home / "photos").mkdir()
    (mailmove.home / "photos" / "lake.jpg").write_text("blue")
    done = mailmove("export", mailbox.url, "--tls", "none", "--archive", "photos")
    refused(done, 7, "is not empty and not a mailmove archive", "Name another directory")
    assert [path.name for path in (mailmove.home / "photos").iterdir()] == ["lake.jpg"]


def test_a_file_where_a_directory_should_be(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    file = mailmove.home / "file"
    file.write_text("precious")
    for place in (file, file / "below"):
        done = mailmove("export", mailbox.url, "--tls", "none", "--archive", place)
        refused(done, 7, "Not a directory")
    archive = mailmove.account(mailbox)
    assert mailmove("export").code == 0
    shutil.rmtree(archive / "INBOX" / "tmp")
    (archive / "INBOX" / "tmp").write_text("precious")
    mailbox.fill([message(2)])
    refused(mailmove("export"), 7, "INBOX/tmp", "a file where a directory should be")
    assert file.read_text() == (archive / "INBOX" / "tmp").read_text() == "precious"
    for name in ("archives", "index"):
        state = mailmove.home / f"state {name}"
        state.mkdir()
        (state / name).write_text("precious")
        done = mailmove("export", mailbox.url, "--tls", "none", "--archive", "new", env={"MAILMOVE_STATE": str(state)})
        refused(done, 7, str(state / name))


def test_an_index_that_is_not_a_file(mailbox: Mailbox, mailmove: Program) -> None:
    """It is made again from the journal when it is damaged, but what is in its place is not removed."""
    mailbox.fill([message(1)])
    mailmove.account(mailbox)
    assert mailmove("export").code == 0
    for path in (mailmove.home / "state" / "index").iterdir():
        path.unlink()
        if path.suffix == ".sqlite":
            path.mkdir()
    refused(mailmove("export"), 7, "the index", "cannot be used")


@pytest.mark.fault(4)
def test_a_full_disk(mailbox: Mailbox, mailmove: Program) -> None:
    """A limit on the size of files stops a write in the middle, as a full disk does."""
    mailbox.fill([message(1, size=5_000), message(2, size=3_000_000)])
    archive = mailmove.account(mailbox)
    done = subprocess.run(
        mailmove.command("export"),
        env=mailmove.env,
        cwd=mailmove.home,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert done.returncode == 7, done.stderr
    assert "File too large" in done.stderr
    assert done.stderr.count("\n") <= 2
    assert mailmove("export").code == 0
    assert total(archived(archive)) == total(mailbox.contents())


@pytest.mark.fault(4)
def test_no_room_left(mailbox: Mailbox, mailmove: Program) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    mailbox.fill([message(1, size=500_000)])
    archive = mailmove.account(mailbox)
    inject = [strace, "-f", "-qq", "-o", os.devnull, "-e", "trace=fsync", "-e", "inject=fsync:error=ENOSPC:when=12+"]
    done = subprocess.run(
        [*inject, *mailmove.command("export")],
        env=mailmove.env,
        cwd=mailmove.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert "no room left on the disk while" in done.stderr
    assert "Make room and run the same command again" in done.stderr
    assert done.stderr.count("\n") == 2
    assert mailmove("export").code == 0
    assert total(archived(archive)) == total(mailbox.contents())


@pytest.mark.fault(6)
def test_a_second_run_at_the_same_time(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    reached, go_on = threading.Event(), threading.Event()

    def wait(talk: Conversation, command: Command) -> None:
        reached.set()
        go_on.wait(60)
        talk.answer(command)

    server.on("UID FETCH", wait, "BODY", nth=1)
    with mailmove.started("export") as first:
        assert reached.wait(60)
        refused(mailmove("export"), 7, f"another mailmove is working on {archive}", "Wait until it has finished")
        go_on.set()
        _, err = first.communicate(timeout=60)
        assert first.returncode == 0, err
    assert total(archived(archive)).total() == 1
    assert mailmove("export").code == 0


def test_a_folder_pattern_that_matches_nothing(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    archive = mailmove.account(mailbox)
    for option in ("--folder", "--exclude"):
        refused(mailmove("export", option, "Inbox/*"), 2, "no folder matches Inbox/*", "mailmove account test")
    refused(mailmove("export", "--exclude", "*"), 2, "the patterns leave no folder")
    assert total(archived(archive)).total() == 0


@pytest.mark.parametrize("option", ["--archive", "--config", "--ca-file", "--tls"])
def test_an_empty_value(mailbox: Mailbox, mailmove: Program, option: str) -> None:
    """An unset variable in a script does not mean the same as leaving the option out."""
    mailmove.account(mailbox)
    refused(mailmove("export", option, ""), 2, f"{option} is empty")


def test_mistakes_on_the_command_line(mailbox: Mailbox, mailmove: Program) -> None:
    mailmove.account(mailbox, name="one")
    mailmove.account(Mailbox(mailbox.kind, mailbox.host, mailbox.port, "other"), name="two")
    refused(mailmove("export", "--archive", "mail"), 2, "--archive names the archive of one account")
    refused(mailmove("export", "--config", "none.toml"), 2, "none.toml does not exist")
    refused(mailmove("export", "--tls", "maybe"), 2, "'maybe' is not a way", "Allowed: implicit, starttls, none.")
    for arguments in (["exprt"], ["export", "--nope"], ["export", "--jobs", "0"], ["export", "--folder"]):
        done = mailmove(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "Error: " in done.err


def test_an_account_that_fails_does_not_stop_the_others(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    with socket.create_server(("127.0.0.1", 0)) as sock:
        gone = Mailbox("none", "localhost", sock.getsockname()[1], "me")
    password = ["echo", "pw"]
    mailmove.account(gone, name="bad", password_command=password)
    archive = mailmove.account(mailbox, name="good", password_command=password)
    done = mailmove("export")
    assert done.code == 6
    assert "bad: localhost" in done.err
    assert done.err.splitlines()[-1] == "1 of 2 accounts need attention: bad"
    assert "good: all 1 message archived, 1 new (" in done.out
    assert total(archived(archive)).total() == 1


def test_output_that_nobody_reads_is_no_error(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> None:
    """As in ``mailmove account list | head -1``."""
    mailmove.account(mailbox)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = subprocess.run(
            mailmove.command("account", "list"), env=mailmove.env, stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)
    assert (process.returncode, process.stderr) == (0, b"")
