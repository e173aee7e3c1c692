"""What the owner wants to leave the server, and when: per account, per folder, and on the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from mailmove.errors import UsageError
from mailmove.model import Folder
from mailmove.safe import visible
from mailmove.units import Age, parse_age, parse_size

NEVER = "never"


class Keep(Enum):
    """Messages that stay whatever their age."""

    FLAGGED = "flagged"
    DRAFTS = "drafts"
    UNREAD = "unread"


KEEP_BY_DEFAULT = frozenset({Keep.FLAGGED, Keep.DRAFTS})


class AgeBy(Enum):
    """Which date is a message's age."""

    ARRIVAL = "arrival"
    """INTERNALDATE: when the server received it."""
    SENT = "sent"
    """The Date header, which the sender wrote."""


@dataclass(frozen=True, slots=True)
class MaxDelete:
    """How much of a folder may go without somebody watching: percent of its messages, or a number of them."""

    percent: float | None = 50.0
    number: int | None = None

    def exceeded(self, deleted: int, messages: int) -> bool:
        """Whether a plan to delete so many of a folder's messages is above it."""
        if self.number is not None:
            return deleted > self.number
        return self.percent is not None and deleted * 100 > messages * self.percent

    def __str__(self) -> str:
        return f"{self.percent:g} %" if self.number is None else f"{self.number:,}"


@dataclass(frozen=True, slots=True)
class Target:
    """How full the mailbox may be in the end: percent of its limit, or octets."""

    text: str
    percent: float | None = None
    octets: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    r"""What an account's owner laid down; every part of it may be overridden for one run.

    ``folders`` are rules by folder name, pattern or special use (``Trash``, ``\Trash``), their age None for never;
    ``age`` is for all other folders, None where they are to be left alone. ``archived_for`` asks in addition that the
    archive has held a message for so long. ``inherited`` are those of ``folders`` that were not written for this
    account, so that each need not mean a folder of it.
    """

    age: Age | None = None
    folders: Mapping[str, Age | None] = field(default_factory=dict, hash=False)
    inherited: frozenset[str] = frozenset()
    age_by: AgeBy = AgeBy.ARRIVAL
    archived_for: Age | None = None
    keep: frozenset[Keep] = KEEP_BY_DEFAULT
    keep_newest: int = 0
    max_delete: MaxDelete = MaxDelete()
    copies: tuple[str, ...] = ()
    """The copies, by name, that must hold what goes, besides the archive."""

    @property
    def acts(self) -> bool:
        """Whether it says of any folder when its messages may go."""
        return any((self.age, self.archived_for, *self.folders.values()))


@dataclass(frozen=True, slots=True)
class Asked:
    """What one run was asked for besides the policy: an age, a target, and folders by name."""

    age: Age | None = None
    archived_for: Age | None = None
    target: Target | None = None
    """Only as much as is needed to get down to it; ages then say what may be touched at all."""
    folders: tuple[str, ...] = ()


def before(age: Age, now: datetime) -> int:
    """The Unix second before which a message is old enough; rounded so that none goes early."""
    return math.floor(age.cutoff(now).timestamp())


def guess_uses(folders: Iterable[Folder]) -> dict[bytes, str]:
    """Special uses by name, for what no folder is marked as: good enough to keep mail, never to delete any."""
    folders = tuple(folders)
    marked = {folder.special_use for folder in folders}
    guessed = {}
    for folder in folders:
        name = folder.name
        if folder.delimiter:
            name = name.rpartition(folder.delimiter.decode("ascii", "replace"))[2]
        use = _KNOWN_NAMES.get(name.casefold())
        if use is not None and use not in marked and folder.special_use is None:
            guessed[folder.wire] = use
    return guessed


def parse_keep(words: Iterable[str]) -> frozenset[Keep]:
    """Read ``flagged,drafts`` or ``none``, as one text or several.

    :raises UsageError: for anything else.
    """
    wanted = [word.strip().lower() for text in words for word in text.split(",") if word.strip()]
    if wanted == ["none"]:
        return frozenset()
    known = {keep.value: keep for keep in Keep}
    for word in wanted:
        if word not in known:
            raise UsageError(f"{visible(word)!r} is nothing that can be kept", f"Allowed: {', '.join(known)}; or none.")
    if not wanted:
        raise UsageError("nothing is named to be kept", "Write none to keep nothing but what is newer.")
    return frozenset(known[word] for word in wanted)


def parse_copies(words: Iterable[str]) -> tuple[str, ...]:
    """Read ``nas,stick`` or ``none``, as one text or several.

    :raises UsageError: when nothing is named.
    """
    wanted = tuple(dict.fromkeys(word.strip() for text in words for word in text.split(",") if word.strip()))
    if not wanted:
        raise UsageError("no copy is named", "Write none to need no copy.")
    return () if wanted == ("none",) else wanted


