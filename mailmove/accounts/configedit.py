"""Changing ``config.toml`` without touching what the user wrote in it: comments, order and everything else stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import tomlkit

from mailmove.accounts import config
from mailmove.accounts.config import Config, OAuthClient
from mailmove.errors import UsageError
from mailmove.replacing import replace_file
from mailmove.safe import visible

Values = Mapping[str, str | int | list[str] | dict[str, str] | None]
"""Keys of an account's table; None: the key is to go."""


def check(path: str) -> None:
    """See whether the file could be written, before anything is asked or stored.

    :raises UsageError: when it cannot.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise UsageError(f"{visible(path)} is not a file", "Name the configuration file: --config")
    above = os.path.dirname(target)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above) or not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{visible(path)} cannot be written", "Make it yours, or name another with --config.")


def add(path: str, name: str, values: Values, client: OAuthClient | None = None, *, write: bool = True) -> Config:
    """Add an account, and the registration of a client that is not there yet; without ``write`` only see how it reads.

    :raises UsageError: when the file cannot be written, or would not be valid afterwards; it is as before then.
    """
    kept = {key: value for key, value in values.items() if value is not None}
    tables: dict[str, Any] = {"account": {name: kept}}
    if client is not None:
        tables["oauth"] = {client.issuer: {"client_id": client.client_id}}
        if client.client_secret:
            tables["oauth"][client.issuer]["client_secret"] = client.client_secret

    def edit(text: str) -> str:
        return f"{text.rstrip()}\n\n{tomlkit.dumps(tables)}".lstrip("\n")

    return _rewrite(path, edit, write=write)


def change(path: str, name: str, values: Values) -> Config:
    """Change keys of an account.

    :raises UsageError: as :func:`add`.
    """

    def edit(text: str) -> str:
        document = tomlkit.parse(text)
        table: Any = _accounts(document, path, name)[name]
        for key, value in values.items():
            if value is not None:
                table[key] = value
            elif key in table:
                del table[key]
        return tomlkit.dumps(document)

    return _rewrite(path, edit)


def remove(path: str, name: str) -> Config:
    """Remove an account.

    :raises UsageError: as :func:`add`.
    """

    def edit(text: str) -> str:
        document = tomlkit.parse(text)
        del _accounts(document, path, name)[name]
        return _with_comments(text.splitlines(), tomlkit.dumps(document).splitlines())

    return _rewrite(path, edit)


def _accounts(document: Any, path: str, name: str) -> Any:
    """The accounts that stand in the file, among them this one."""
    accounts = document.get("account", {})
    if name not in accounts:
        raise UsageError(f"{visible(name)} does not stand in {visible(path)}", "Change the list that it comes from.")
    return accounts


def _with_comments(before: list[str], after: list[str]) -> str:
    """Put back the comments between the removed table and the next one: they are about the next one."""
    first = next((n for n, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(after))
    rest = 0
    while rest < len(after) - first and before[-1 - rest] == after[-1 - rest]:
        rest += 1
    end = len(before) - rest
    removed = before[first:end]
    tail = len(removed)
    while tail and (not removed[tail - 1].strip() or removed[tail - 1].lstrip().startswith("#")):
        tail -= 1
    gap = next((n for n in range(tail, len(removed)) if not removed[n].strip()), len(removed))
    while first and not before[first - 1].strip():
        first -= 1  # the blank lines after the table do for those before it
    return "\n".join([*before[:first], *removed[gap:], *before[end:]]).strip("\n") + "\n"


def _rewrite(path: str, edit: Callable[[str], str], *, write: bool = True) -> Config:
    """Replace the file by its edited text; a crash leaves the old or the new one, whole."""
    target = os.path.realpath(path)  # a link into the user's own collection of such files stays one
    try:
        try:
            with open(target, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            text = ""
        edited = edit(text)
        changed = config.read(edited.encode(), path)
        if not write:
            return changed
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        replace_file(target, edited.encode())
    except OSError as error:
        raise UsageError(
            f"{visible(path)} cannot be written: {error.strerror}", "It is as it was. Make room there."
        ) from None
    return changed
