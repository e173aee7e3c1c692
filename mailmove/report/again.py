"""Commands to copy: each means the same account, archive and configuration as the command that suggests it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from mailmove.safe import visible

_BY_OPTION = {"find", "show", "get", "restore", "accept", "erase"}
"""Commands that take something else than accounts as their arguments: these are named by --account."""
_LOCAL = {"history", "copy", "reindex", "find", "show", "get", "accept", "seal", "erase"}
"""Commands that ask no server, so that nothing needs to be said of the connection."""


@dataclass(frozen=True, slots=True)
class Again:
    """What was said on the command line of the account and its files.

    ``account`` is a name, a URL or the directory of an archive; empty where it need not be named. ``files`` are options
    that say where things are, ``connection`` those that say how to connect.
    """

    account: str = ""
    files: tuple[str, ...] = ()
    connection: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words to add to a command that takes accounts as its arguments."""
        return (*((self.account,) if self.account else ()), *self.files, *self.connection)

    @property
    def options(self) -> tuple[str, ...]:
        """The options to add to a command that takes something else as its arguments."""
        return (*(("--account", self.account) if self.account else ()), *self.files, *self.connection)

    def command(self, verb: str, *words: str) -> str:
        """``mailmove show 3fa2b1c9d0 --account work``, ``mailmove export work --refetch``."""
        account, files = self.account, self.files
        if verb == "export" and account.startswith(os.sep):
            account, files = "ACCOUNT", ("--archive", account, *files)  # whose it is, only the user knows
        options = (*files, *(() if verb in _LOCAL else self.connection))
        if not account:
            line = (*verb.split(), *words)
        elif verb in _BY_OPTION:
            line = (verb, *words, "--account", account)
        else:
            line = (*verb.split(), account, *words)
        return visible(shlex.join(("mailmove", *line, *options)), 1000)


ALL = Again()
"""Nothing was said: it means all accounts, or the only one."""
