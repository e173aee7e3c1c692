"""What a disk may hold after the power went: a run's system calls, replayed with only what was synced, and some more.

The model is POSIX at its worst. Octets last once their file, names once their directory was synced, everything once
syncfs returned; of the rest any part may have reached the disk, in any order: a rename's new name without its old one
gone, a file's length without its octets. Only this every file system keeps: a rename takes no old name away before the
new one is there. The program's own strace is the input.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.kit import Program
from tests.tracing import traced

CALLS = (
    "openat,write,pwrite64,ftruncate,fsync,fdatasync,syncfs,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,"
    "unlink,unlinkat,sendto"
)
_CALL = re.compile(
    r"(?P<pid>\d+) +(?:(?P<call>\w+)\((?P<args>.*?)(?: <unfinished \.\.\.>|\) += (?P<ret>.*))"
    r"|<\.\.\. \w+ resumed>(?P<rest>.*?)\) += (?P<late>.*))\Z"
)
_PATH = re.compile(r"-?\w+<((?:\\x[0-9a-f]{2})*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass
class Change:
    """One change of the disk, and the moment from which it lasts whatever happens."""

    inode: int
    """The file that gets octets, or the directory that gets or loses a name."""
    name: str | None = None
    target: int | None = None
    offset: int = 0
    data: bytes | None = None
    size: int | None = None
    after: Change | None = None
    """The new name of a rename, whose old one this takes away."""
    lasts: int | None = None


@dataclass
class Recording:
    """What a run did, in order. ``said`` are the moments of what it sent to the server."""

    changes: list[tuple[int, Change]] = field(default_factory=list)
    said: list[tuple[int, bytes]] = field(default_factory=list)
    directories: set[int] = field(default_factory=lambda: {0})
    moments: int = 0


def record(
    program: Program, directory: Path, *arguments: object, piecemeal: bool = False, loose: str = ""
) -> Recording:
    """Run the program and record what it did below ``directory``, which exists and counts as durable.

    ``piecemeal``: on a file system it does not know, where it may not trust syncfs. ``loose``: what is there already
    in directories of this name has reached no disk yet.
    """
    log = program.home / "powercut.strace"
    options = ["-y", "-xx", "-s", "1000000", "-o", str(log), "-e", f"trace={CALLS},fstatfs"]
    if piecemeal:
        options += ["-e", "inject=fstatfs:error=ENOSYS"]
    before = _Reader(directory, loose)
    done = traced(program, options, *arguments)
    assert done.code == 0, done.err
    return before.read(log.read_text())


class _Reader:
    """Follows a trace with a file system of its own, to know which file every path means."""

    def __init__(self, directory: Path, loose: str) -> None:
        self._root = str(directory)
        self._recording = Recording()
        self._names: dict[int, dict[str, int]] = {0: {}}
        self._sizes: dict[int, int] = {}
        self._count = 0
        for path in sorted(directory.rglob("*")):
            since = len(self._recording.changes)
            self._make(str(path), is_dir=path.is_dir())
            if path.is_file():
                self._write(self._inode(str(path)), 0, path.read_bytes())
            if path.parent.name != loose:
                for _, change in self._recording.changes[since:]:
                    change.lasts = 0

    def read(self, log: str) -> Recording:
        waiting: dict[str, tuple[str, str, int]] = {}
        for line in log.splitlines():
            found = _CALL.match(line)
            if not found:
                continue
            self._recording.moments += 1
            if found["call"] and found["ret"] is None:
                waiting[found["pid"]] = (found["call"], found["args"], self._recording.moments)
            elif found["call"]:
                self._do(found["call"], found["args"], found["ret"], self._recording.moments)
            elif found["pid"] in waiting:
                call, args, began = waiting.pop(found["pid"])
                self._do(call, args + found["rest"], found["late"], began)
        return self._recording

    def _do(self, call: str, args: str, ret: str, began: int) -> None:
        """Sync calls make last what was done before they began; everything else counts when it is done."""
        if ret.startswith(("-1", "?")) or call == "fstatfs":
            return
        fds = [_plain(path) for path in _PATH.findall(args)]
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(args)]
        if call == "sendto":
            self._recording.said.append((self._recording.moments, texts[0]))
            return
        if call in ("fsync", "fdatasync", "syncfs"):
            synced = None if call == "syncfs" else self._inode(fds[0])
            for moment, change in self._recording.changes:
                if moment < began and change.lasts is None and (call == "syncfs" or change.inode == synced):
                    change.lasts = self._recording.moments
            return
        if call in ("write", "pwrite64", "ftruncate"):
            inode = self._inode(fds[0]) if fds else None
            if inode is None:
                return
            if call == "ftruncate":
                self._resize(inode, int(args.rsplit(", ", 1)[1]))
            else:
                at = int(args.rsplit(", ", 1)[1]) if call == "pwrite64" else self._sizes[inode]
                self._write(inode, at, texts[0][: int(ret)])
            return
        paths = self._paths(call, args, fds, [text.decode("utf-8", "surrogateescape") for text in texts])
        if call == "openat":
            if "O_CREAT" in args and self._inode(paths[0]) is None:
                self._make(paths[0], is_dir=False)
        elif call.startswith("mkdir"):
            self._make(paths[0], is_dir=True)
        elif call.startswith("unlink"):
            self._name(paths[0], None)
        else:
            moved = self._inode(paths[0])
            if moved is None:
                return
            new = self._name(paths[1], moved)
            if call.startswith("rename"):
                self._name(paths[0], None, after=new)

    def _paths(self, call: str, args: str, fds: list[str], texts: list[str]) -> list[str]:
        if not call.endswith(("at", "at2")):
            return texts
        above = [*fds, *[""] * 2] if "AT_FDCWD" not in args else ["", ""]
        return [text if text.startswith("/") else f"{above[number]}/{text}" for number, text in enumerate(texts)]

    def _inode(self, path: str) -> int | None:
        if path == self._root:
            return 0
        if not path.startswith(self._root + "/"):
            return None
        at: int | None = 0
        for part in path[len(self._root) + 1 :].split("/"):
            at = self._names.get(at, {}).get(part) if at is not None else None
        return at

    def _make(self, path: str, *, is_dir: bool) -> None:
        above, _, _ = path.rpartition("/")
        if self._inode(above) is None:
            return
        self._count += 1
        if is_dir:
            self._names[self._count] = {}
            self._recording.directories.add(self._count)
        else:
            self._sizes[self._count] = 0
        self._name(path, self._count)

    def _name(self, path: str, target: int | None, after: Change | None = None) -> Change | None:
        above, _, name = path.rpartition("/")
        parent = self._inode(above)
        if parent is None:
            return None
        if target is None:
            self._names[parent].pop(name, None)
        else:
            self._names[parent][name] = target
        return self._add(Change(parent, name=name, target=target, after=after))

    def _write(self, inode: int | None, offset: int, data: bytes) -> None:
        if inode is not None:
            self._sizes[inode] = max(self._sizes[inode], offset + len(data))
            self._add(Change(inode, offset=offset, data=data))

    def _resize(self, inode: int, size: int) -> None:
        self._sizes[inode] = size
        self._add(Change(inode, size=size))

    def _add(self, change: Change) -> Change:
        self._recording.changes.append((self._recording.moments, change))
        return change


Tree = dict[str, bytes]
"""The files of a disk by their paths."""


def replay(recording: Recording, moment: int, chance: Callable[[], float]) -> Tree:
    """The disk when the power went right after ``moment``; ``chance`` says how likely each unsynced change got there.

    Octets that only half got there leave zeros.
    """
    names: dict[int, dict[str, int]] = {}
    content: dict[int, bytearray] = {}
    absent: set[int] = set()
    for when, change in recording.changes:
        if when > moment:
            break
        luck = 1.0 if change.lasts is not None and change.lasts <= moment else chance()
        if luck <= 0.3 or id(change.after) in absent:
            absent.add(id(change))
            continue
        if change.name is not None:
            if change.target is None:
                names.setdefault(change.inode, {}).pop(change.name, None)
            else:
                names.setdefault(change.inode, {})[change.name] = change.target
            continue
        held = content.setdefault(change.inode, bytearray())
        if change.size is not None:
            del held[change.size :]
            held.extend(bytes(change.size - len(held)))
        else:
            assert change.data is not None
            data = change.data if luck > 0.6 else change.data[: len(change.data) // 2].ljust(len(change.data), b"\0")
            held.extend(bytes(max(0, change.offset + len(data) - len(held))))
            held[change.offset : change.offset + len(data)] = data
    return dict(_walk(recording.directories, names, content, 0, ""))


def disks(recording: Recording, tries: int, seed: int) -> Iterator[tuple[int, Tree]]:
    """Disks after a power cut at every moment: with nothing but what was synced, with all, and with random parts."""
    luck = random.Random(seed)
    for moment in range(recording.moments + 1):
        yield moment, replay(recording, moment, lambda: 0.0)
        yield moment, replay(recording, moment, lambda: 1.0)
        for _ in range(tries):
            yield moment, replay(recording, moment, luck.random)


def _walk(
    directories: set[int], names: dict[int, dict[str, int]], content: dict[int, bytearray], inode: int, path: str
) -> Iterator[tuple[str, bytes]]:
    for name, target in names.get(inode, {}).items():
        if target in directories:
            yield from _walk(directories, names, content, target, f"{path}{name}/")
        else:
            yield path + name, bytes(content.get(target, b""))


def _plain(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode("utf-8", "surrogateescape")
