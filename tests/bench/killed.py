"""Kill an export at random moments, finish it, and compare with an uninterrupted one. Run by hand, against any account:

    MAILMOVE_PASSWORD=… python -m tests.bench.killed imap://user@localhost:1143 --tls none [--moments 50] [--seed 1]

Each round begins anew. It is killed up to three times, each at a moment that is random over the time a whole export
takes, and then run to its end. Afterwards files, hashes, journal and ``mailmove check`` must say the same as for the
export that nobody interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path


class Round:
    """One archive with a state directory of its own."""

    def __init__(self, place: Path, options: argparse.Namespace) -> None:
        self.archive = place / "mail"
        self._env = {**os.environ, "MAILMOVE_STATE": str(place / "state"), "MAILMOVE_CONFIG": str(place / "none.toml")}
        tls = ["--tls", options.tls] if options.tls else []
        self._export = ["export", options.url, *tls, "--archive", str(self.archive)]

    def run(self, *arguments: str) -> None:
        """Run to the end."""
        subprocess.run(self._command(*arguments or self._export), env=self._env, check=True, stdout=subprocess.DEVNULL)

    def kill(self, seconds: float) -> bool:
        """Start an export and kill it then; whether it was still running."""
        process = subprocess.Popen(self._command(*self._export), env=self._env, stdout=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() < 0

    def content(self) -> tuple[dict[str, str], Counter[str], set[str]]:
        """SHA-256 of each message file by its path; what the journal records; what else lies there."""
        hashes, others = {}, set()
        for path in self.archive.rglob("*"):
            name = path.relative_to(self.archive).as_posix()
            if path.parent.name == "cur":
                hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                others.add(name)
        recorded: Counter[str] = Counter()
        for line in map(json.loads, (self.archive / ".mailmove/journal.jsonl").read_text().splitlines()):
            if line["kind"] == "message":
                recorded[f"{line['folder']} {line['uid']} {line['arrival']} {line['sha256']}"] += 1
        return hashes, recorded, others

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "mailmove", *arguments]


def main() -> None:
    """Exits with 1 when any round differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--tls")
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    scratch = Path(tempfile.mkdtemp(prefix="mailmove-killed-"))
    try:
        whole = Round(scratch / "whole", options)
        begun = time.monotonic()
        whole.run()
        took = time.monotonic() - begun
        expected = whole.content()
        print(f"uninterrupted: {len(expected[0]):,} messages in {took:.2f} s")
        different = kills = 0
        while kills < options.moments:
            place = scratch / "round"
            one = Round(place, options)
            moments = [chance.uniform(0, took) for _ in range(chance.randint(1, 3))]
            hit = [moment for moment in moments if one.kill(moment)]
            kills += len(hit)
            one.run()
            same = one.content() == expected
            one.run("check", str(one.archive), "-q")
            different += not same
            killed = ", ".join(f"{moment:.2f} s" for moment in hit) or "not in time"
            print(f"{kills:3}  killed at {killed}: {'as uninterrupted' if same else 'DIFFERENT'}", flush=True)
            shutil.rmtree(place)
        print(f"{kills} kills, {different} archives that differ")
        sys.exit(bool(different))
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
