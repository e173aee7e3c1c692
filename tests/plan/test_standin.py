"""Stand-ins of every maker that people have quoted are doubted; honest messages under wrong sizes are not."""

from __future__ import annotations

import base64
import random
from email.header import Header
from typing import NamedTuple

import pytest

from mailmove.plan.standin import HEAD, doubt

TRACES = "Received: from mx.example.net by mail.example.com; Mon, 4 Mar 2024 10:11:12 +0100\r\n"
NAMED = "Message-ID: <20240304.1@example.net>\r\nDate: Mon, 4 Mar 2024 10:11:12 +0100\r\nMIME-Version: 1.0\r\n"
KEPT = f"{TRACES}From: Ada <ada@example.net>\r\nTo: bob@example.com\r\nSubject: The plans\r\n{NAMED}"
"""The header of a message whose body alone was replaced."""


class StandIn(NamedTuple):
    maker: str
    announced: int
    text: bytes


def letter(sender: str, subject: str, text: str, more: str = "") -> bytes:
    """A letter that a server writes itself, without a trace of delivery."""
    return (
        f"MIME-Version: 1.0\r\nFrom: {sender}\r\nTo: bob@example.com\r\nSubject: {subject}\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n{more}\r\n{text}\r\n"
    ).encode()


def kept(text: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    """A notice under the header of the message that it replaced."""
    return f"{KEPT}Content-Type: {kind}\r\n\r\n{text}\r\n".encode()


def in_base64(text: str) -> bytes:
    return (
        f"{KEPT}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.encodebytes(text.encode()).decode()}"
    ).encode()


NOT_DELETED = (
    'The server couldn\'t retrieve the following message:\r\n\r\nSubject: "Canceled: Planning"\r\nFrom: "Ada"\r\n'
    "Sent date: 3/4/2024 10:11:12 AM\r\n\r\nThe message hasn't been deleted. You might be able to view it using either "
    "Outlook or Outlook Web App. You can also contact the sender to find out what the message says."
)
EXCHANGE = [
    letter("<microsoft>", "Retrieval using the IMAP4 protocol failed for the following message: 2", NOT_DELETED),
    letter(
        "Microsoft Exchange Server 2010",
        "Retrieval using the IMAP4 protocol failed for the following\r\n message: 20004",
        NOT_DELETED.replace("couldn't", "couldn=92t"),
        "Content-Transfer-Encoding: quoted-printable\r\n",
    ),
    letter(
        "Microsoft Exchange Server",
        "Retrieval using the POP3 protocol failed for the following message: 9",
        NOT_DELETED,
    ),
    letter(
        "microsoft@unknown", "Retrieval using the IMAP4 protocol failed for the following message: 752", NOT_DELETED
    ),
    letter('"Microsoft Exchange" <exchange@example.com>', "Message 17", NOT_DELETED.replace("'", "\u2019")),
    letter(
        "Microsoft Exchange Server 2007",
        "Fehler beim Abrufen der folgenden Nachricht mit dem IMAP4-Protokoll: 7",
        "Der Server konnte die folgende Nachricht nicht abrufen:",
    ),
    letter(
        "Microsoft Exchange Server 2010",
        "L'extraction avec le protocole IMAP4 a échoué pour le message suivant : 12",
        "Le serveur n'a pas pu extraire le message suivant :",
    ),
    letter(
        "Microsoft Exchange Server 2010",
        Header("Échec de récupération (protocole IMAP4) du message : 5", "utf-8").encode(),
        "Le serveur n\u2019a pas pu récupérer le message suivant :",
    ),
    letter(
        "Microsoft Exchange Server 2013",
        "Error de recuperación con el protocolo IMAP4 para el mensaje siguiente: 8",
        "El servidor no pudo recuperar el mensaje siguiente:",
    ),
    letter(
        "Microsoft Exchange Server 2013",
        "Recupero tramite protocollo IMAP4 non riuscito per il messaggio: 8",
        "Impossibile recuperare il seguente messaggio:",
    ),
    letter(
        "Microsoft Exchange Server 2016",
        "Het ophalen met het IMAP4-protocol is mislukt voor bericht: 8",
        "De server kan het volgende bericht niet ophalen:",
    ),
    letter(
        "Microsoft Exchange Server 2016",
        Header("使用 IMAP4 协议检索以下邮件失败: 3", "utf-8").encode(),
        "服务器无法检索以下邮件:",
    ),
    letter(
        "Microsoft Exchange Server 2016",
        Header("次のメッセージを IMAP4 プロトコルで取得できませんでした", "utf-8").encode(),
        "サーバーは次のメッセージを取得できませんでした。",
    ),
    letter(
        "Microsoft Exchange Server 2019",
        Header("Не удалось получить сообщение по протоколу IMAP4: 3", "utf-8").encode(),
        "Серверу не удалось получить следующее сообщение:",
    ),
    letter(
        "Microsoft Exchange Server 2019",
        "Hakeminen IMAP4-protokollalla epäonnistui",
        "Palvelin ei voinut noutaa viestiä.",
    ),
]
GATEWAYS = [
    letter("DavMail <davmail@localhost>", "Error", "Unable to retrieve message: 404 Not Found"),
    letter("postmaster", "Message", "The message body could not be retrieved from the server."),
    letter("Lotus Domino", "Conversion error", "This Notes document cannot be rendered as MIME."),
    letter("GroupWise@example.com", "Error", "The item could not be converted. GroupWise error 8209."),
    letter(
        "Zimbra <zimbra@example.com>",
        "(no subject)",
        "The blob of this message is missing. Unable to load message content.",
    ),
    letter("admin@example.com", "Message damaged", "Failed to fetch the message from the store."),
    kept("The message could not be converted to MIME and has not been delivered."),
    kept("ERROR: message content is not available. Please contact your administrator."),
    b"From: ada@example.net\r\nSubject: x\r\n\r\nError processing message\r\n",
    b"\r\n",
]
SCANNERS = [
    kept("This message was replaced. It contained the virus W32/Netsky.P@mm, which was removed by the server."),
    kept("ALERT! A virus was found in this message. The attachment plans.zip has been deleted."),
    kept("Diese Nachricht enthielt einen Virus. Der Anhang wurde entfernt."),
    kept("Le message contenait un virus : la pièce jointe a été supprimée."),
    in_base64("Warning: this e-mail has been replaced by the mail security gateway. Threat detected: Trojan.Generic"),
    in_base64("ウイルスを検出しました。添付ファイルを削除しました。"),
    kept(
        "--b\r\n\r\nHi\r\n--b\r\nContent-Type: text/plain; name=ALERT.TXT\r\n\r\nx\r\n--b--",
        "multipart/mixed; boundary=b",
    ),
    kept(
        "--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b\r\nContent-Disposition: attachment;\r\n"
        ' filename="bank-Attachment-Warning.txt"\r\n\r\nMailScanner.\r\n--b--',
        "multipart/mixed; boundary=b",
    ),
    kept(
        '--b\r\n\r\nHi\r\n--b\r\nContent-Type: text/plain; name="Malware Alert Text.txt"\r\n\r\nx',
        "multipart/mixed; boundary=b",
    ),
]
BLUNT = [
    letter("postmaster@example.org", "missing blob", "No such blob: mailbox=3, item=4711, change=9"),
    letter("postmaster@example.org", "Server Error", "The server has encountered a problem with this note."),
    b"\r\n",
    b"",
]
ANY_LANGUAGE = [
    letter("<microsoft>", "Η ανάκτηση με χρήση του πρωτοκόλλου IMAP4 απέτυχε: 2", "Ο διακομιστής"),
    letter("<microsoft>", "IMAP4 프로토콜을 사용하여 다음 메시지를 검색하지 못했습니다: 2", "서버에서"),
]
STAND_INS = [
    *(StandIn("blunt", announced, text) for text in BLUNT for announced in (8_000, 48_211)),
    *(StandIn("exchange", announced, text) for text in EXCHANGE for announced in (900, 12_000, 48_211, 3_000_000)),
    *(StandIn("gateway", announced, text) for text in GATEWAYS for announced in (48_211, 700_000, 3_000_000)),
    *(StandIn("scanner", announced, text) for text in SCANNERS for announced in (9_000, 48_211, 3_000_000)),
    *(
        StandIn("anybody", announced, kept("\u043f\u0440\u0438\u0432\u0435\u0442"))
        for announced in (48_211, 200_000, 9_000_000)
    ),
]


@pytest.mark.parametrize("number", range(len(STAND_INS)))
def test_a_stand_in_is_doubted(number: int) -> None:
    _, announced, text = STAND_INS[number]
    assert doubt(announced, len(text), text[:HEAD])


@pytest.mark.parametrize("text", EXCHANGE + ANY_LANGUAGE)
def test_a_known_letter_is_doubted_even_where_its_own_size_was_announced(text: bytes) -> None:
    assert doubt(len(text), len(text), text) and doubt(None, len(text), text)


PEOPLE = [
    "ok, thanks!",
    "I could not open the attachment that you sent, please send it again.",
    "Sorry, I was unable to call you back, my phone failed.",
    "The build failed with an error; the server couldn't start after the update.",
    "Your order could not be processed. Your document has been removed from the queue.",
    "The virus scanner on my laptop found nothing.",
    "Ich konnte die Datei nicht öffnen.",
    "Je n'ai pas pu venir, c'était impossible.",
    "Non è possibile, mi dispiace.",
]


def written(rnd: random.Random, number: int, size: int) -> bytes:
    """An honest message of about this size: short or long, sent or received, with or without attachments."""
    head = "".join(TRACES for _ in range(rnd.choice((0, 1, 1, 2, 4))))
    head += f"From: Ada <ada@example.net>\r\nTo: {', '.join(['bob@example.com'] * rnd.choice((1, 1, 2, 30)))}\r\n"
    head += f"Subject: {rnd.choice(('hello', 'Failure of the pump', 'Fwd: error', '=?utf-8?q?Gr=C3=BC=C3=9Fe?='))}\r\n"
    head += f"Message-ID: <{number}.{rnd.getrandbits(60):x}@example.net>\r\nDate: Mon, 4 Mar 2024 10:11:12 +0100\r\n"
    text = rnd.choice(PEOPLE) + "\r\n" + "".join(f"{' '.join(rnd.choices(WORDS, k=12))}\r\n" for _ in range(size // 80))
    if size < 30_000:
        return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
    file = base64.encodebytes(rnd.randbytes(size * 3 // 4)).replace(b"\n", b"\r\n").decode()
    return (
        f"{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{text[:2000]}\r\n--b\r\n"
        f'Content-Type: application/pdf; name="plan.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n{file}\r\n--b--'
    ).encode()


WORDS = ("the", "of", "and", "server", "not", "error", "file", "could", "be", "account", "invoice", "meeting", "für")


def announcements(rnd: random.Random, text: bytes) -> dict[str, int | None]:
    """What servers announce for a message."""
    head, _, body = text.partition(b"\r\n\r\n")
    attached = body.count(b"\r\n") * 78 if b"base64" in body else 0
    stored = 2 * len(head) + 2 * max(0, len(body) - attached) + attached * 3 // 4 + 800 * head.count(b"@")
    return {
        "exact": len(text),
        "LF (Courier)": len(text) - text.count(b"\n"),
        "without added fields (hMailServer)": len(text) - rnd.randint(20, 400),
        "stored (Exchange)": stored + rnd.randint(3_000, 11_000),
        "roughly": int(len(text) * rnd.uniform(0.93, 1.07)),
        "none": None,
    }


def test_of_ten_thousand_honest_messages_under_wrong_sizes_at_most_one_is_doubted() -> None:
    rnd = random.Random(14)
    doubted: list[tuple[str, int | None, int, str]] = []
    count = 0
    while count < 10_000:
        text = written(rnd, count, int(min(60_000, rnd.lognormvariate(0, 1.7) * 4000)))
        for server, announced in announcements(rnd, text).items():
            count += 1
            if why := doubt(announced, len(text), text[:HEAD]):
                doubted.append((server, announced, len(text), why))
    assert len(doubted) <= count / 10_000, doubted[:5]


CALENDAR = f"{KEPT}Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nSUMMARY:Planning\r\nEND:VCALENDAR\r\n".encode()
OUTLOOK = f"{KEPT}Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\nbinary\r\n".encode()
PLAIN = (
    KEPT.encode() + b"Content-Type: text/plain\r\n\r\n" + b"All that the letter said, without its pictures.\r\n" * 60
)
BOUNCE = kept("The message could not be delivered: virus found and removed.", "multipart/report; boundary=b")
MANY = KEPT.replace("bob@example.com", ", ".join(f"u{n}@example.com" for n in range(300))).encode() + b"\r\nok\r\n"
FORWARDED = kept(f"See below, what is it?\r\n\r\n{NOT_DELETED}")


@pytest.mark.parametrize(
    ("text", "announced"),
    [
        (CALENDAR, 48_000),
        (CALENDAR, 600_000),
        (OUTLOOK, 90_000),
        (PLAIN, 118_000),
        (BOUNCE, 12_000),
        (MANY, 250_000),
        (FORWARDED, len(FORWARDED)),
        (FORWARDED, len(FORWARDED) + 9_000),
        (letter("ada@example.net", "draft", "I could not come"), 700),
    ],
)
def test_what_servers_convert_and_estimate_with_much_beside_it_is_not_doubted(text: bytes, announced: int) -> None:
    assert not doubt(announced, len(text), text[:HEAD])


def test_what_a_hostile_message_says_costs_no_more_than_a_moment_and_fails_nothing() -> None:
    for charset in (b"hex", b"idna", b"undefined", b"no-such", b"utf-7", b"punycode"):
        for body in (b"content-transfer-encoding: base64\n" * 1800, b"<" * HEAD, b"=" * HEAD, b"virus " * 10_000):
            text = b"Subject: =?%b?b?////?= =?%b?q?=FF_?=\nContent-Type: text/plain; charset=%b\n\n%b" % (
                charset,
                charset,
                charset,
                body,
            )
            doubt(9_000_000, len(text), text[:HEAD])
            doubt(len(text) + 9_000, len(text), text[:HEAD])
