"""What mailmove remembers on this machine, apart from any archive: which login has which archive, and where.

An archive that is remembered but not there is an unmounted disk, not a reason to begin a new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from urllib.parse import quote

from mailmove.archive.files import durable
from mailmove.archive.mark import index_name
from mailmove.errors import ArchiveDamaged
from mailmove.replacing import replace_file

_NEWEST = "newest-message"
_noting = threading.Lock()
"""The accounts of a run share the note, and the name under which it is written."""


class Memory:
    """The state directory."""

    def __init__(self, path: str) -> None:
        self.path = path

    def recall(self, login: str) -> dict[str, str]:
        """The archives that a login has had on this machine: UUID by path.

        :raises ArchiveError: when the note cannot be read; it is not forgotten for that.
        """
        note = self._note(login)
        try:
            with open(note, encoding="utf-8") as file:
                archives = json.load(file)["archives"]
            return {str(path): str(uuid) for path, uuid in archives.items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise durable.failure(f"reading {note}", error) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArchiveDamaged(
                f"{note} is damaged", "It only names the archive of this login; delete it if the archive is in place."
            ) from error

    def remember(self, login: str, path: str, uuid: str) -> None:
        """Note an archive of a login; if it was at another path before, it has moved.

        :raises ArchiveError: when the state directory cannot be written.
        """
        archives = self.recall(login)
        if archives.get(path) == uuid:
            return
        archives = {known: other for known, other in archives.items() if other != uuid} | {path: uuid}
        content = json.dumps({"login": login, "archives": archives}, indent=1) + "\n"
        with durable.explained(f"writing to {self.path}"):
            self.directory("archives")
            replace_file(self._note(login), content.encode())

    def newest_arrival(self) -> int | None:
        """The newest arrival that a run has seen in any account, in Unix seconds, when it was new.

        None where there is no such note, or none that can be read: it only ever vouches for the clock.

        :raises ArchiveError: when the state directory cannot be read.
        """
        path = os.path.join(self.path, _NEWEST)
        with durable.explained(f"reading {path}"):
            try:
                with open(path, encoding="ascii", errors="replace") as file:
                    text = file.read(32).strip()
            except FileNotFoundError:
                return None
        return int(text) if text.isascii() and text.isdigit() else None

    def note_arrival(self, seconds: int) -> None:
        """Note the newest arrival.

        :raises ArchiveError: when the state directory cannot be written.
        """
        with durable.explained(f"writing to {self.path}"), _noting:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            try:
                replace_file(os.path.join(self.path, _NEWEST), f"{seconds}\n".encode())
            except (FileExistsError, FileNotFoundError):
                pass  # another process notes its own at this moment; either vouches for the clock

    def made(self, file: str) -> bool:
        """Whether mailmove made this file, by this path."""
        return os.path.lexists(self._made(file))

    def note_made(self, file: str) -> None:
        """Note that mailmove made this file.

        :raises ArchiveError: when the state directory cannot be written.
        """
        self.directory("made")
        with durable.explained(f"writing to {self.path}"), open(self._made(file), "wb"):
            pass

    def _made(self, file: str) -> str:
        digest = hashlib.sha256(os.fsencode(os.path.abspath(file))).hexdigest()
        return os.path.join(self.path, "made", digest)

    def index(self, uuid: str, copy: str = "") -> str:
        """The path of the index of an archive, or of this copy of it."""
        return os.path.join(self.directory("index"), index_name(uuid, copy))

    def directory(self, name: str) -> str:
        """A private directory of this name, made when missing.

        :raises ArchiveError: when that is not possible.
        """
        path = os.path.join(self.path, name)
        with durable.explained(f"making {path}"):
            os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def of_login(self, name: str, login: str, suffix: str) -> str:
        """The path of a file about a login, in the directory of this name.

        :raises ArchiveError: when that directory cannot be made.
        """
        return os.path.join(self.directory(name), _file_name(login) + suffix)

    def _note(self, login: str) -> str:
        return os.path.join(self.path, "archives", _file_name(login) + ".json")


def _file_name(login: str) -> str:
    return quote(login, safe="@")
