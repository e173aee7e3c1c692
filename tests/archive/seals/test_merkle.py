"""The tree is that of RFC 6962: published vectors, every proof of every small tree, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest

from mailmove.archive.seals.merkle import EMPTY, leaf_hash, proof, root, verifies

INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The inputs with which implementations of RFC 6962 are compared, and below the roots of their first N."""

ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def as_the_rfc_says(data: Sequence[bytes]) -> bytes:
    """MTH(D[n]) of RFC 6962 section 2.1, word by word."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\0" + data[0]).digest()
    half = 1
    while half * 2 < len(data):
        half *= 2
    return sha256(b"\1" + as_the_rfc_says(data[:half]) + as_the_rfc_says(data[half:])).digest()


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_published_roots(size: int) -> None:
    assert root([leaf_hash(data) for data in INPUTS[:size]]).hex() == ROOTS[size]


def test_the_tree_is_split_as_the_rfc_says() -> None:
    data = [bytes([number]) for number in range(70)]
    for size in range(len(data)):
        assert root([leaf_hash(one) for one in data[:size]]) == as_the_rfc_says(data[:size])
    assert root([]) == EMPTY


def test_published_proofs() -> None:
    """The inclusion proofs of leaves 0 and 5 in the tree of all eight, and of leaf 2 in that of three."""
    leaves = [leaf_hash(data) for data in INPUTS]
    assert [one.hex() for one in proof(leaves, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [one.hex() for one in proof(leaves, 5)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [one.hex() for one in proof(leaves[:3], 2)] == [
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ]


def test_every_proof_leads_to_its_root_and_to_nothing_else() -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(20)]
    for size in range(1, len(leaves) + 1):
        whole = root(leaves[:size])
        for index in range(size):
            path = proof(leaves[:size], index)
            assert verifies(leaves[index], index, size, path, whole)
            assert not verifies(leaves[(index + 1) % 20], index, size, path, whole)
            assert not verifies(leaves[index], index, size, [*path, whole], whole)
            assert not verifies(leaves[index], index, size, path[:-1], whole) or not path
            assert not verifies(leaves[index], size, size, path, whole)
            assert not verifies(leaves[index], -1, size, path, whole)
            for other in range(size):
                assert not verifies(leaves[index], other, size, path, whole) or other == index
            for at in range(len(path)):
                changed = [*path[:at], sha256(path[at]).digest(), *path[at + 1 :]]
                assert not verifies(leaves[index], index, size, changed, whole)


def test_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(IndexError):
        proof([], 0)
    with pytest.raises(IndexError):
        proof([leaf_hash(b"")], 1)
    assert not verifies(leaf_hash(b""), 0, 0, [], EMPTY)


def test_a_path_too_long_for_the_tree_is_refused_wherever_it_leads() -> None:
    """The root of a larger tree is none of this one's."""
    leaf, beside = leaf_hash(b"a"), leaf_hash(b"b")
    assert not verifies(leaf, 0, 1, [beside], sha256(b"\1" + beside + leaf).digest())
    assert not verifies(leaf, 1, 2, [beside, beside], sha256(b"\1" + beside + root([beside, leaf])).digest())
