"""Gmail: a message is one, and its folders are labels of it. It goes only when every one of its labels lets it go.

Expunging a message from a folder would only take that label away, and All Mail would keep it; so what goes is moved to
Trash, which takes it out of all folders, and expunged there (https://support.google.com/mail/answer/77657).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mailmove.errors import LackingError
from mailmove.imap import scan
from mailmove.imap.session import Session
from mailmove.jobs.fetching import Opened
from mailmove.jobs.prune.result import FolderPlan, PrunePlan
from mailmove.model import Folder, Listed, Looked, Seen
from mailmove.plan.retention import Stays, strictest_label

CAPABILITY = "X-GM-EXT-1"
NOTE = (
    "on Gmail a message is one, under all its labels: what goes is moved to Trash, which takes it out of every label "
    "and of All Mail, and is expunged there"
)
VIEWS = ("\\all", "\\important", "\\flagged")
"""Folders that show messages without being a label that somebody gave."""
TRUE_DELETION = ("\\trash", "\\junk")
"""Where expunging a message deletes it."""

Ids = dict[bytes, dict[int, str | None]]
"""By folder: the X-GM-MSGID of every message, by UID."""


def must_see_all_labels(looked: Looked) -> None:
    """See to it that no label can be missed.

    :raises LackingError: when a folder, which is a label of its messages, cannot be told from what the server says.
    """
    doubts = [f"{view.folder.shown}: {view.doubt}" for view in looked if view.doubt]
    if problems := looked.problems + doubts:
        raise LackingError(
            f"not all labels can be read, so that nothing can be decided: {problems[0]}",
            "Nothing was deleted. Rename that label on Gmail's page.",
        )


def trash_of(folders: Iterable[Folder]) -> Folder:
    """The folder to move messages to.

    :raises LackingError: when Gmail does not show it.
    """
    found = next((folder for folder in folders if folder.special_use == "\\trash"), None)
    if found is None:
        raise LackingError(
            "Gmail does not show its Trash by IMAP, so that nothing can be deleted for good",
            "In Gmail's settings, under Labels, let Trash show in IMAP.",
        )
    return found


def identities(folder: Folder, listing: Iterable[Listed]) -> dict[int, str | None]:
    """Which message each UID of a folder is.

    :raises LackingError: when the server's words on one of them cannot be read: it could be any that is to go.
    """
    ids = {}
    for listed in listing:
        if listed.odd:
            raise _unreadable(folder)
        ids[listed.uid] = listed.object_id
    return ids


def _unreadable(folder: Folder) -> LackingError:
    return LackingError(f"the labels of {folder.shown} cannot be read: nothing can be decided", "Try again later.")


def decide_by_message(
    session: Session, planned: PrunePlan, views: Iterable[Seen], ids: Ids, *, once: bool = False
) -> None:
    """Keep every message that any of its labels keeps; of the others, let each go once.

    ``ids`` are those of the folders in the plan; the other folders are asked for theirs. ``once``: the archive holds
    each message once, in All Mail, so that it goes from there if it may, where its file proves it.

    :raises LackingError: when not all labels can be read.
    """
    for view in views:
        folder = view.folder
        if not folder.selectable or folder.wire in ids or folder.special_use in VIEWS:
            continue
        opened = Opened(session, folder)
        ids[folder.wire] = identities(folder, opened.listing())
        if opened.unlisted or view.status is None:
            raise _unreadable(folder)
    if once:
        planned.folders.sort(key=lambda one: one.folder.special_use != "\\all")
    else:
        planned.folders.sort(key=lambda one: one.folder.special_use in VIEWS)  # All Mail last: for what has no label
    labels: Mapping[bytes, FolderPlan] = {one.folder.wire: one for one in planned.folders}
    views_of_all = {one.folder.wire for one in planned.folders if one.folder.special_use in VIEWS}
    strictest_label({wire: one.decisions for wire, one in labels.items()}, ids, views_of_all)
    known = {view.folder.wire: view.folder for view in views if view.folder.wire in ids}
    for one in planned.folders:
        if one.decisions.go and one.folder.special_use not in TRUE_DELETION:
            _note_labels(session, one, known, ids)


def _note_labels(session: Session, planned: FolderPlan, folders: Mapping[bytes, Folder], ids: Ids) -> None:
    """Remember the labels of what goes; what was given one since the folder of that label was listed stays."""
    opened = Opened(session, planned.folder)
    going, mine = planned.decisions.go, ids[planned.folder.wire]
    chosen = f"{min(going)}:{max(going)}".encode()
    asked = session.ask_of_folder(lambda: scan.labels(opened.wire(), chosen))
    told = {uid: labels for uid, labels in asked.items() if labels is not None}
    held = {
        label: set(ids[wire].values())
        for wire, folder in folders.items()
        if folder.special_use not in VIEWS
        for label in _labels_of(folder)
    }
    late = [
        uid
        for uid in going
        if uid not in told or any(label in held and mine[uid] not in held[label] for label in told[uid])
    ]
    planned.decisions.keep(late, Stays.LABEL)
    planned.labels = {uid: frozenset(told[uid]) for uid in going}


def _labels_of(folder: Folder) -> Iterable[str]:
    r"""What X-GM-LABELS calls a folder: its name, or ``\Inbox``, ``\Sent``, ``\Draft`` for Gmail's own."""
    if folder.wire == b"INBOX":
        return ("\\Inbox",)
    if folder.special_use is None:
        return (folder.name,)
    use = folder.special_use.title()
    return (use, use.removesuffix("s"), folder.name)
