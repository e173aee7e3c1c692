"""Merkle trees as RFC 6962 section 2.1 and RFC 9162 section 2.1 have them: root, inclusion proof, strict verifier.

Leaves and nodes are hashed with different first octets, and no leaf is ever counted twice: two lists of leaves with one
root would be a collision of SHA-256.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

ALGORITHM = "RFC 9162 SHA-256"
EMPTY = sha256(b"").digest()
"""The root of no leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\0" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over the hashes of leaves.

    Level by level from below, a last one without a neighbour going up as it is: that gives the same tree as splitting
    at the largest power of two, in one pass.
    """
    if not leaves:
        return EMPTY
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """What must be hashed to the leaf at ``index``, from 0, to come to the root: RFC 9162 section 2.1.3.1.

    :raises IndexError: when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    path, level = [], list(leaves)
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        level, index = _above(level), index // 2
    return path


def verifies(leaf: bytes, index: int, size: int, path: Sequence[bytes], wanted: bytes) -> bool:
    """Whether this path leads from the hash of the leaf at ``index`` of ``size`` to the root: RFC 9162 section 2.1.3.2.

    Strict: a path that is longer or shorter than it must be leads nowhere.
    """
    if not 0 <= index < size:
        return False
    first, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return False
        if first % 2 or first == last:
            found = _node(beside, found)
            while first % 2 == 0 and first:
                first, last = first // 2, last // 2
        else:
            found = _node(found, beside)
        first, last = first // 2, last // 2
    return last == 0 and found == wanted


def _above(level: list[bytes]) -> list[bytes]:
    """The nodes above these."""
    paired = len(level) & ~1
    above = [sha256(b"\1" + level[at] + level[at + 1]).digest() for at in range(0, paired, 2)]
    return above + level[paired:]


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()