def parse_age_by(text: str) -> AgeBy:
    """Read ``arrival`` or ``sent``.

    :raises UsageError: for anything else.
    """
    try:
        return AgeBy(text.strip().lower())
    except ValueError:
        allowed = ", ".join(by.value for by in AgeBy)
        raise UsageError(f"{visible(text)!r} is no way to tell a message's age", f"Allowed: {allowed}.") from None


def parse_rule(text: str) -> Age | None:
    """Read an age or ``never``.

    :raises UsageError: for anything else.
    """
    return None if text.strip().lower() == NEVER else parse_age(text)


def parse_max_delete(text: str) -> MaxDelete:
    """Read ``50%`` or a number of messages.

    :raises UsageError: for anything else.
    """
    if found := re.fullmatch(r"\s*(\d{1,3}(?:\.\d+)?)\s*%\s*", text):
        percent = float(found[1])
        if percent <= 100:
            return MaxDelete(percent)
    elif found := re.fullmatch(r"\s*(\d{1,9})\s*", text):
        return MaxDelete(None, int(found[1]))
    raise UsageError(f"{visible(text)!r} is no limit", "Write a share such as 50%, or a number of messages.")


def parse_target(text: str) -> Target:
    """Read ``80%`` or a size such as ``1.5GB``.

    :raises UsageError: for anything else.
    """
    if found := re.fullmatch(r"\s*(\d{1,3}(?:\.\d+)?)\s*%\s*", text):
        percent = float(found[1])
        if percent >= 100:
            raise UsageError(f"{visible(text)!r} is no target", "Write less than 100%, or a size such as 1.5GB.")
        return Target(text.strip(), percent)
    if text.strip().isdigit():
        raise UsageError(f"{visible(text)!r} has no unit", f"Did you mean {text.strip()}% or {text.strip()}GB?")
    return Target(text.strip(), octets=parse_size(text))


_KNOWN_NAMES = {
    name: use
    for use, names in {
        "\\drafts": (
            "drafts", "draft", "bozze", "entwürfe", "entwurf", "brouillons", "borradores", "rascunhos", "concepten",
            "utkast", "kladder", "luonnokset", "szkice", "wersje robocze", "koncepty", "rozepsané", "piszkozatok",
            "ciorne", "taslaklar", "черновики", "чернетки", "πρόχειρα", "下書き", "草稿", "草稿箱", "임시보관함",
        ),
        "\\sent": (
            "sent", "sent items", "sent messages", "sent mail", "inviati", "posta inviata", "inviata", "gesendet",
            "gesendete", "gesendete elemente", "gesendete objekte", "postausgang", "envoyés", "messages envoyés",
            "éléments envoyés", "enviados", "elementos enviados", "itens enviados", "verzonden", "verzonden items",
            "skickat", "skickade", "sendte", "sendt", "sendt post", "lähetetyt", "wysłane", "odeslané",
            "odeslaná pošta", "elküldött", "elküldött elemek", "trimise", "gönderilmiş öğeler", "отправленные",
            "надіслані", "απεσταλμένα", "送信済み", "送信済みアイテム", "已发送", "已傳送郵件", "보낸편지함",
        ),
        "\\trash": (
            "trash", "deleted", "deleted items", "deleted messages", "bin", "cestino", "posta eliminata", "eliminati",
            "papierkorb", "gelöscht", "gelöschte elemente", "gelöschte objekte", "corbeille", "éléments supprimés",
            "papelera", "elementos eliminados", "lixo", "lixeira", "itens excluídos", "prullenbak",
            "verwijderde items", "papperskorgen", "papirkurv", "slettede elementer", "roskakori", "poistetut", "kosz",
            "koš", "odstraněná pošta", "kuka", "törölt elemek", "gunoi", "coș de gunoi", "çöp kutusu", "корзина",
            "удаленные", "кошик", "κάδος", "ゴミ箱", "已删除", "垃圾桶", "휴지통",
        ),
        "\\junk": (
            "junk", "spam", "bulk mail", "junk e-mail", "junk email", "posta indesiderata", "indesiderata",
            "spamverdacht", "unerwünscht", "junk-e-mail", "courrier indésirable", "indésirables", "pourriel",
            "correo no deseado", "no deseado", "lixo eletrônico", "lixo eletrónico", "ongewenste e-mail", "skräppost",
            "søppelpost", "uønsket mail", "roskaposti", "nevyžádaná pošta", "levélszemét", "spam-ul", "спам",
            "нежелательная почта", "迷惑メール", "垃圾邮件", "스팸메일함",
        ),
    }.items()
    for name in names
}  # fmt: skip
