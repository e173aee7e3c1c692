"""Moving aside what is archived of a folder in a UIDVALIDITY that it has no more."""

from __future__ import annotations

import os
import stat

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.record.manifest import Manifest
from mailmove.safe import visible


def finish(root: int, manifest: Manifest) -> None:
    """Move aside what the manifest calls retired and a crash has left in its place.

    :raises ArchiveError: when the disk fails.
    """
    for old in manifest.folders:
        current = next((f for f in manifest.folders if f.wire == old.wire and not f.retired), None)
        if not old.retired or current is None:
            continue
        with durable.explained(f"moving {visible(current.path)} to {visible(old.path)}"):
            to = durable.make_below(root, old.path)
            try:
                if _has(to, "cur"):
                    continue
                source = durable.make_below(root, current.path)
                try:
                    for part in ("tmp", "new", "cur"):  # cur last: it says that all is done
                        if _has(source, part):
                            os.rename(part, part, src_dir_fd=source, dst_dir_fd=to)
                    replacing.flush(to)
                    replacing.flush(source)
                finally:
                    os.close(source)
            finally:
                os.close(to)


def _has(directory: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
