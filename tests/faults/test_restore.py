"""restore when something goes wrong: nothing is lost, nothing doubled, and whatever did not go back is named."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kit import Mailbox, Program, message
from tests.servers.dovecot import Dovecot
from tests.servers.model import CAPABILITIES, Command, Refused, State, Store, Value
from tests.servers.proxy import Fault, Proxy, sample
from tests.servers.scripted import Conversation, Scripted

Serve = Callable[..., Scripted]
LINE = b'* 1 FETCH (UID %d FLAGS () INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE %d BODY[] {%d}\r\n%b)\r\n'
MESSAGES = [message(number, subject=f"subject {number}") for number in range(12)]


class Gone:
    """An archived account of a scripted server that has lost its INBOX."""

    def __init__(self, serve: Serve, program: Program, script: str = "", store: Store | None = None) -> None:
        self.program = program
        self.server = serve(script, store)
        self.store = self.server.store
        self.inbox = self.store.add("INBOX", *MESSAGES, flags=["\\Seen"])
        self.archive = program.account(self.server)
        self.export()
        self.inbox.mails.clear()

    def export(self) -> None:
        done = self.program("export")
        assert done.code == 0, done.err

    def restore(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        done = self.program("restore", *(arguments or ("--all",)), "--yes", "--json")
        assert done.code == code, done.out + done.err
        result: dict[str, Any] = done.json["accounts"][0]
        return result

    def held(self) -> Counter[bytes]:
        """What INBOX holds now."""
        return Counter(self.inbox.bodies)

    def recorded(self) -> dict[int, int]:
        """Which UID the journal says was restored from which, the last word counting."""
        lines = map(json.loads, (self.archive / ".mailmove" / "journal.jsonl").read_text().splitlines())
        return {line["uid"]: line["source"][2] for line in lines if line["kind"] == "restored"}


class WithoutUidplus(Store):
    """Does not tell which UIDs it gives."""

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        super().do_append(state, name, *args)
        self.completion = "appended"


class SameUid(Store):
    """Says that each message got the same UID."""

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        super().do_append(state, name, *args)
        self.completion = f"[APPENDUID {self.box(name).uidvalidity} 13] appended"


class Alters(Store):
    """Puts a field of its own into every message."""

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        super().do_append(state, name, *args[:-1], b"X-Seen-By: virus scanner\r\n" + args[-1])


class Forgets(Store):
    """Takes every message and keeps only some."""

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        super().do_append(state, name, *args)
        if self.box(name).mails[-1].uid % 2:
            self.drop(self.box(name), self.box(name).mails[-1:])


class NoKeywords(Store):
    """Refuses a message that has keywords."""

    def do_examine(self, state: State, name: bytes, *, writable: bool = False) -> Iterator[bytes]:
        for line in super().do_examine(state, name, writable=writable):
            yield line.replace(b" \\*)", b")")

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        if any(isinstance(value, list) and b"$Label1" in value for value in args):
            raise Refused("NO no keywords here")
        super().do_append(state, name, *args)


class Full(Store):
    """Takes no more than so many messages."""

    room = 5

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        if len(self.box(name).mails) >= self.room:
            raise Refused("NO [OVERQUOTA] the mailbox is full")
        super().do_append(state, name, *args)


@pytest.mark.parametrize("store", [WithoutUidplus, SameUid])
@pytest.mark.parametrize("capabilities", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN LITERAL-", CAPABILITIES])
@pytest.mark.loss(14, 21)
def test_without_uids_to_rely_on_what_came_back_is_known_by_its_octets(
    scripted: Serve, mailmove: Program, store: type[Store], capabilities: str
) -> None:
    account = Gone(scripted, mailmove, store=store(capabilities))
    assert account.restore()["folders"][0]["restored"] == 12
    assert account.held() == Counter(MESSAGES)
    assert account.recorded() == {uid: uid - 12 for uid in range(13, 25)}
    account.export()
    assert account.restore()["folders"][0]["restored"] == 0
    assert account.held() == Counter(MESSAGES)


@pytest.mark.fault(39)
def test_a_full_mailbox_stops_the_restore_and_the_next_run_goes_on(scripted: Serve, mailmove: Program) -> None:
    store = Full()
    account = Gone(scripted, mailmove, store=store)
    result = account.restore(code=3)
    assert "full" in result["stopped"] and result["folders"][0]["restored"] == 5
    assert sum(account.held().values()) == 5
    store.room = 99
    account.restore()
    assert account.held() == Counter(MESSAGES)


@pytest.mark.fault(39)
def test_what_the_quota_has_no_room_for_is_not_begun(scripted: Serve, mailmove: Program) -> None:
    account = Gone(scripted, mailmove, store=Store(CAPABILITIES + " QUOTA"))
    account.store.quota = (90 << 10, 92 << 10)
    done = mailmove("restore", "--all", "--yes")
    assert done.code == 9 and "it needs 4.21 KB" in done.err and "2.00 KB are free" in done.err
    assert not account.held()
    account.store.quota = (90 << 10, 99 << 10)
    account.restore()
    assert account.held() == Counter(MESSAGES)


def test_a_message_larger_than_the_server_takes_is_named_and_the_others_go_back(
    scripted: Serve, mailmove: Program
) -> None:
    account = Gone(scripted, mailmove, store=Store(CAPABILITIES + " APPENDLIMIT=1024"))
    account.store.add("INBOX", message(99, size=3000))
    account.export()
    account.inbox.mails.clear()
    result = account.restore(code=3)
    [failure] = result["folders"][0]["failures"]
    assert "up to 1.00 KB only" in failure["why"] and len(failure["message"]) == 10
    assert account.held() == Counter(MESSAGES)


@pytest.mark.parametrize(
    ("store", "said", "held"), [(Alters, "the server changed it", 12), (Forgets, "does not list it", 6)]
)
@pytest.mark.fault(19)
def test_the_second_look_tells_the_truth(
    scripted: Serve, mailmove: Program, store: type[Store], said: str, held: int
) -> None:
    account = Gone(scripted, mailmove, store=store())
    failures = account.restore(code=3)["folders"][0]["failures"]
    assert len(failures) == held and all(said in failure["why"] for failure in failures)
    assert len(account.inbox.mails) == held


def test_a_message_goes_back_without_its_keyword_rather_than_not_at_all(scripted: Serve, mailmove: Program) -> None:
    account = Gone(scripted, mailmove, store=NoKeywords())
    account.store.add("INBOX", message(50), flags=["$Label1", "\\Flagged", "\\Deleted"])
    account.export()
    account.inbox.mails.clear()
    result = account.restore()
    assert account.held() == Counter([*MESSAGES, message(50)])
    assert result["folders"][0]["other_flags"] == 1
    assert [mail.flags for mail in account.inbox.mails if mail.body == message(50)] == [{"\\Flagged"}]


@pytest.mark.fault(8)
def test_an_altered_file_is_not_sent(scripted: Serve, mailmove: Program) -> None:
    account = Gone(scripted, mailmove)
    [file] = [each for each in (account.archive / "INBOX" / "cur").iterdir() if b"subject 5\r" in each.read_bytes()]
    file.chmod(0o600)
    file.write_bytes(file.read_bytes().replace(b"line of", b"lie of "))
    [failure] = account.restore(code=3)["folders"][0]["failures"]
    assert "INBOX UID 6: its file was altered" in failure["why"]
    assert account.held() == Counter(MESSAGES) - Counter([MESSAGES[5]])


def test_a_server_that_asks_for_a_pause_gets_it(scripted: Serve, mailmove: Program) -> None:
    account = Gone(scripted, mailmove, "APPEND #3\n    {tag} NO [THROTTLED] suggested backoff time: 10 milliseconds\n")
    assert account.restore()["folders"][0]["restored"] == 12
    assert account.held() == Counter(MESSAGES)


def test_only_the_same_octets_are_the_same_message(scripted: Serve, mailmove: Program) -> None:
    """Message-ID and size are not enough."""
    account = Gone(scripted, mailmove)
    other = MESSAGES[0].replace(b"padded", b"PADDED")
    account.store.add("INBOX", other, MESSAGES[1])
    assert account.restore()["folders"][0]["restored"] == 11
    assert account.held() == Counter([*MESSAGES, other])


@pytest.mark.fault(31)
def test_a_message_that_was_not_asked_for_is_not_taken_for_one_that_is_there(
    scripted: Serve, mailmove: Program
) -> None:
    account = Gone(scripted, mailmove)
    account.store.add("INBOX", MESSAGES[1])

    def more(talk: Conversation, command: Command) -> None:
        told = LINE % (99, len(MESSAGES[5]), len(MESSAGES[5]), MESSAGES[5])
        talk.answer(command, lambda answer: told + answer)

    account.server.on("UID FETCH", more, r"BODY\.PEEK\[\]")
    assert account.restore()["folders"][0]["restored"] == 11
    assert account.held() == Counter(MESSAGES)


@pytest.mark.fault(16)
def test_a_uid_that_is_another_message_by_now_does_not_stand_for_the_archived_one(
    scripted: Serve, mailmove: Program
) -> None:
    account = Gone(scripted, mailmove)
    account.store.add("INBOX", message(99, size=900)).mails[0].uid = 1
    assert account.restore()["folders"][0]["restored"] == 12
    assert account.held() == Counter([*MESSAGES, message(99, size=900)])


@pytest.mark.fault(12)
def test_a_renewed_uidvalidity_doubles_nothing(scripted: Serve, mailmove: Program) -> None:
    account = Gone(scripted, mailmove)
    account.store.add("INBOX", *MESSAGES[:6])
    account.inbox.uidvalidity += 1
    result = account.restore()  # compares by Message-ID, size and content
    assert (result["folders"][0]["restored"], result["folders"][0]["there"]) == (6, 6)
    assert account.held() == Counter(MESSAGES)
    account.export()
    assert account.restore()["folders"][0]["restored"] == 0


@pytest.fixture
def behind(dovecot: Dovecot) -> Iterator[Proxy]:
    """A Dovecot behind a proxy that breaks connections."""
    proxy = Proxy(dovecot.imap)
    yield proxy
    proxy.stop()


@pytest.mark.fault(1, 10)
def test_killed_at_many_moments_and_run_again_nothing_is_missing_or_doubled(
    mailbox: Mailbox, behind: Proxy, mailmove: Program
) -> None:
    arrival = datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC)
    mailbox.fill([*map(message, range(120)), message(3), message(3)], flags=["\\Seen"], arrival=arrival)
    mailbox.fill(map(message, range(10)), "Other", arrival=arrival + timedelta(days=1))
    through = Mailbox("dovecot", behind.host, behind.imap, mailbox.user)
    mailmove.account(through)
    assert mailmove("export").code == 0
    before = mailbox.contents()

    def lose() -> None:
        for folder in ("INBOX", "Other"):
            mailbox.expunge(folder, mailbox.uids(folder))

    lose()
    behind.arm(None)
    assert mailmove("restore", "--all", "--yes").code == 0
    moments = [Fault("cut", saying=b"[APPENDUID", nth=nth) for nth in (1, 2, 3, 3)]
    moments += [Fault("cut", command=line) for line in sample(behind.commands, 4)]
    moments += [Fault("cut", octet=octet) for octet in sample(behind.octets, 4)]
    for number, moment in enumerate(moments):
        lose()
        running = subprocess.Popen(
            mailmove.command("restore", "--all", "--yes", "--quiet"), env=mailmove.env, stderr=subprocess.DEVNULL
        )

        def strike(running: subprocess.Popen[bytes] = running) -> None:
            running.kill()
            running.wait()

        behind.on_strike = strike
        behind.arm(moment)
        running.wait(60)
        behind.arm(None)
        assert running.returncode == -9, moment
        if number % 2:
            assert mailmove("export").code == 0
        again = mailmove("restore", "--all", "--yes")
        assert again.code == 0, (moment, again.out, again.err)
        assert mailbox.contents() == before, moment
        assert mailmove("restore", "--all", "--yes").out.startswith("Nothing to do")


def test_a_message_larger_than_the_memory_allowed_streams(mailbox: Mailbox, mailmove: Program) -> None:
    size = 110 << 20
    mailbox.fill([message(1, size=size)])
    mailmove.account(mailbox)
    assert mailmove("export").code == 0
    before = mailbox.contents()
    mailbox.expunge("INBOX", mailbox.uids())
    limited = f"ulimit -d {size * 3 // 4 >> 10} && exec {shlex.join(mailmove.command('restore', '--all', '--yes'))}"
    done = subprocess.run(["sh", "-c", limited], env=mailmove.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert mailbox.contents() == before


@pytest.mark.fault(38)
def test_a_folder_that_cannot_be_opened_is_named_and_the_others_go_back(scripted: Serve, mailmove: Program) -> None:
    account = Gone(scripted, mailmove)
    sent = account.store.add("Sent", message(70))
    account.export()
    sent.mails.clear()
    account.inbox.mails.clear()
    account.server.script("EXAMINE /Sent/\n    {tag} NO [NOPERM] not yours\n")
    result = account.restore(code=3)
    failures = {folder["name"]: folder["failures"] for folder in result["folders"]}
    assert failures == {
        "INBOX": [],
        "Sent": [{"message": None, "count": 1, "why": "EXAMINE refused: [NOPERM] not yours", "there": False}],
    }
    assert account.held() == Counter(MESSAGES)


class TellsLimits(Store):
    """Takes messages up to a size of its own in each folder, told by STATUS (RFC 7889 3.2)."""

    limit = 1024

    def do_status(self, state: State, name: bytes, items: Value) -> Iterator[bytes]:
        if items == [b"APPENDLIMIT"]:
            limit = self.limit if name == b"INBOX" else 100_000
            yield b'* STATUS "%s" (APPENDLIMIT %d)' % (name, limit)
        else:
            yield from super().do_status(state, name, items)


def test_the_largest_message_that_a_folder_takes_is_asked_of_the_folder(scripted: Serve, mailmove: Program) -> None:
    account = Gone(scripted, mailmove, store=TellsLimits(CAPABILITIES + " APPENDLIMIT"))
    large = message(99, size=3000)
    account.store.add("INBOX", large)
    account.store.add("Other", large)
    account.export()
    account.inbox.mails.clear()
    account.store["Other"].mails.clear()
    result = account.restore(code=3)
    failures = {folder["name"]: [f["why"] for f in folder["failures"]] for folder in result["folders"]}
    assert failures["Other"] == [] and len(failures["INBOX"]) == 1
    assert "up to 1.00 KB only" in failures["INBOX"][0]
    assert account.held() == Counter(MESSAGES)
    assert account.store["Other"].bodies == [large]
    assert account.server.count("APPEND") == 13, "what is too large is not sent"


@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("capability", [" CREATE-SPECIAL-USE", ""])
def test_a_folder_with_a_special_use_is_made_with_it_where_the_server_takes_that(
    scripted: Serve, mailmove: Program, capability: str, takes: bool
) -> None:
    """RFC 6154 3: CREATE with USE; a server that refuses this use (USEATTR) makes the folder without."""
    account = Gone(scripted, mailmove)
    account.store.add("Sent Items", message(50), attributes="\\Sent")
    account.store.add("Plain", message(51))
    account.export()
    target = scripted(store=Store(CAPABILITIES + capability))
    if not takes:
        target.script(r"CREATE /USE/" + "\n    {tag} NO [USEATTR] there is one already")
    done = mailmove("restore", "--all", "--to", target.url, "--tls", "none", "--yes", env={"MAILMOVE_PASSWORD": "pw"})
    assert done.code == 0, done.out + done.err
    created = [command.args for command in target.commands if command.name == "CREATE"]
    with_use, plain = [b"Sent Items", [b"USE", [b"\\Sent"]]], [b"Sent Items"]
    tried = [with_use] * bool(capability) + [plain] * (not capability or not takes)
    assert sorted(map(repr, created)) == sorted(map(repr, [*tried, [b"Plain"]]))
    assert target.store["Sent Items"].bodies == [message(50)] and target.store["Plain"].bodies == [message(51)]
