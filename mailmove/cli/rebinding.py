"""``mailmove account rebind``: an archive follows its mailbox to another host or login, once that is proven."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import replace

from mailmove.accounts import config as configuration
from mailmove.accounts import configedit
from mailmove.accounts.config import Account
from mailmove.accounts.vault import Keyring
from mailmove.archive.creating import exists
from mailmove.archive.mending import promoting
from mailmove.archive.store import Archive
from mailmove.cli.options import Place, Setup
from mailmove.cli.running import present, run
from mailmove.cli.work import Work
from mailmove.errors import ArchiveError, ArchiveMissing, Exit, LoginError, RefusedError, UsageError
from mailmove.jobs.progress import Progress
from mailmove.jobs.rebind import Rebind, bind, compare
from mailmove.report import rebind as report
from mailmove.report import words
from mailmove.report.json import document
from mailmove.safe import visible
from mailmove.units import plural


def rebind(setup: Setup, name: str, *, host: str | None, port: int | None, user: str | None, yes: bool) -> Exit:
    """Compare, ask, bind the archive, then write what is new to the configuration.

    :raises UsageError: when the archive is this login's already.
    :raises ArchiveError: when there is none.
    """
    account = setup.config.find(name)
    known = account.endpoint
    endpoint = replace(known, host=host or known.host, port=port or known.port, user=user or known.user)
    account = replace(account, endpoint=configuration.secured(endpoint, None, setup.ca_file))
    if not exists(account.archive):
        raise ArchiveMissing(
            f"{visible(account.name)} has no archive at {words.path(account.archive)}",
            "Put it there, or correct its path in the configuration.",
        )
    with Archive.open(account.archive, setup.memory, writable=False) as archive:
        old = archive.manifest.login
    if old == endpoint.login:
        raise UsageError(
            f"the archive of {visible(account.name)} is that of {visible(old)} already",
            "Say what is new: --host, --port or --user; or correct it in the configuration first.",
        )
    lent = _lend(account, old)

    def start(work: Work) -> Generator[Progress, None, Rebind]:
        with Archive.open(account.archive, setup.memory, writable=True) as archive, work.session() as session:
            result = yield from compare(work.name, session, archive)
            if result.proven and (yes or (setup.interactive and _confirmed(work, result))):
                bind(result, archive)
            return result

    outcomes = run(setup, [Place(account.name, account.archive, account)], start)
    done = not any(outcome.exit for outcome in outcomes)
    if lent is not None:
        (Keyring(old) if done else lent).forget()
    exit_code = present("account rebind", setup, outcomes, report)
    if done:
        _write(setup, account)
    return exit_code


def promote(setup: Setup, name: str, directory: str) -> Exit:
    """Make a copy the archive of its account, and say so in the configuration.

    :raises RefusedError: when the account's archive is still there, or the directory is no copy of it.
    :raises ArchiveError: when the copy cannot be read or written.
    """
    account = setup.config.find(name)
    path = os.path.abspath(os.path.expanduser(directory))
    now = os.path.abspath(os.path.expanduser(account.archive))
    if now != path and _is_there(now):
        raise RefusedError(
            f"the archive of {visible(account.name)} is still at {words.path(now)}",
            "Two archives would go on side by side. Is it broken, or to be left? Then rename its directory first.",
        )
    done = promoting.promote(path, account.endpoint.login, setup.memory)
    configured = any(account.name == one.name for one in setup.config.accounts)
    if configured and now != path:
        configedit.change(setup.config.path, account.name, {"archive": path})
    again = setup.again(Place(account.name, path, account))
    if setup.json:
        print(document("account rebind", Exit.DONE, account=account.name, archive=path, recalled=done.recalled))
        return Exit.DONE
    print(f"{words.path(path)} is the archive of {visible(account.name)} now, no copy any more.")
    for copy in (copy for copy, at in account.copies.items() if os.path.abspath(at.path) == path):
        print(f"The configuration names it as the copy {copy} still: give that another directory.")
    if done.recalled:
        print(f"{plural(done.recalled, 'record')} that this machine still knew of were added; check names what lacks.")
    print(f"Next: {again.command('check')}, then {again.command('export')}: it fetches what the server has besides")
    return Exit.DONE


def _is_there(path: str) -> bool:
    try:
        return exists(path)
    except ArchiveError:  # what is left of it is none
        return False


def _confirmed(work: Work, result: Rebind) -> bool:
    answer = work.ask([*report.proof(result)], "Take it as the same mailbox? [y/N] ")
    return (answer or "").strip().lower() in {"y", "yes"}


def _lend(account: Account, old: str) -> Keyring | None:
    """Give the new login the password that the keyring has for the old one, until it is clear whose it is."""
    if account.password_command or account.token_command or account.secret_file:
        return None
    new = Keyring(account.endpoint.login)
    try:
        secret = Keyring(old).read()
        if secret is None or new.read() is not None:
            return None
        new.write(secret)
    except LoginError:
        return None  # then the password comes from elsewhere, or the login says that there is none
    return new


def _write(setup: Setup, account: Account) -> None:
    """Say in the configuration what is new."""
    known = setup.config.find(account.name).endpoint
    new = account.endpoint
    changed = {key: getattr(new, key) for key in ("host", "port", "user") if getattr(new, key) != getattr(known, key)}
    if changed:
        configedit.change(setup.config.path, account.name, changed)
