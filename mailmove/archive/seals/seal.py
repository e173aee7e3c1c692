"""What is sealed, and what a seal is as a file and as a number.

A leaf is the canonical (folder, UIDVALIDITY, UID, SHA-256, octets) of a message's record; flags, paths and runs are not
in it, so that every copy of an archive that came as far has the same. The order is that of the journal.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from mailmove.archive.record.records import Message
from mailmove.archive.seals import merkle
from mailmove.canonical import canonical

FORMAT = "mailmove seal 1"
PROOF = "mailmove proof 1"
_NUMBER = re.compile(r"(\d{1,12})-([a-z2-7]{52})")


def leaf(record: Message) -> bytes:
    """The hash of a record's leaf.

    Its data is canonical JSON: a list of five texts, the folder's wire name as hexadecimal digits.
    """
    return merkle.leaf_hash(
        f'["{record.folder.hex()}","{record.uidvalidity}","{record.uid}","{record.sha256}","{record.octets}"]'.encode()
    )


@dataclass(frozen=True, slots=True)
class Number:
    """A seal as one writes it down: how many leaves, and their root."""

    size: int
    root: bytes

    def __str__(self) -> str:
        text = base64.b32encode(self.root).decode("ascii").rstrip("=").lower()
        return "-".join([str(self.size), *(text[at : at + 4] for at in range(0, len(text), 4))])

    @classmethod
    def read(cls, text: str) -> Number:
        """What somebody wrote down; blanks, hyphens and capital letters do not matter.

        :raises ValueError: when it is no such number.
        """
        size, _, rest = text.strip().partition("-")
        digits = "".join(rest.replace("-", " ").split()).lower()
        found = _NUMBER.fullmatch(f"{size.replace(',', '')}-{digits}")
        if not found:
            raise ValueError("it is not a number that mailmove seal printed")
        return cls(int(found[1]), base64.b32decode(found[2].upper() + "===="))


@dataclass(frozen=True, slots=True)
class Seal:
    """All that a seal's file says. ``archive`` is the UUID, ``before`` the SHA-256 of the file of the seal before, in
    hexadecimal digits (empty: there was none), ``at`` when it was made.
    """

    archive: str
    at: str
    before: str
    leaves: Sequence[bytes]
    root: bytes

    @classmethod
    def of(cls, archive: str, at: str, before: str, leaves: Sequence[bytes]) -> Seal:
        """The seal over these leaves."""
        return cls(archive, at, before, leaves, merkle.root(leaves))

    @property
    def number(self) -> Number:
        """The same to write down."""
        return Number(len(self.leaves), self.root)

    @property
    def name(self) -> str:
        """What its file is called in an archive."""
        return f"{len(self.leaves)}-{self.root.hex()[:16]}.json"

    def octets(self) -> bytes:
        """Its file: canonical JSON (RFC 8785). The leaves, of which there may be millions, are put in at one go."""
        first = {
            "algorithm": merkle.ALGORITHM,
            "archive": self.archive,
            "at": self.at,
            "before": self.before,
            "format": FORMAT,
        }
        last = {"root": self.root.hex(), "size": str(len(self.leaves))}
        texts = b"".join(self.leaves).hex(",", len(self.root)).replace(",", '","')
        leaves = f'"{texts}"' if self.leaves else ""
        return b'%b,"leaves":[%b],%b' % (canonical(first)[:-1], leaves.encode(), canonical(last)[1:])

    @classmethod
    def read(cls, octets: bytes) -> Seal:
        """What a file says, once it is seen to say it exactly so, and to fit together.

        :raises ValueError: when it is no seal, or not as it was written.
        """
        try:
            told: dict[str, Any] = json.loads(octets)
            if told["format"] != FORMAT or told["algorithm"] != merkle.ALGORITHM:
                raise ValueError("it is no seal of this kind")
            found = cls.of(told["archive"], told["at"], told["before"], [bytes.fromhex(one) for one in told["leaves"]])
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, binascii.Error) as error:
            raise ValueError("it is no seal") from error
        if found.octets() != octets:  # its root and size among it
            raise ValueError("it is not what mailmove seal wrote: something in it was changed")
        return found


def proof(record: Message, leaves: Sequence[bytes], index: int) -> bytes:
    """A file that proves that this record is the leaf at ``index``, from 0: canonical JSON as well."""
    return canonical(
        {
            "algorithm": merkle.ALGORITHM,
            "format": PROOF,
            "index": str(index),
            "leaf": [
                record.folder.hex(),
                str(record.uidvalidity),
                str(record.uid),
                record.sha256,
                str(record.octets),
            ],
            "path": [one.hex() for one in merkle.proof(leaves, index)],
            "root": merkle.root(leaves).hex(),
            "size": str(len(leaves)),
        }
    )


def digest(octets: bytes) -> str:
    """By what the next seal, and the journal, name a seal's file."""
    return sha256(octets).hexdigest()
