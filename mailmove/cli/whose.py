"""Whose mailbox is it: what keeps two accounts from opening the same one without anybody noticing."""

from __future__ import annotations

from mailmove.accounts.config import Account
from mailmove.archive.state import shown
from mailmove.archive.state.shown import Sight
from mailmove.archive.store import Archive
from mailmove.cli.options import Setup
from mailmove.errors import RefusedError
from mailmove.safe import few, visible

_FOLDERS, _MESSAGES = 20, 5


def must_be_its_own(setup: Setup, account: Account, archive: Archive) -> None:
    """See that no other account of the host was shown the messages that this one is, where they share how they log in.

    :raises RefusedError: when one was; both are stopped by that, each in its turn.
    :raises ArchiveError: when what others were shown cannot be read.
    """
    endpoint = account.endpoint
    if not (account.inherits or endpoint.auth_user):
        return
    host = endpoint.host.lower().rstrip(".")
    others = {
        one.endpoint.login: one.name
        for one in setup.config.accounts
        if one.endpoint.host.lower().rstrip(".") == host and one.endpoint.login != endpoint.login
    }
    same = shown.note(setup.memory, host, endpoint.login, _sights(archive), others)
    if same:
        names = ", ".join(few(others[login] for login in same))
        master = f"auth_user {visible(endpoint.auth_user)}" if endpoint.auth_user else "the template"
        raise RefusedError(
            f"it is shown the same messages as {names}: the server opens one mailbox for both. Nothing is deleted",
            f"See that {master} opens each its own: mailmove account test. What is archived stays.",
        )


def _sights(archive: Archive) -> list[Sight]:
    folders = sorted({(one.wire, one.uidvalidity) for one in archive.manifest.folders if one.uidvalidity})
    return [
        Sight(wire, uidvalidity, uid, sha256)
        for wire, uidvalidity in folders[:_FOLDERS]
        for uid, sha256 in archive.index.ends(wire, uidvalidity, _MESSAGES).items()
    ]
