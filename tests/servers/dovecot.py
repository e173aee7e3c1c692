"""A private Dovecot for tests, 2.3 or 2.4: its own configuration, loopback, ephemeral ports, no root needed.

Every user name exists, with the password ``pw``. Run by root, it runs as nobody, because Dovecot keeps no mail as root.
"""

from __future__ import annotations

import functools
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import trustme

from tests.servers.dovecotconf import configuration, language

PASSWORD = "pw"


class Unavailable(Exception):
    """There is no Dovecot here, or one this configuration is not for."""


@functools.lru_cache
def installed() -> tuple[str, str]:
    """The path of Dovecot, and the language of its configuration ("2.3" or "2.4").

    :raises Unavailable: when there is none, or one that neither is for.
    """
    found = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise Unavailable("it is not installed (Debian: dovecot-imapd dovecot-pop3d)")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    spoken = language(version)
    if not spoken:
        raise Unavailable(f"this is Dovecot {version}, the configurations of the tests are for 2.3 and 2.4")
    return found, spoken


class Dovecot:
    """A running server; :meth:`stop` ends it and removes everything it wrote."""

    def __init__(
        self,
        *,
        storage: str = "1G",
        separator: str = "/",
        prefix: str = "",
        extra: str = "",
    ) -> None:
        program, spoken = installed()
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._run_as: dict[str, Any] = (
            {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        )
        self.root = Path(tempfile.mkdtemp(prefix="mailmove-dovecot-"))
        self.host = "localhost"
        self.ca = str(self.root / "ca.pem")
        self.imap, self.imaps, self.pop3 = _free_ports(3)
        for name in ("run", "state", "home"):
            (self.root / name).mkdir()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        issued = authority.issue_cert("localhost")
        issued.private_key_pem.write_to_path(str(self.root / "server.key"))
        (self.root / "server.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        (self.root / "dovecot.conf").write_text(
            configuration(
                spoken,
                extra,
                root=self.root,
                user=owner.pw_name,
                group=grp.getgrgid(owner.pw_gid).gr_name,
                uid=owner.pw_uid,
                gid=owner.pw_gid,
                imap=self.imap,
                imaps=self.imaps,
                pop3=self.pop3,
                storage=storage,
                separator=separator,
                prefix=prefix,
                password=PASSWORD,
            )
        )
        self._own(self.root)
        with open(self.root / "out.log", "wb") as log:
            self._process = subprocess.Popen(
                [program, "-F", "-c", str(self.root / "dovecot.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._run_as,
            )
        self._await()

    def home(self, user: str) -> Path:
        """The user's home directory; mail is in ``Maildir`` below it."""
        return self.root / "home" / user

    def own(self, path: Path) -> None:
        """Give files that a test wrote to the user that Dovecot runs as."""
        self._own(path)

    def doveadm(self, *arguments: str) -> str:
        """Run doveadm and return what it prints."""
        done = subprocess.run(
            ["doveadm", "-c", str(self.root / "dovecot.conf"), *arguments],
            capture_output=True,
            text=True,
            check=True,
            **self._run_as,
        )
        return str(done.stdout)

    def log(self) -> str:
        """Everything it logged."""
        return (self.root / "dovecot.log").read_text(errors="replace")

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        shutil.rmtree(self.root, ignore_errors=True)

    def _own(self, path: Path) -> None:
        if self._run_as:
            subprocess.run(["chown", "-R", f"{self._run_as['user']}:{self._run_as['group']}", str(path)], check=True)

    def _await(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.imap), 5) as sock:
                    if sock.recv(100).startswith(b"* OK"):
                        return
            except OSError:
                time.sleep(0.02)
        said = (self.root / "out.log").read_text() + self.log() if (self.root / "dovecot.log").exists() else ""
        raise RuntimeError(f"Dovecot did not start: {re.sub(chr(10), ' ', said)}")


def _free_ports(count: int) -> list[int]:
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports
