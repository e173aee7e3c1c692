"""One message is one file in its folder, also after it left the server and was put back there.

What was put back comes home as a message of its own, by another UID. Once that is recorded, the file of the message
that it is a copy of gives up its name: in a mail program each would be a message. Both records stay, and what the
octets are is told by one file for both (:meth:`~mailmove.archive.index.index.Index.replaced`).
"""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack

from mailmove import replacing
from mailmove.archive.files import durable, names
from mailmove.archive.index.messages import Stored
from mailmove.archive.proof import rehashing
from mailmove.archive.proof.rehashing import Proven
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive
from mailmove.safe import visible


def fold(archive: Archive, where: FolderDir) -> None:
    """Take the names of replaced messages out of a folder, where both files hold, hashed now, what was archived.

    Killed at any instant, each message has a file, and the next run goes on.
    """
    replaced = archive.index.replaced(where.wire, where.uidvalidity)
    present = {names.split(name)[0] for name in archive.listing(where)} if replaced else set()
    token = secrets.token_hex(4)
    for number, (spare, copy) in enumerate(replaced.items()):
        if str(spare.base) in present:
            with archive.opened(where, "tmp", make=True) as tmp:
                _fold(archive, spare, copy, tmp, names.temporary(token, number))


def _fold(archive: Archive, spare: Stored, copy: Stored, tmp: int, temporary: str) -> None:
    with ExitStack() as both:
        going = rehashing.prove(archive, spare)
        if isinstance(going, str):
            return  # check tells what is wrong with it
        both.enter_context(going)
        staying = rehashing.prove(archive, copy)
        if isinstance(staying, str):
            return
        both.enter_context(staying)
        archive.must_hold()
        with durable.explained(f"taking {visible(going.name)} for its restored copy"):
            _keep_local_flags(going, spare, staying)
            os.rename(going.name, temporary, src_dir_fd=going.directory, dst_dir_fd=tmp)
            os.unlink(temporary, dir_fd=tmp)  # mail is removed nowhere but in tmp
            replacing.flush(going.directory)


def _keep_local_flags(going: Proven, spare: Stored, staying: Proven) -> None:
    """What a mail program set in the name that goes is set in the one that stays."""
    local = set(names.split(going.name)[1]) - set(names.letters_for(spare.flags))
    base, letters = names.split(staying.name)
    if not local <= set(letters):
        separator = staying.name[len(base)]
        new = names.join(base, separator, "".join(sorted(local | set(letters))))
        os.rename(staying.name, new, src_dir_fd=staying.directory, dst_dir_fd=staying.directory)
