"""What is found is what a plain scan of the decoded text finds, in every script.

The scan is code of its own: it knows nothing of pairs of characters, of FTS5, or of how words are prepared for it.
"""

from __future__ import annotations

import hashlib
import random
import unicodedata
from email.message import EmailMessage
from itertools import groupby

import pytest

from mailmove.archive.search.matching import Matching
from mailmove.archive.search.query import Query, Term
from mailmove.archive.store import Archive
from tests.archive.conftest import folder, put
from tests.archive.search.conftest import caught_up

SCRIPTS = {
    "latin": "Größe naïve café Zürich Łódź fjörð œuvre ﬁnanza Straße résumé año Müller coöperate I'm rock'n'roll a_b",
    "numbers": "12:30 2024-12-31 3,14 10€ №5 ½ x² 50% +39 1234567890",
    "greek": "Καλημέρα κόσμε Ελλάδα σοφός ΟΔΟΣ ώρα τιμολόγιο",
    "cyrillic": "Привет мир счёт-фактура Йод їжак рахунок ЩИТ",
    "arabic": "العَرَبِيَّة فاتورة مرحبا بالعالم الكتاب ۱۲۳",
    "hebrew": "שָׁלוֹם עולם חשבונית ירושלים",
    "chinese": "会议资料在这里 发票 中华人民共和国 请查收附件 𠮷野家",
    "japanese": "会議の資料です パーティー 東京都 ﾊﾝｶｸ カタカナ ありがとう",
    "korean": "안녕하세요 세계 고등학교 청구서입니다 회의",
    "thai": "ภาษาไทยไม่มีช่องว่าง ใบแจ้งหนี้ กรุงเทพมหานคร",
    "devanagari": "नमस्ते दुनिया चालान हिन्दी",
    "pictures": "🎉 party🎉time 👍🏽 ☕ ❤️ 🇮🇹 🦊",
    "signs": "a@b.example.org https://example.org/path?q=1 C++ foo-bar “quoted” don’t (x) [y] e.g. -- soft\u00adhyphen",
    "wide": "ＡＢＣ１２３ 𝐁𝐨𝐥𝐝 Å Ω K",
}
NO_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
LOOSE = str.maketrans("łøđħŧıðþ", "lodhtidþ", "") | {ord("æ"): "ae", ord("œ"): "oe", ord("þ"): "th"}


def plain(text: str) -> str:
    """A text as it is compared."""
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold()
    marks = {char for char in text if unicodedata.combining(char) or unicodedata.category(char) == "Cf"}
    text = text.replace("\u200b", " ")
    text = "".join("" if char in marks or "\ufe00" <= char <= "\ufe0f" else char for char in text)
    return unicodedata.normalize("NFC", text.translate(LOOSE))


def kind(char: str) -> str:
    """Which characters stand in one word."""
    category = unicodedata.category(char)
    if category[0] in "LNM":
        return "run" if unicodedata.name(char, "").startswith(NO_SPACES) and category != "Nd" else "word"
    return "picture" if category == "So" and (ord(char) >= 0x1F000 or 0x2600 <= ord(char) < 0x27C0) else "gap"


def atoms(text: str) -> list[str]:
    """What a search cannot begin or end inside of: words; characters, where no spaces are between words."""
    found: list[str] = []
    for which, chars in groupby(plain(text), kind):
        if which == "word":
            found.append("".join(chars))
        elif which == "run":
            found += [*chars, "|"]
        elif which == "picture":
            found += chars
    return found


def stands_in(wanted: str, here: list[str]) -> bool:
    """The plain scan: words that follow each other, the last may go on; anywhere in a run without spaces."""
    sought = atoms(wanted)
    if sought and sought[-1] == "|":
        sought.pop()
    *whole, last = sought
    return any(
        here[at : at + len(whole)] == whole and here[at + len(whole)].startswith(last)
        for at in range(len(here) - len(whole))
    )


def texts(rnd: random.Random) -> list[str]:
    """Bodies that mix scripts, and some of each alone."""
    words = [word for line in SCRIPTS.values() for word in line.split()]
    mixed = ["\n".join(" ".join(rnd.choices(words, k=9)) for _ in range(3)) for _ in range(60)]
    return [*SCRIPTS.values(), *mixed]


def message(number: int, text: str, *, attached: bool) -> bytes:
    made = EmailMessage()
    made["Subject"] = f"number {number}"
    made.set_content("-" if attached else text, charset="utf-8", cte="base64")
    if attached:
        made.add_attachment(text, filename="a.txt", cte="base64")
    return made.as_bytes().replace(b"\n", b"\r\n")


@pytest.fixture
def corpus(archive: Archive) -> dict[bytes, str]:
    """An archive's text, by SHA-256: in the body, or in an attachment."""
    place = folder(archive, "INBOX")
    held = {}
    for number, text in enumerate(texts(random.Random(1)), 1):
        octets = message(number, text, attached=number % 3 == 0)
        put(archive, place, number, octets)
        held[hashlib.sha256(octets).digest()] = text
    return held


def questions(rnd: random.Random, held: list[str]) -> list[str]:
    """Words, beginnings of them, phrases, pieces of runs without spaces, and what is nowhere."""
    asked = []
    for _ in range(260):
        words = rnd.choice(held).split()
        at = rnd.randrange(len(words))
        word = words[at]
        asked += [word, word[: rnd.randint(1, len(word))], " ".join(words[at : at + rnd.randint(2, 4)])]
        if kind(word[0]) == "run":
            begin = rnd.randrange(len(word))
            asked.append(word[begin : begin + rnd.randint(1, 3)])
    asked += [plain(each) for each in asked[::7]] + [each.upper() for each in asked[::5]]
    return [*dict.fromkeys(asked), "nowhere", "会誌", "zzz"]


def test_what_is_found_is_what_a_plain_scan_finds(archive: Archive, corpus: dict[bytes, str]) -> None:
    every = [word for line in SCRIPTS.values() for word in line.split()]
    asked = [each for each in (*questions(random.Random(2), list(corpus.values())), *every) if atoms(each)]
    assert len(asked) > 600
    texts = {sha256: atoms(text) for sha256, text in corpus.items()}
    wrong = {}
    with caught_up(archive) as index:
        for wanted in asked:
            expected = {sha256 for sha256, text in texts.items() if stands_in(wanted, text)}
            query = Query((Term(wanted, ("text", "attachments")),))
            if (hits := {match.sha256 for match in Matching(index, query).newest()}) != expected:
                wrong[wanted] = (len(hits), len(expected))
            assert expected or wanted not in every
    assert not wrong
