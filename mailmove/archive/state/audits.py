"""What earlier audits found used, in the state directory: one JSON line each, so that growth can be told."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from mailmove.archive.files import durable
from mailmove.archive.state.memory import Memory
from mailmove.replacing import replace_file
from mailmove.units import parse_timestamp, timestamp, utc

LARGE = 1 << 18
"""Octets beyond which only the last audit of each day is kept."""


class Figure(NamedTuple):
    """What was measured: a resource of a quota root (RFC 9208), and who told it."""

    root: str
    resource: str
    source: str


class PastAudit(NamedTuple):
    """An audit: when, in Unix seconds, and how much was used."""

    at: int
    used: Mapping[Figure, int]


class Audits:
    """The audits of one login on this machine."""

    def __init__(self, memory: Memory, login: str) -> None:
        self._path = memory.of_login("audits", login, ".jsonl")
        self.damaged = 0
        """Lines that could not be read, and were left out; the last may have been cut by a crash."""

    def read(self) -> list[PastAudit]:
        """All of them, in the order they were made.

        :raises ArchiveError: when the state directory cannot be read.
        """
        audits: list[PastAudit] = []
        self.damaged = 0
        with durable.explained(f"reading {self._path}"):
            try:
                with open(self._path, encoding="utf-8", errors="replace") as file:
                    lines = file.read().splitlines()
            except FileNotFoundError:
                return []
        for line in lines:
            try:
                audits.append(_from_json(json.loads(line)))
            except (AttributeError, KeyError, TypeError, ValueError):
                self.damaged += 1
        return audits

    def append(self, audit: PastAudit) -> None:
        """Add one.

        :raises ArchiveError: when the state directory cannot be written.
        """
        with durable.explained(f"writing {self._path}"):
            with open(self._path, "ab+") as file:
                length = file.tell()
                if length:
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        file.write(b"\n")  # a crash cut the line before
                file.write(_line(audit))
            if length > LARGE:
                last_of_day = {past.at // 86_400: past for past in self.read()}
                replace_file(self._path, b"".join(map(_line, last_of_day.values())))


def _line(audit: PastAudit) -> bytes:
    used = [{**figure._asdict(), "used": used} for figure, used in audit.used.items()]
    return (json.dumps({"at": timestamp(utc(audit.at)), "gauges": used}) + "\n").encode()


def _from_json(line: dict[str, list[dict[str, object]]]) -> PastAudit:
    used = {}
    for gauge in line["gauges"]:
        amount = gauge.pop("used")
        if type(amount) is not int:
            raise TypeError("used must be a number")
        used[Figure(*(str(gauge[name]) for name in Figure._fields))] = amount
    return PastAudit(int(parse_timestamp(str(line["at"])).timestamp()), used)
