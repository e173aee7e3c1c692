"""Which folders a command works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailmove.errors import UsageError
from mailmove.model import Folder, NamespaceKind
from mailmove.plan.naming import like
from mailmove.safe import visible


@dataclass(frozen=True, slots=True)
class Choice:
    """Folders to work on, and why each of the others is left out."""

    chosen: tuple[Folder, ...]
    left_out: tuple[tuple[Folder, str], ...]


def choose(folders: Iterable[Folder], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Choice:
    r"""Choose by patterns (``*``, ``?``), or special use such as ``\Trash``; without patterns, every personal folder.

    Folders of other users and shared ones are chosen only when a pattern without ``*`` at its beginning names them.

    :raises UsageError: when a pattern matches no folder, or all together leave none: that must not look like an empty
        mailbox.
    """
    chosen, left_out = [], []
    unused = dict.fromkeys((*include, *exclude))
    for folder in folders:
        hits = [pattern for pattern in include if matches(folder, pattern)]
        drops = [pattern for pattern in exclude if matches(folder, pattern)]
        for pattern in (*hits, *drops):
            unused.pop(pattern, None)
        named = any(not pattern.startswith(("*", "?")) for pattern in hits)
        if not folder.selectable:
            continue
        if drops:
            left_out.append((folder, "excluded"))
        elif include and not hits:
            left_out.append((folder, "not chosen"))
        elif folder.namespace is not NamespaceKind.PERSONAL and not named:
            left_out.append((folder, f"{folder.namespace.value}: name it with --folder to include it"))
        else:
            chosen.append(folder)
    if unused:
        pattern = next(iter(unused))
        raise UsageError(
            f"no folder matches {visible(pattern)}",
            "Folder names are case-sensitive; see them with: mailmove account test",
        )
    if exclude and not chosen:
        raise UsageError("the patterns leave no folder", "See the folders with: mailmove account test")
    return Choice(tuple(chosen), tuple(left_out))


def kept_once(choice: Choice) -> Choice:
    """Of Gmail's folders, which are labels of one message, only those that together hold each message once.

    All Mail has all but spam and trash. Without it among the chosen, nothing is left out.
    """
    if not any(folder.special_use == "\\all" for folder in choice.chosen):
        return choice
    once = tuple(folder for folder in choice.chosen if folder.special_use in ("\\all", "\\junk", "\\trash"))
    why = "the archive's disk has no hard links, so each message is kept once, in All Mail, with its labels recorded"
    others = tuple((folder, why) for folder in choice.chosen if folder not in once)
    return Choice(once, choice.left_out + others)


GMAIL = {
    "\\all": "All Mail",
    "\\trash": "Trash",
    "\\junk": "Spam",
    "\\sent": "Sent Mail",
    "\\drafts": "Drafts",
    "\\flagged": "Starred",
}
"""Gmail's own folders by their special use, in any language; each has a switch that hides it from mail programs."""


def hidden(folders: Iterable[Folder]) -> str | None:
    """What is to be said where Gmail hides folders of its own from IMAP: LIST leaves them out."""
    shown = {folder.special_use for folder in folders}
    missing = [name for use, name in GMAIL.items() if use not in shown]
    if not missing:
        return None
    only = "mail without a label" if "All Mail" in missing else "mail that is nowhere else"
    return (
        f"Gmail hides {', '.join(missing)} from IMAP, and with that {only}; "
        "to show it: Gmail on the web, Settings, Labels, Show in IMAP"
    )


def matches(folder: Folder, pattern: str) -> bool:
    r"""Whether a pattern means this folder: its name, its wire name, or its special use (``\Trash``)."""
    if pattern.startswith("\\"):
        return folder.special_use == pattern.lower()
    if pattern.upper() == "INBOX":
        return folder.wire == b"INBOX"
    return like(folder.name, pattern) or folder.wire == pattern.encode("utf-8", "surrogateescape")
