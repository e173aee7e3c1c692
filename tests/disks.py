"""Disks and machines that a test does not have: the program believes what it is told of them."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.kit import Program


def as_machine(program: Program, name: str, *told: str) -> Program:
    """The same program and home on another machine; ``told`` are statements that change what it finds there."""
    other = Program(program.home)
    there = program.home / f"machine-{name}"
    there.mkdir(exist_ok=True)
    lines = (
        "import os, platform",
        "from mailmove.archive import lock",
        "from mailmove.archive.files import disk",
        f"platform.node = lambda: {name!r}",
        f"lock._machine = lambda: {name!r}",
        *told,
    )
    Path(there, "sitecustomize.py").write_text("\n".join(lines))
    other.env = {**program.env, "PYTHONPATH": f"{there}:{program.env['PYTHONPATH']}"}
    return other


def _told(statement: str) -> str:
    return textwrap.dedent(statement).strip()


MEMORY = "disk.in_memory = lambda fd: True"
"""A disk in memory."""

LASTING = "disk.in_memory = lambda fd: False"
"""None, wherever the tests lie."""

WEAK = _told("""
    import errno, stat
    def fsync(fd, sync=os.fsync):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(fd)
    def fchmod(fd, mode):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    os.fsync, os.fchmod, disk.honours_syncfs = fsync, fchmod, lambda fd: False
    def mkdir(path, mode=0o777, *, dir_fd=None, mkdir=os.mkdir):
        mkdir(path, mode, dir_fd=dir_fd)
        os.chmod(path, 0o777, dir_fd=dir_fd)
    os.mkdir = mkdir
""")
"""A disk of vboxsf: no fsync of directories, no access rights."""

SHORT = _told("""
    import errno
    os.fpathconf = lambda fd, name: 143
    def short(call):
        def checked(*names, **keys):
            for name in names:
                if isinstance(name, str) and max(map(len, os.fsencode(name).split(b"/"))) > 143:
                    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            return call(*names, **keys)
        return checked
    os.open, os.mkdir, os.rename, os.link = map(short, (os.open, os.mkdir, os.rename, os.link))
""")
"""A disk whose names have 143 octets at most: eCryptfs."""

SHARED = "disk.is_shared = lambda fd: True"
"""A network disk."""
