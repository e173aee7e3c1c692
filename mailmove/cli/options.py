"""What every command understands, and what it is turned into."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import update_wrapper
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from mailmove.cli.environment import config_path, state_directory
from mailmove.cli.terminal import Fitting
from mailmove.errors import ArchiveError, UsageError
from mailmove.report.again import Again
from mailmove.safe import few, visible
from mailmove.streams import typed

if TYPE_CHECKING:  # the configuration and all it stands on: --help does without
    from mailmove.accounts.config import Account, Config
    from mailmove.archive.state.memory import Memory


def account_names(context: typer.Context) -> list[str]:
    """For completion: the accounts."""
    from mailmove.cli import completing

    return completing.accounts(context.params)


def folder_names(context: typer.Context) -> list[str]:
    """For completion: the folders of the archives that are meant."""
    from mailmove.cli import completing

    return completing.folders(context.params)


def run_names(context: typer.Context) -> list[tuple[str, str]]:
    """For completion: the runs of the archives that are meant."""
    from mailmove.cli import completing

    return completing.runs(context.params)


def accounts_and_runs(context: typer.Context) -> list[Any]:
    """For completion where either may stand."""
    return [*account_names(context), *run_names(context)]


Accounts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ACCOUNT|URL]...",
        help="Accounts by name, unique prefix or URL; none: all accounts.",
        autocompletion=account_names,
    ),
]
Archives = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ACCOUNT|DIR]...",
        help="Archives by account or by directory; none: those of all accounts.",
        autocompletion=account_names,
    ),
]
ConfigFile = Annotated[str | None, typer.Option("-c", "--config", metavar="FILE", help="The configuration file.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing unless something is wrong.")]
Verbose = Annotated[
    int,
    typer.Option(
        "-v", "--verbose", count=True, show_default=False, help="Say what is being done; twice: the protocol as well."
    ),
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
LogFile = Annotated[
    str | None, typer.Option("--log-file", metavar="FILE", help="Append what happens to FILE, with time and account.")
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, max=64, metavar="N", help="How many accounts at the same time.")]
CaFile = Annotated[
    str | None, typer.Option("--ca-file", metavar="FILE", help="Trust this certificate authority as well.")
]
Tls = Annotated[
    str | None,
    typer.Option("--tls", metavar="HOW", help="implicit, starttls, or none (only to this machine itself)."),
]
ArchiveDir = Annotated[
    str | None, typer.Option("--archive", metavar="DIR", help="The archive directory, for a single account.")
]
InAccounts = Annotated[
    list[str] | None,
    typer.Option(
        "-a",
        "--account",
        metavar="ACCOUNT|DIR",
        help="Only these archives, by account or directory; none: all.",
        autocompletion=account_names,
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--folder",
        metavar="PATTERN",
        parser=typed,
        autocompletion=folder_names,
        help=r"Only these folders: a name, *, ?, or \Sent.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="PATTERN", parser=typed, autocompletion=folder_names, help="Leave these folders out."
    ),
]


@dataclass(frozen=True, slots=True)
class Place:
    """What one part of a run is about: an archive directory and, unless only that was named, its account."""

    name: str
    archive: str
    account: Account | None
    url: str = ""
    """What named it, where the configuration has no such account."""


@dataclass(frozen=True)
class Setup:
    """The common options, carried out."""

    config: Config
    memory: Memory
    quiet: bool = False
    json: bool = False
    verbose: int = 0
    jobs: int = 1
    tls: str | None = None
    ca_file: str | None = None
    archive: str | None = None
    new_archive: bool = False
    """Whether to begin a new archive, wherever others are."""
    config_file: str | None = None
    """The configuration file, if the command line named one."""

    @property
    def interactive(self) -> bool:
        """Whether somebody reads what is printed and can answer."""
        return not self.quiet and not self.json and sys.stdin.isatty() and sys.stdout.isatty()

    @property
    def progress(self) -> bool:
        """Whether somebody is watching a bar; with --verbose the log tells what is going on."""
        return not self.quiet and not self.verbose and sys.stderr.isatty()

    def select(self, names: Sequence[str] | None) -> list[Place]:
        """The accounts that are meant; none named: all.

        :raises UsageError: when there are none, or when a named one does not exist.
        """
        if not names and not self.config.accounts:
            there = f"\n  {ARCHIVES_ALONE}" if self.found() else ""
            raise UsageError(f"there is no account yet in {visible(self.config.path)}", f"{NO_ACCOUNT}{there}")
        found = map(self._named, names) if names else map(self._place, self.config.accounts)
        chosen = {place.account.endpoint.login: place for place in found if place.account is not None}
        if self.archive and len(chosen) != 1:
            raise UsageError("--archive names the archive of one account", "Name one account or URL.")
        return list(chosen.values())

    def archives(self, names: Sequence[str] | None) -> list[Place]:
        """The archives that are meant, each by its account or by its directory; none named: those of all accounts.

        Where there is no account, as on a new computer, none named are those in the usual place.

        :raises UsageError: when there are none, or when what is named is neither.
        """
        if not names:
            return (not self.config.accounts and self.found()) or self.select(None)
        places: dict[str, Place] = {}
        for name in names:
            place = self._directory(name) if os.sep in name and "://" not in name else None
            place = place or self._named(name)
            places.setdefault(place.archive, place)
        return list(places.values())

    def readable(self, names: Sequence[str] | None) -> list[Place]:
        """The same for a command that only reads archives: ``--archive`` alone is enough to name one.

        :raises UsageError: as :meth:`archives`.
        """
        if self.archive is None:
            return self.archives(names)
        return self.select(names) if names else [self._directory(self.archive)]

    def found(self) -> list[Place]:
        """The archives in the usual place, whosever they are."""
        try:
            names = sorted(os.listdir(self.config.archives))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise UsageError(f"{visible(self.config.archives)}: {error.strerror}", "Make it readable.") from error
        paths = (os.path.join(self.config.archives, name) for name in names)
        return [self._directory(path) for path in paths if _is_archive(path)]

    def again(self, place: Place | None = None) -> Again:
        """How another command means the same account and files; without a place: all accounts."""
        connection = tuple(meaning(tls=self.tls, ca_file=self.ca_file))
        if place is not None and place.account is None:
            return Again(place.archive, tuple(meaning(config=self.config_file)), connection)
        account = "" if place is None or (len(self.config.accounts) == 1 and not place.url) else place.url or place.name
        return Again(account, tuple(meaning(config=self.config_file, archive=self.archive)), connection)

    def _named(self, name: str) -> Place:
        """The account of this name or URL."""
        account = self.config.find(typed(name))
        known = any(account.endpoint.login == one.endpoint.login for one in self.config.accounts)
        return self._place(account) if known else replace(self._place(self._followed(account)), url=name)

    def _followed(self, account: Account) -> Account:
        """An account that the configuration does not have, with its archive where an earlier run put it.

        :raises UsageError: when it has several, and none is where it would be.
        """
        if self.archive or self.new_archive or os.path.lexists(os.path.expanduser(account.archive)):
            return account
        remembered = filter(_is_archive, self.memory.recall(account.endpoint.login))
        places = sorted(remembered)
        if len(places) > 1:
            raise UsageError(
                f"{visible(account.name)} has archives at {', '.join(few(places))}", "Name one of them: --archive DIR"
            )
        return replace(account, archive=places[0]) if places else account

    def _place(self, account: Account) -> Place:
        from mailmove.accounts.config import secured

        account = replace(
            account,
            endpoint=secured(account.endpoint, self.tls, self.ca_file),
            archive=os.path.abspath(os.path.expanduser(self.archive or account.archive)),
        )
        return Place(account.name, account.archive, account)

    def _directory(self, name: str) -> Place:
        """An archive directory; when it is the one of a configured account, that account's."""
        path = os.path.abspath(os.path.expanduser(name))
        for account in self.config.accounts:
            if os.path.abspath(os.path.expanduser(account.archive)) == path:
                return self._place(account)
        return Place(path, path, None)


