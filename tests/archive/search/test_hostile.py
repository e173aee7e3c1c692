"""What is made to fill or hang a search index costs its own text: octets as they come, no limit lowered."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from mailmove.archive.search.matching import Matching
from mailmove.archive.search.query import Query
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from tests.archive.conftest import folder, put
from tests.archive.search.conftest import caught_up, found
from tests.mail.documents import word

MB = 1 << 20
PARTS = b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000
DEEP = b"Subject: deep\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"Subject: in\r\n\r\ninnermost\r\n"
LONG = b"Subject: long\r\n\r\nbeginning " + b"word " * (20 * MB) + b"ending\r\n"


def attached(name: str, content: bytes) -> bytes:
    """A message with a document of this subject."""
    head = f"Subject: {name}\r\nContent-Type: application/octet-stream; name={name}.docx\r\n"
    return f"{head}Content-Transfer-Encoding: base64\r\n\r\n".encode() + base64.encodebytes(content)


BOMB = attached("bomb", word(b"<w:p><w:t>fuse</w:t></w:p><w:p><w:t>" + b"boom " * (5 * MB)))
HOSTILE = {PARTS: "parts", DEEP: "deep", LONG: "beginning word", BOMB: "fuse"}
AFTER = b"Subject: after\r\n\r\nread as ever\r\n"

CATCH_UP = """
import resource, sys
from mailmove.archive.search import catching
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
with Archive.open(sys.argv[1], Memory(sys.argv[2]), writable=False) as archive:
    for _ in catching.caught_up(archive):
        pass
with open("/proc/self/status") as status:  # getrusage also tells what the process was begun from
    here = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(here // 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def digests(*messages: bytes) -> set[bytes]:
    return {hashlib.sha256(octets).digest() for octets in messages}


@pytest.mark.fault(106)
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="no /proc: it cannot be told how much memory it took"
)
def test_each_costs_its_own_text_and_the_run_stays_small(archive: Archive, memory: Memory) -> None:
    place = folder(archive, "INBOX")
    for uid, octets in enumerate((*HOSTILE, AFTER), 1):
        put(archive, place, uid, octets)
    command = [sys.executable, "-c", CATCH_UP, archive.path, memory.path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    here, readers = map(int, done.stdout.split())
    assert here <= 120 and readers <= 300, "MB"
    assert found(archive, "as ever") == digests(AFTER)
    for octets, words in HOSTILE.items():
        assert found(archive, words) == digests(octets)
    assert found(archive, "innermost") == found(archive, "ending") == set()
    with caught_up(archive) as index:
        nothing = Matching(index, Query((), larger=1 << 40))
        assert {note.sha256 for note in nothing.notes()} == digests(*HOSTILE)
