"""Many accounts on one server, over a line that breaks at random, until all of it has come to rest. Run by hand:

    python -m tests.bench.soak [--accounts 200] [--messages 40] [--jobs 4] [--seed 1]

A private Dovecot gets the accounts, each with INBOX and Sent; three quarters of the mail is old, and some of it is
there twice. Then ``export`` and ``prune --older-than 30d --yes``, both with ``--all`` accounts, are run again and again
while a proxy cuts their connections: after a random number of octets, and at random commands, of which half reach the
server all the same. After each run every message must be on the server or in the archive. In the end the archives must
hold every message, and the servers exactly what is not old, with nothing marked as deleted.

For each run are told: exit code, cuts, seconds, the most memory, and how many descriptors were open at its end; the
last two must not grow with the number of accounts, and no run may ever have 128 descriptors open. The moments of the
cuts come from the seed, but which connection is hit by one also depends on how they run side by side.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.kit import NOW, Mailbox, Program, Used, archived, hashes, message, total
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Fault, Proxy

OLD, NEW = NOW - timedelta(days=400), NOW - timedelta(days=2)
FOLDERS = {"INBOX": "", "Sent": ".Sent"}
MOST_RUNS = 20
DESCRIPTORS = 128

EXPORT = ("export",)
PRUNE = ("prune", "--older-than", "30d", "--yes", "--all")


class BadLine(Proxy):
    """Cuts connections: after ``octets`` of all that the server says and at one of ``commands``, on average."""

    def __init__(self, upstream: int, seed: int, octets: int = 25_000, commands: int = 30) -> None:
        self.cuts = 0
        self._chance = random.Random(seed)
        self._mean = octets
        self._share = 1 / commands
        self._left = 0
        self._again()
        super().__init__(upstream)

    def said(self, data: bytes) -> tuple[Fault, int] | None:
        with self._lock:
            at, self._left = self._left, self._left - len(data)
            if self._left > 0:
                return None
            self._again()
            self.cuts += 1
            return Fault("cut"), at - 1

    def asked(self, commands: int) -> tuple[Fault, int] | None:
        with self._lock:
            if self._chance.random() >= self._share:
                return None
            self.cuts += 1
            return Fault("cut", answered=self._chance.random() < 0.5), 0

    def _again(self) -> None:
        self._left = 1 + int(self._chance.expovariate(1 / self._mean))


@dataclass(frozen=True)
class Run:
    """One run of the program over all accounts."""

    command: str
    code: int
    cuts: int
    seconds: float
    used: Used
    lost: tuple[str, ...]
    """Accounts of which a message is neither on the server nor in the archive."""

    def __str__(self) -> str:
        return (
            f"{self.command:7} exit {self.code}  {self.cuts:4} cuts  {self.seconds:6.1f} s  "
            f"{self.used.memory / 2**20:5.1f} MB  {self.used.descriptors} descriptors"
        )


class Soak:
    """Accounts on a server, filled, and configured to be reached over a line that breaks."""

    def __init__(self, server: Dovecot, line: BadLine, program: Program, accounts: int, messages: int) -> None:
        self._server = server
        self._line = line
        self._program = program
        self._messages = messages
        self.users = [f"soak{number}" for number in range(accounts)]
        self._mail = {user: self._fill(user, number) for number, user in enumerate(self.users)}
        tables = [
            Mailbox("dovecot", line.host, line.imap, user).table(
                user,
                'password_command = ["echo", "pw"]',
                "retry_waits = [0, 0, 0]",
                f'archive = "{program.home / "mail" / user}"',
            )
            for user in self.users
        ]
        program.configure("".join(tables))

    def run(self, arguments: tuple[str, ...], jobs: int) -> Run:
        """Run a command once, and look at every message."""
        before, began = self._line.cuts, time.monotonic()
        done, used = self._program.measured(*arguments, "--jobs", jobs, "-q", timeout=1800)
        took = time.monotonic() - began
        cuts = self._line.cuts - before
        return Run(arguments[0], done.code, cuts, took, used, tuple(user for user in self.users if self._lost(user)))

    def wrong(self) -> list[str]:
        """What is not as it must be once all has come to rest."""
        out = []
        for user in self.users:
            for name, (old, new) in self._mail[user].items():
                if self._archived(user)[name] != old + new:
                    out.append(f"{user} {name}: the archive does not hold exactly what there was")
                if self._held(user)[name] != new:
                    out.append(f"{user} {name}: the server does not hold exactly what is not old")
            if any("T" in file.name.rpartition(":2,")[2] for file in self._server.home(user).rglob("cur/*")):
                out.append(f"{user}: messages were left marked as deleted")
        return out

    def _fill(self, user: str, number: int) -> dict[str, tuple[Counter[str], Counter[str]]]:
        """Write an account's mail where the server finds it; what is old and what is not, by folder."""
        made = {}
        for place, (name, directory) in enumerate(FOLDERS.items()):
            below = self._server.home(user) / "Maildir" / directory
            for part in ("cur", "new", "tmp"):
                (below / part).mkdir(parents=True)
            first = (number * len(FOLDERS) + place) * self._messages
            bodies = [message(first + index - index % 10 // 9, size=1500) for index in range(self._messages)]
            for index, body in enumerate(bodies):
                file = below / "cur" / f"{index}.soak:2,S"
                file.write_bytes(body)
                arrived = (NEW if index % 4 == 3 else OLD).timestamp()
                os.utime(file, (arrived, arrived))
            new = hashes(*bodies[3::4])
            made[name] = hashes(*bodies) - new, new
        self._server.own(self._server.home(user))
        return made

    def _lost(self, user: str) -> set[str]:
        """Messages that are in neither place; of two that are the same one may be here and the other there."""
        had = sum((old + new for old, new in self._mail[user].values()), Counter[str]())
        return had.keys() - total(self._archived(user)).keys() - total(self._held(user)).keys()

    def _archived(self, user: str) -> dict[str, Counter[str]]:
        return {name: Counter[str]() for name in FOLDERS} | archived(self._program.home / "mail" / user)

    def _held(self, user: str) -> dict[str, Counter[str]]:
        """What the server has, as its files tell."""
        held = {}
        for name, directory in FOLDERS.items():
            below = self._server.home(user) / "Maildir" / directory
            files = [file for part in ("cur", "new") for file in (below / part).iterdir()]
            held[name] = Counter(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
        return held


def main() -> None:
    """Exits with 1 when a message was lost, or it does not come to rest as it must."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--messages", type=int, default=40, help="in each of two folders")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    server = Dovecot()
    line = BadLine(server.imap, options.seed)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, most))  # for this process and for those it starts
    lost = False
    try:
        with tempfile.TemporaryDirectory(prefix="mailmove-soak-") as home:
            soak = Soak(server, line, Program(Path(home)), options.accounts, options.messages)
            print(f"{options.accounts} accounts of {2 * options.messages} messages", flush=True)
            for _ in range(MOST_RUNS):
                runs = [soak.run(command, options.jobs) for command in (EXPORT, PRUNE)]
                print(*runs, sep="\n", flush=True)
                lost = any(run.lost for run in runs)
                if lost or not any(run.code for run in runs):
                    break
            wrong = [user for run in runs for user in run.lost] if lost else soak.wrong()
            print("\n".join(wrong) or "every message is where it must be")
            sys.exit(bool(wrong))
    finally:
        line.stop()
        server.stop()


if __name__ == "__main__":
    main()
