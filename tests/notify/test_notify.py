"""Who is told what a run came to: against a switch and a mail server on loopback."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mailmove.accounts import config
from mailmove.errors import RefusedError, Unreachable, UsageError
from mailmove.notify import message as told
from mailmove.notify import ping
from mailmove.plan.alarms import DAY, Facts, Failing, Thresholds, alarms, news
from tests.kit import NOW, Program, message
from tests.servers.scripted import Scripted

SECRET = "0f5e-secret"


class Switch(ThreadingHTTPServer):
    """Takes pings; ``status`` is what it answers."""

    def __init__(self) -> None:
        self.pings: list[tuple[str, str, str]] = []
        self.status = 200
        switch = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                parts = urlsplit(self.path)
                switch.pings.append((parts.path, parse_qs(parts.query).get("rid", [""])[0], body))
                self.send_response(switch.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{SECRET}"


class Sink(socketserver.ThreadingTCPServer):
    """Takes mail by SMTP (RFC 5321)."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 sink\r\n")
                for line in self.rfile:
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = iter(self.rfile.readline, b".\r\n")
                        sink.mails.append(b"".join(lines).decode())
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 good\r\n")
                    if verb == b"QUIT":
                        return

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch() as server:
        yield server
        server.shutdown()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        yield server
        server.shutdown()


@pytest.fixture
def box(scripted: Callable[..., Scripted], mailmove: Program) -> Scripted:
    """An account whose logins are refused from the second to the fourth."""
    refused = "".join(f"LOGIN #{number}\n    {{tag}} NO [AUTHENTICATIONFAILED] no\n" for number in (2, 3, 4))
    server: Scripted = scripted(refused)
    server.store.add("INBOX", message(1, subject="the secret of the subject"), arrival=NOW)
    mailmove.account(server)
    return server


def notify(mailmove: Program, **keys: Any) -> None:
    path = mailmove.home / ".config" / "mailmove" / "config.toml"
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    mailmove.configure(f"{path.read_text()}[notify]\n{table}")


@pytest.mark.fault(98)
def test_a_switch_is_told_of_each_run_and_one_that_fails_is_a_warning_without_its_url(
    box: Scripted, mailmove: Program, switch: Switch
) -> None:
    notify(mailmove, ping=switch.url)
    assert mailmove("run").code == 0
    assert mailmove("run").code == 5
    paths = [path for path, _, _ in switch.pings]
    assert paths == [f"/{SECRET}/start", f"/{SECRET}", f"/{SECRET}/start", f"/{SECRET}/fail"]
    runs = [rid for _, rid, _ in switch.pings]
    assert runs[0] == runs[1] != runs[2] == runs[3]
    ends = ["accounts 1, failed 0, exit code 0", "accounts 1, failed 1, exit code 5"]
    assert [body for _, _, body in switch.pings if body] == ends
    assert mailmove("run", "box").code == 5
    assert len(switch.pings) == 4, "a run of some accounts says nothing of all"
    switch.status = 404
    done = mailmove("run", "-vv")
    assert done.code == 5 and done.err.count("warning: the ping was refused: HTTP status 404") == 2
    assert SECRET not in done.out + done.err


@pytest.mark.fault(98)
@pytest.mark.parametrize("far", ["http://127.0.0.1:1", "http://[::1]:1", "http://" + "x" * 70 + ".invalid"])
def test_a_switch_that_is_not_there_is_named_without_its_url(far: str) -> None:
    with pytest.raises(Unreachable, match="the ping failed") as caught:
        ping.ping(f"{far}/{SECRET}", ping.Signal.START, "1")
    assert SECRET not in str(caught.value) and far[8:] not in str(caught.value)


@pytest.mark.parametrize("wrong", [f"ftp://x/{SECRET}", f"http://[{SECRET}", f"http:///{SECRET}"])
def test_what_is_no_url_of_a_switch_is_refused_without_saying_it(wrong: str) -> None:
    with pytest.raises(UsageError, match="ping: ") as caught:
        config.read(f"[notify]\nping = {json.dumps(wrong)}\n".encode(), "config.toml")
    assert SECRET not in str(caught.value)


@pytest.mark.fault(98)
def test_a_notice_comes_once_until_it_changes(
    box: Scripted, mailmove: Program, tmp_path: Path, sink: Sink, switch: Switch
) -> None:
    heard, broken = tmp_path / "heard", tmp_path / "broken"
    script = tmp_path / "tell"
    script.write_text(f"#!/bin/sh\n[ -e {broken} ] && exit 1\ncat >> {heard}\n")
    script.chmod(0o755)
    notify(mailmove, command=[str(script)])
    assert mailmove("run").code == 0
    assert not heard.exists(), "nothing is wrong"
    broken.touch()
    done = mailmove("run")
    assert done.code == 5 and "warning: the command for notices failed (exit 1)" in done.err
    broken.unlink()
    assert mailmove("run").code == 5
    assert heard.read_text() == "box: export fails: login-refused\n\nAll of it: mailmove status\n"
    assert mailmove("run").code == 5
    assert heard.read_text().count("login-refused") == 1, "it is told once"
    path = mailmove.home / ".config" / "mailmove" / "config.toml"
    port = sink.server_address[1]
    keys = {"mail_to": "me@example.org", "smtp": f"127.0.0.1:{port}", "check_older_than": "7d"}
    keys["urls"] = [switch.url.replace("http", "json")]  # type: ignore[assignment]
    mailmove.configure(path.read_text() + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))
    box.store.add("INBOX").uidvalidity += 1
    for _ in range(2):
        assert mailmove("run").code == 0
    (mail,) = sink.mails
    assert "To: me@example.org" in mail and "box: no good check within 7 days" in mail
    assert "box: INBOX: its UIDVALIDITY changed from" in mail
    assert "secret of the subject" not in mail
    ((_, _, posted),) = switch.pings
    assert "no good check within 7 days" in posted
    assert heard.read_text().count("no good check") == heard.read_text().count("UIDVALIDITY") == 1


def test_apprise_s_urls_are_secrets(switch: Switch) -> None:
    url = switch.url.replace("http", "json")
    switch.status = 500
    with pytest.raises(Unreachable, match="by urls 1, 2 of 2") as caught:
        told.send([url, f"nobody://{SECRET}"], "subject", "text")
    assert SECRET not in str(caught.value)


def test_a_configuration_that_others_can_write_names_no_command(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[notify]\ncommand = ["true"]\n')
    path.chmod(0o666)
    with pytest.raises(RefusedError, match="others can write"):
        config.load(str(path))


@pytest.mark.parametrize(
    ("facts", "about"),
    [
        (Facts(), set()),
        (Facts((Failing("export", "busy", 3600),)), set()),
        (Facts((Failing("export", "busy", DAY),)), {"export"}),
        (Facts((Failing("export", "login-refused", 0), Failing("audit", "threshold", 9 * DAY))), {"export"}),
        (Facts(percent=90.0, full_in=31 * DAY), set()),
        (Facts(percent=90.1, full_in=29 * DAY), {"quota", "full"}),
        (Facts(ages={"check": DAY, "copy": None}), {"old copy"}),
        (Facts(ages={"check": 8 * DAY}), {"old check"}),
    ],
)
def test_what_is_an_alarm(facts: Facts, about: set[str]) -> None:
    found = alarms(facts, Thresholds(quota=90.0, full_within=30 * DAY, check=7 * DAY, copy=7 * DAY))
    assert set(found) == about
    assert len(news(found, {})) == len(about) and not news(found, found)
    assert not alarms(Facts(percent=99.0, full_in=0, ages={"check": None}), Thresholds())
