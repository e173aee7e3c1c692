"""A seal's file is canonical JSON, whatever its size, and reads back as it was."""

from __future__ import annotations

import json

import pytest

from mailmove.archive.seals.merkle import EMPTY, leaf_hash
from mailmove.archive.seals.seal import Number, Seal
from mailmove.canonical import canonical


@pytest.mark.parametrize("size", [0, 1, 2, 3, 100])
def test_its_file_is_canonical_and_reads_back(size: int) -> None:
    made = Seal.of("uuid", "2026-11-25T09:00:00Z", "", [leaf_hash(bytes([number])) for number in range(size)])
    octets = made.octets()
    assert canonical(json.loads(octets)) == octets
    assert Seal.read(octets) == made
    assert Number.read(str(made.number)) == made.number
    assert made.number.size == size
    assert size or made.root == EMPTY
