"""Sample mail: a few hundred messages of one person over six years, the same every day but for their dates."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

OWNER = Address("Anna Rossi", "anna", "mail.example")

_PEOPLE = (
    Address("Jürgen Weiß", "juergen.weiss", "baustoffe.example"),
    Address("Zoë Müller-Łukasz", "zoe", "studio.example"),
    Address("Søren Kjær", "soren", "fjord.example"),
    Address("Иван Петров", "ivan", "pochta.example"),
    Address("山田花子", "hanako", "kyoto.example"),
    Address("Marco Bianchi", "marco", "studio.example"),
)
_SUBJECTS = (
    "Re: the roof",
    "Pranzo domenica?",
    "Angebot für die Fenster",
    "Fotos vom Wochenende",
    "Смета на ремонт",
    "会議の議事録",
    "Trip to Kraków",
    "Minutes of the meeting",
)
_LISTS = (
    ("Garden weekly", "garden.lists.example", "What to sow now"),
    ("Comune di Orta", "avvisi.orta.example", "Avviso alla cittadinanza"),
)
_WORDS = (
    *("garden", "window", "roof", "letter", "morning", "train", "lake", "winter", "budget", "kitchen", "coffee"),
    *("the", "a", "of", "and", "to", "in", "because", "perhaps", "before", "after", "under", "between"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A message as it lies on the server."""

    folder: str
    flags: tuple[str, ...]
    arrival: datetime
    octets: bytes


def samples(now: datetime) -> Iterator[Sample]:
    """All of it, for an aware ``now``: oldest first in each folder, from six years ago until yesterday."""
    chance = random.Random("sample mail")
    for number, age in enumerate(_ages(chance, 170)):
        yield _letter(chance, now, "INBOX", number, age)
    for number, age in enumerate(_ages(chance, 60)):
        yield _newsletter(chance, now, "Newsletter", number, age)
    for number, age in enumerate(_ages(chance, 40)):
        yield _invoice(chance, now, "Fatture & ricevute", number, age)
    for number, age in enumerate(_ages(chance, 25)):
        yield _letter(chance, now, "Projekte/Küche", number, age, attached=True)
    for number, age in enumerate(_ages(chance, 60)):
        yield _letter(chance, now, "Sent", number, age, sent=True)
    for number, age in enumerate(_ages(chance, 45)):
        yield _newsletter(chance, now, "Trash", number, age)
    for number, age in enumerate(_ages(chance, 4)):
        yield _letter(chance, now, "Drafts", number, age, sent=True)


def _ages(chance: random.Random, count: int) -> list[timedelta]:
    """Ages from six years to a day, more of them young than old."""
    days = (1 + 2190 * chance.random() ** 4 for _ in range(count))
    return sorted((timedelta(days=day) for day in days), reverse=True)


def _letter(
    chance: random.Random,
    now: datetime,
    folder: str,
    number: int,
    age: timedelta,
    *,
    sent: bool = False,
    attached: bool = False,
) -> Sample:
    other = chance.choice(_PEOPLE)
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = (OWNER, other) if sent else (other, OWNER)
    message["Subject"] = chance.choice(_SUBJECTS)
    message.set_content(_prose(chance))
    if attached or chance.random() < 0.15:
        octets = chance.randbytes(1_500_000 if number % 60 == 7 else chance.randrange(4_000, 90_000))
        message.add_attachment(octets, maintype="image", subtype="jpeg", filename=f"Küche №{number}.jpg")
    flags = ["\\Seen"] if sent or chance.random() < 0.8 else []
    if folder == "Drafts":
        flags.append("\\Draft")
    elif chance.random() < 0.06:
        flags.append("\\Flagged")
    return _sample(message, now, folder, number, age, flags)


def _newsletter(chance: random.Random, now: datetime, folder: str, number: int, age: timedelta) -> Sample:
    name, domain, subject = _LISTS[number % len(_LISTS)]
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = Address(name, "news", domain), OWNER
    message["Subject"] = f"{subject} ({number})"
    message["List-Id"] = f"{name} <{domain}>"
    message.set_content(_prose(chance) * 3)
    message.add_alternative(f"<h1>{subject}</h1><p>{_prose(chance) * 4}</p>", subtype="html")
    return _sample(message, now, folder, number, age, ["\\Seen"] if number % 3 else [])


def _invoice(chance: random.Random, now: datetime, folder: str, number: int, age: timedelta) -> Sample:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = Address("Luce e Gas S.p.A.", "fatture", "luce.example"), OWNER
    message["Subject"] = f"Fattura {100 + number}"
    message.set_content(f"In allegato la fattura {100 + number}: € {chance.randrange(30, 400)},00.\n")
    paper = b"%PDF-1.4\n" + chance.randbytes(chance.randrange(20_000, 60_000))
    message.add_attachment(paper, maintype="application", subtype="pdf", filename=f"Fattura {100 + number}.pdf")
    return _sample(message, now, folder, number, age, ["\\Seen"])


def _sample(message: EmailMessage, now: datetime, folder: str, number: int, age: timedelta, flags: list[str]) -> Sample:
    arrival = (now - age).replace(microsecond=0)
    message["Date"] = format_datetime(arrival - timedelta(seconds=90))
    message["Message-ID"] = f"<{number}.{folder.encode().hex()}@mail.example>"
    if message.is_multipart():
        message.set_boundary(f"=_sample_{number}")
    return Sample(folder, tuple(flags), arrival, message.as_bytes())


def _prose(chance: random.Random) -> str:
    lines = (" ".join(chance.choices(_WORDS, k=11)) for _ in range(chance.randrange(3, 30)))
    return "\n".join(line.capitalize() + "." for line in lines) + "\n"
