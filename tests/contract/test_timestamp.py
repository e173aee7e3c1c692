"""A seal is time-stamped: openssl's own authority signs, openssl alone verifies, and what is not that is refused."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mailmove.archive.seals.seal import Seal
from tests.kit import Program

pytest.importorskip("rfc3161_client")

ARCHIVE = Path(__file__).parents[1] / "formats/0.1"
CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = Test root
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[signer]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
serial = {0}/serial
signer_cert = {0}/signer.pem
signer_key = {0}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


class Authority:
    """openssl as a time-stamp authority behind a small HTTP server; ``answer`` makes something else of its replies."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.answer: Callable[[bytes], bytes] = lambda reply: reply
        self.status = 200
        (home / "serial").write_text("01\n")
        (home / "openssl.cnf").write_text(CONFIG.format(home))
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "openssl.cnf")
        self.run("req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-days", "30", "-extensions", "root")
        self.run("req", *key, "-keyout", "signer.key", "-out", "signer.csr", "-subj", "/CN=Test authority")
        signed = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "30")
        extensions = ("-extfile", "openssl.cnf", "-extensions", "signer")
        self.run("x509", "-req", "-in", "signer.csr", *signed, *extensions, "-out", "signer.pem")
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/timestamp-query"
                assert self.headers["Authorization"] == "Basic dXNlcjpzZWNyZXQ="
                self.send_response(authority.status)
                self.end_headers()
                self.wfile.write(authority.answer(authority.reply(query)))

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.server.server_address[1]}/tsr"

    def reply(self, query: bytes) -> bytes:
        (self.home / "query").write_bytes(query)
        self.run("ts", "-reply", "-config", "openssl.cnf", "-section", "tsa", "-queryfile", "query", "-out", "reply")
        return (self.home / "reply").read_bytes()

    def run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.home, check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    home = tmp_path / "authority"
    home.mkdir()
    found = Authority(home)
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def archive(mailmove: Program) -> Path:
    return Path(shutil.copytree(ARCHIVE, mailmove.home / "box"))


def test_openssl_alone_verifies_it_also_when_the_certificate_has_ended(
    authority: Authority, archive: Path, mailmove: Program
) -> None:
    words = ("seal", archive, "--timestamp", authority.url, "--ca-file", authority.home / "root.pem")
    done = mailmove(*words, "--json")
    assert done.code == 0, done.out + done.err
    told = done.json["accounts"][0]
    stamp = told["timestamp"]
    assert (stamp["anchored"], stamp["signer"]) == (True, "CN=Test authority")
    assert {Path(file).suffix for file in stamp["files"]} == {".tsq", ".tsr", ".pem"}
    shutil.rmtree(authority.home)  # nothing of the authority is needed any more
    command = shlex.split(stamp["command"])
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (verified.returncode, "Verification: OK" in verified.stdout) == (0, True), verified.stderr
    assert command[-2] == "-attime"
    later = [*command[:-1], str(int(command[-1]) + 20 * 365 * 86400)]  # without it that is how it would end
    assert subprocess.run(later, capture_output=True, check=False).returncode != 0
    file = Path(told["file"])
    assert Seal.read(file.read_bytes())
    file.write_bytes(file.read_bytes() + b" ")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    assert "secret" not in done.out + done.err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda reply: b"", "cannot be read"),
        (lambda reply: b"<html>", "cannot be read"),
        (lambda reply: reply[:-1] + bytes([reply[-1] ^ 1]), "cannot be"),
        (lambda reply: b"x" * (2 << 20), "without end"),
    ],
)
def test_an_answer_that_is_none_is_refused_and_not_kept(
    authority: Authority, archive: Path, mailmove: Program, spoil: Callable[[bytes], bytes], said: str
) -> None:
    authority.answer = spoil
    done = mailmove("seal", archive, "--timestamp", authority.url, "--ca-file", authority.home / "root.pem")
    assert (done.code, said in done.err) == (8, True), done.err
    assert [path.suffix for path in (archive / ".mailmove/seals").iterdir()] == [".json"]


def test_an_answer_to_another_question_or_of_a_stranger_is_refused(
    authority: Authority, archive: Path, mailmove: Program
) -> None:
    words = ("seal", archive, "--timestamp", authority.url, "--ca-file")
    assert mailmove(*words, authority.home / "root.pem").code == 0
    for path in (archive / ".mailmove/seals").glob("*.tsr"):
        old = path.read_bytes()
        path.unlink()
    authority.answer = lambda _: old
    done = mailmove(*words, authority.home / "root.pem")
    assert (done.code, "to another question" in done.err) == (8, True), done.err
    authority.answer = lambda reply: reply
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "openssl.cnf")
    authority.run("req", "-x509", *key, "-keyout", "x.key", "-out", "stranger.pem", "-extensions", "root")
    done = mailmove(*words, authority.home / "stranger.pem")
    assert (done.code, "cannot be trusted" in done.err) == (8, True), done.err
    assert not list((archive / ".mailmove/seals").glob("*.tsr"))


def test_nobody_there_is_said_without_the_secret_in_the_url(
    authority: Authority, archive: Path, mailmove: Program
) -> None:
    authority.status = 503
    done = mailmove("seal", archive, "--timestamp", authority.url)
    assert (done.code, "HTTP status 503" in done.err, "secret" in done.out + done.err) == (6, True, False), done.err
    done = mailmove("seal", archive, "--timestamp", "http://user:secret@127.0.0.1:1/")
    assert (done.code, "secret" in done.out + done.err) == (6, False), done.err
    assert mailmove("seal", archive, "--timestamp", "tsa").code == 2
    assert mailmove("seal", archive, "--timestamp", authority.url, "--out", "-").code == 2
