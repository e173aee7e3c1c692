"""The process that reads messages for the search index: from standard input, their words to standard output.

It is a process of its own so that all cores work, and so that a message that ends its reader ends nothing else.
"""

from __future__ import annotations

import gc
import resource
import struct
import sys

from mailmove.archive.search.words import words
from mailmove.mail.documents.extractor import Extractor

SIZE = struct.Struct(">I")


def main() -> None:
    """Answer each message until the input ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.freeze()
    with Extractor() as extractor:
        while size := sys.stdin.buffer.read(SIZE.size):
            answer = words(sys.stdin.buffer.read(*SIZE.unpack(size)), extractor).packed()
            sys.stdout.buffer.write(SIZE.pack(len(answer)) + answer)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
