"""No password or token is printed, logged, written or visible to other users of the machine."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import Program, message
from tests.servers.model import Command, Gmail
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]

SECRET = "correct-horse-battery"
FORMS = [
    SECRET.encode(),
    SECRET.encode().hex().encode(),
    base64.b64encode(f"\0user\0{SECRET}".encode()),
    base64.b64encode(f"user=user\x01auth=Bearer {SECRET}\x01\x01".encode()),
    base64.b64encode(f"n,a=user,\x01auth=Bearer {SECRET}\x01\x01".encode()),
]


def hidden(text: bytes) -> bool:
    return not any(form in text for form in FORMS)


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("how", ["environment", "password_command", "token_command"])
def test_a_secret_stays_one(scripted: Start, mailmove: Program, how: str, refused: bool) -> None:
    store = Gmail()
    store.deliver(message(1), "INBOX")
    if not refused:
        store.passwords, store.tokens = {SECRET}, {SECRET}
    server = scripted(store=store)
    seen: list[bytes] = []

    def look(talk: Conversation, command: Command) -> None:
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(status.read_bytes())
            except OSError:
                continue
        talk.answer(command)

    server.on("LOGIN", look)
    server.on("AUTHENTICATE", look)
    source = mailmove.home / "secret"
    source.write_text(SECRET + "\n")
    mailmove.env["MAILMOVE_PASSWORD"] = SECRET if how == "environment" else ""
    mailmove.account(server, **({} if how == "environment" else {how: ["cat", str(source)]}))  # type: ignore[arg-type]
    for arguments in (["export"], ["export", "-vv"], ["audit", "-vv"], ["export", "--json", "-vv"]):
        done = mailmove.anew(*arguments)
        assert done.code == (5 if refused else 0), done.err
        assert hidden((done.out + done.err).encode())
    source.unlink()
    for path in mailmove.home.rglob("*"):
        assert not path.is_file() or hidden(path.read_bytes()), path
    assert any(b"mailmove" in line for line in seen), "the program was looked at while it logged in"
    assert all(map(hidden, seen))
    assert not hidden(server.octets), "it was really used"
