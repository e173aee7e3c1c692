"""Whose a secret is: what else uses the place where an account's secret is kept, and what may go with the account."""

from __future__ import annotations

import os
from enum import Enum

from mailmove.accounts import vault
from mailmove.accounts.config import Account, Config
from mailmove.archive.state.memory import Memory
from mailmove.safe import few, visible


class Fate(Enum):
    """What becomes of an account's secret when the account is removed."""

    GOES = "goes"
    STAYS = "stays"


def sharing(config: Config, account: Account, file: str | None) -> list[str]:
    """The other accounts that name this file, by whatever path, as their secret or to a program that tells it.

    An entry of the keyring is never shared: it is one login's, and no two accounts have the same.
    """
    if file is None:
        return []
    return [other.name for other in config.accounts if other.name != account.name and _names(other, file)]


def fate(config: Config, account: Account, memory: Memory) -> tuple[Fate, str]:
    """What is to become of the secret of an account that is removed, and that in words."""
    if account.password_command or account.token_command:
        return Fate.STAYS, "Its secret stays with the program that tells it."
    place = vault.of(account).place
    if others := sharing(config, account, account.secret_file):
        return Fate.STAYS, f"Its secret stays in {place}: it is also that of {', '.join(few(others, 3))}."
    if account.secret_file and os.path.lexists(account.secret_file) and not made(account.secret_file, config, memory):
        return Fate.STAYS, f"Its secret stays in {place}, which is not of mailmove's making."
    return Fate.GOES, f"Its secret in {place} goes, too."


def made(file: str, config: Config, memory: Memory) -> bool:
    """Whether mailmove made this file: it is remembered, or in the directory where mailmove puts such files."""
    own = os.path.realpath(os.path.dirname(file)) == os.path.realpath(directory(config.path))
    return not os.path.islink(file) and (own or memory.made(file))


def directory(config: str) -> str:
    """Where the secrets of a configuration are, when they are in no keyring."""
    return os.path.join(os.path.dirname(os.path.abspath(config)), "secrets")


def warned(file: str, others: list[str]) -> str:
    """What is to be said before a file is overwritten that others use."""
    return f"{visible(file)} also holds the secret of {', '.join(few(others, 3))}"


def _names(account: Account, file: str) -> bool:
    words = (*account.password_command, *account.token_command)
    path = os.path.abspath(file)
    return any(path in word or _same(word, file) for word in words if os.sep in word) or (
        account.secret_file is not None and _same(account.secret_file, file)
    )


def _same(one: str, other: str) -> bool:
    one, other = os.path.expanduser(one), os.path.expanduser(other)
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)
