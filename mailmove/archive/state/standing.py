"""How an account stands, in the state directory: what its last runs came to, and what was agreed to for it.

One small file for each login. It is not derived from anything: what cannot be read is said, never taken for nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from mailmove.archive.files import durable
from mailmove.archive.state.memory import Memory
from mailmove.errors import ArchiveDamaged
from mailmove.replacing import replace_file

_DIRECTORY = "standing"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last run of one command for an account, times in Unix seconds.

    ``good`` is when one last came to a good end, ``since`` when the first of those that failed after it began to fail;
    ``what`` and ``kind`` say of what, safe for a terminal.
    """

    at: int
    exit: int = 0
    good: int | None = None
    since: int | None = None
    what: str = ""
    kind: str = ""

    def then(self, at: int, exit_code: int, what: str = "", kind: str = "") -> Attempt:
        """The attempt that follows this one."""
        if not exit_code:
            return Attempt(at, good=at)
        return Attempt(at, exit_code, self.good, at if self.since is None else self.since, what, kind)


@dataclass(frozen=True, slots=True)
class Gauged:
    """How full the tightest quota was at a moment, and when it is full by the growth until then."""

    at: int
    used: int
    limit: int | None = None
    full: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is noted of a login.

    ``config`` is the configuration that has it under ``name``, None where none does any more. ``consent`` is when
    somebody agreed that it is pruned by its policy while nobody watches. ``told`` is what notices said, by what it
    is about; ``news`` is what happened since, and nobody was told yet. ``policy`` is a digest of what the account
    shares with others, seen first at ``policy_since``: what was agreed to before is not about it.
    """

    login: str
    name: str = ""
    config: str | None = None
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    consent: int | None = None
    gauge: Gauged | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    news: tuple[str, ...] = ()
    policy: str = ""
    policy_since: int = 0


def read(memory: Memory, login: str) -> Standing:
    """What is noted of a login.

    :raises ArchiveError: when it cannot be read.
    """
    return _load(memory.of_login(_DIRECTORY, login, ".json")) or Standing(login)


def every(memory: Memory) -> list[Standing]:
    """Of every login there ever was.

    :raises ArchiveError: when one of them cannot be read.
    """
    directory = memory.directory(_DIRECTORY)
    with durable.explained(f"reading {directory}"):
        names = sorted(name for name in os.listdir(directory) if name.endswith(".json") and name[0] != ".")
    return [found for name in names if (found := _load(os.path.join(directory, name))) is not None]


def change(memory: Memory, login: str, changed: Callable[[Standing], Standing]) -> Standing:
    """Note something of a login, however many runs do so at the same time; gives what is noted then.

    :raises ArchiveError: when what was noted cannot be read, or the state directory cannot be written.
    """
    path = memory.of_login(_DIRECTORY, login, ".json")
    with durable.explained(f"writing {path}"), open(memory.of_login(_DIRECTORY, login, ".lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = _load(path) or Standing(login)
        after = changed(before)
        if after != before:
            replace_file(path, (json.dumps(asdict(after), indent=1) + "\n").encode())
    return after


def _load(path: str) -> Standing | None:
    with durable.explained(f"reading {path}"):
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text = ""
    try:
        noted = json.loads(text)
        attempts = {str(command): _attempt(one) for command, one in noted["attempts"].items()}
        config = noted["config"]
        return Standing(
            str(noted["login"]),
            str(noted["name"]),
            None if config is None else str(config),
            attempts,
            _moment(noted["consent"]),
            None if noted["gauge"] is None else _gauged(noted["gauge"]),
            {str(about): str(text) for about, text in noted.get("told", {}).items()},
            tuple(map(str, noted.get("news", ()))),
            str(noted.get("policy", "")),
            _moment(noted.get("policy_since", 0)) or 0,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArchiveDamaged(
            f"{path} is damaged: how this account stands is not known",
            "It holds no mail. Delete it: runs are noted anew, and prunes that nobody watches must be agreed to anew.",
        ) from error


def _attempt(noted: Mapping[str, object]) -> Attempt:
    at, code = _moment(noted["at"]), _moment(noted["exit"])
    if at is None or code is None:
        raise TypeError("a moment and an exit code must be numbers")
    good, since = _moment(noted["good"]), _moment(noted["since"])
    return Attempt(at, code, good, since, str(noted["what"]), str(noted["kind"]))


def _gauged(noted: Mapping[str, object]) -> Gauged:
    at, used = _moment(noted["at"]), _moment(noted["used"])
    if at is None or used is None:
        raise TypeError("a moment and an amount must be numbers")
    return Gauged(at, used, _moment(noted["limit"]), _moment(noted["full"]))


def _moment(value: object) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError("must be a number")
    return value