ARCHIVES_ALONE = "The archives that are here need none: mailmove find, show, get, check, history and reindex read them."
NO_ACCOUNT = "Add one: mailmove account add. Or name one for a single run, as in imaps://user@host."


@dataclass(frozen=True, slots=True)
class Given:
    """The options that commands share, as the command line gives them. Each is declared here, in the help's order."""

    account: InAccounts = None
    archive: ArchiveDir = None
    jobs: Jobs = 1
    config: ConfigFile = None
    tls: Tls = None
    ca_file: CaFile = None
    log_file: LogFile = None
    json: AsJson = False
    quiet: Quiet = False
    verbose: Verbose = 0

    def setup(self, *, new_archive: bool = False, new: bool = False) -> Setup:
        """Carry them out: read the configuration, set up logging. ``new``: there need not be a configuration yet.

        :raises UsageError: when one is empty, or the configuration cannot be read.
        """
        from mailmove.accounts import config
        from mailmove.archive.state.memory import Memory

        given = {"--config": self.config, "--archive": self.archive, "--ca-file": self.ca_file, "--tls": self.tls}
        given["--log-file"] = self.log_file
        for option, value in given.items():
            if value == "":  # such as an unset variable in a script: not the same as leaving it out
                raise UsageError(f"{option} is empty", "Give it a value or leave it out.")
        self._log()
        path = config_path(self.config)
        if self.config and not new and not os.path.exists(path):
            raise UsageError(f"{visible(self.config)} does not exist", "Check the path given with --config.")
        loaded, memory = config.load(path), Memory(state_directory())
        if loaded.listed is not None and not new:
            from mailmove.cli import listing

            listing.see(loaded, memory)
        return Setup(
            loaded,
            memory,
            quiet=self.quiet,
            json=self.json,
            verbose=self.verbose,
            jobs=self.jobs,
            tls=self.tls,
            ca_file=self.ca_file,
            archive=self.archive,
            new_archive=new_archive,
            config_file=self.config,
        )

    def _log(self) -> None:
        level = logging.ERROR if self.quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(self.verbose, 2)]
        threading.main_thread().name = "mailmove"  # the others have the names of accounts
        handler = logging.StreamHandler()
        handler.setFormatter(Fitting("%(threadName)s: %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[handler])
        logging.getLogger("mailmove").setLevel(level)
        if self.log_file:
            from mailmove.cli import logfile

            logfile.begin(self.log_file, level, debug=self.verbose > 1)


# The families: what a command that takes one of them takes with it.
SELECTION = ("account", "archive")
CONNECTION = ("tls", "ca_file")
OUTPUT = ("json", "quiet", "verbose")


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take these options of :class:`Given`, and ``--config``, after its own.

    The command is called with them as its first argument.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        hints = get_type_hints(Given, include_extras=True)
        shared = [
            inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
            for one in fields(Given)
            if one.name in ("config", *names)
        ]

        def called(**values: Any) -> None:
            given = Given(**{parameter.name: values.pop(parameter.name) for parameter in shared})
            command(given, **values)

        update_wrapper(called, command)
        signature = inspect.Signature([*own, *shared])
        called.__signature__ = signature  # type: ignore[attr-defined]
        called.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
        return called

    return decorate


def meaning(
    *, config: str | None = None, tls: str | None = None, ca_file: str | None = None, archive: str | None = None
) -> list[str]:
    """Options that say which accounts and archives are meant, as words that mean the same in any directory."""
    words = []
    for name, value in (("--config", config), ("--tls", tls), ("--ca-file", ca_file), ("--archive", archive)):
        if value:
            words += [name, value if name == "--tls" else os.path.abspath(os.path.expanduser(value))]
    return words


def names_archive(word: str) -> bool:
    """Whether a word is the path of an archive: one with a slash, as wherever an account may be named."""
    return os.sep in word and _is_archive(os.path.expanduser(word))


def _is_archive(path: str) -> bool:
    from mailmove.archive.creating import exists  # late: most runs need no look at any archive here

    try:
        return exists(path)
    except ArchiveError:  # something else is there, or it cannot be looked at
        return False
