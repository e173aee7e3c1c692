"""What servers, gateways and virus scanners write where a message should be; to be searched in folded case.

Sources: what people quoted in public reports of Exchange 2007 to 2019 and Microsoft 365, MailScanner, Trend Micro,
Symantec, GFI, Sophos and Exchange Online Protection.
"""

from __future__ import annotations

import re

_FAIL = r"(?:could not|couldn.?t|cannot|can not|can.?t|was unable to|is unable to|failed to)"
_MAIL = r"(?:message|mail|e-mail)"
_GET = r"(?:retriev|convert|fetch|download|render|pars|load|access|decod|decrypt)"
_GONE = r"(?:replaced|removed|quarantined|deleted|stripped|blocked|cleaned)"
_VIRUS = r"(?:virus|malware|trojan|worm|infected|infection|threat|dangerous content)"


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases))


LETTER = _any(
    # Exchange; in every language its subject names the protocol
    r"(?:retrieval|abruf|abrufen|récupération|extraction|recuperación|recupero|ophalen|recuperação)\b.{0,60}\b(?:imap|pop3)",
    r"\b(?:imap4|pop3)\b.{0,60}\b(?:failed|fehlgeschlagen|échoué|non riuscit|mislukt|falh|misslyck|mislykke|не удал)",
    r"\b(?:imap4|pop3).{0,12}\bproto\w*|\bproto\w*.{0,12}\b(?:imap4|pop3)\b",
    rf"server {_FAIL} {_GET}\w* (?:the following|this|the) {_MAIL}",
    r"message hasn.?t been deleted\. you might be able to view it",
    r"server konnte die folgende nachricht nicht",
    r"serveur n.a pas pu (?:récupérer|extraire) le message",
    r"(?:no se pudo|no ha podido|no pudo) recuperar el (?:siguiente )?mensaje",
    r"(?:impossibile|non è stato possibile) recuperare il (?:seguente )?messaggio",
    r"server (?:kan|kon) het volgende bericht niet",
    r"não (?:foi possível|pôde|conseguiu) recuperar a (?:seguinte )?mensagem",
    r"не удалось (?:извлечь|получить|загрузить) (?:следующее )?сообщение",
    r"nie można pobrać następującej wiadomości",
    r"(?:メッセージ|電子メール)を取得できませんでした",
    r"[无無]法[检檢]索|[检檢]索.{0,12}(?:邮件|郵件|邮件).{0,4}失[败敗]",
)
"""A letter of Exchange in a message's place."""

PROTOCOL = _any(r"imap4|pop3")
"""What a letter of Exchange names in any language."""

EXCUSE = _any(
    rf"(?:unable|failed|failure|error|impossible)(?: \w+){{0,3}} {_GET}\w* (?:the |this |of |your |mime )*{_MAIL}\b",
    rf"{_MAIL}(?: body| content| text)? {_FAIL} be {_GET}\w*",
    rf"{_MAIL}(?: body| content| text)? (?:is|was) (?:corrupt|damaged|not available|unavailable|missing)",
    rf"(?:{_MAIL}|attachment|content)s?(?: \w+)? (?:has been|have been|was|were)(?: \w+)? {_GONE}",
    r"(?:nachricht|anlage|anhang)\b.{0,40}\b(?:ersetzt|entfernt|gelöscht|blockiert)",
    r"(?:message|pièce jointe|fichier)\b.{0,40}\b(?:remplacé|supprimé|bloqué)",
    r"(?:mensaje|adjunto|mensagem|anexo)\b.{0,40}\b(?:reemplazad|sustituid|eliminad|removid|substituíd)",
    r"(?:messaggio|allegato)\b.{0,40}\b(?:sostituit|rimoss|eliminat)",
    r"(?:bericht|bijlage)\b.{0,40}\b(?:vervangen|verwijderd)",
)
"""What a gateway or another server says of a message; people say it, too."""

NOTICE = _any(
    rf"\b{_VIRUS}\b.{{0,200}}\b{_GONE}\b",
    rf"\b{_GONE}\b.{{0,200}}\b{_VIRUS}\b",
    rf"\b{_VIRUS} (?:was |were |has been |have been |is )?(?:found|detected|discovered)",
    r"\b(?:virus|malware|trojaner)\b.{0,60}\b(?:gefunden|entdeckt|entfernt|gelöscht|infiziert)",
    r"\b(?:virus|malware)\b.{0,60}\b(?:détecté|trouvé|supprimé|detectad|encontrad|eliminad|rilevat|trovat|gevonden)",
    r"вирус.{0,60}(?:обнаружен|удал)|ウイルス.{0,20}(?:検出|削除)|(?:发现|發現|检测到|偵測到).{0,12}病毒",
)
"""A scanner's note where it took something out."""

REPLACED = re.compile(
    rb"name\*?=[^\n]{0,80}?(?:alert|warning\d*|malware alert text|deleted\d*|removed\d*)(?:\.|%2e)(?:txt|html?)",
    re.IGNORECASE,
)
"""The file that a scanner puts where an attachment was."""

TALK = _any(
    r"\b(?:could|can|was|were|did|has|have) ?(?:not\b|n.t\b)|\bcannot\b|\bunable\b|\bfail(?:ed|ure|s)?\b|\berrors?\b",
    r"\b(?:unavailable|corrupt|corrupted|placeholder|replaced|removed|blocked|stripped|virus|malware)\b|\bquarantin",
    r"\bno such\b|\bnot found\b|\bmissing\b|\bproblem with\b",
    r"\bnicht\b|\bfehler|\bentfernt\b|\bersetzt\b",
    r"n.a pas\b|\bimpossible\b|\béchec",
    r"\bno se\b|\bno ha\b|\bimpossibile\b|\bnon è\b|\bnão\b",
    r"\bniet\b|\bmislukt|\binte\b|\bikke\b",
    r"\bне (?:удалось|может)|\bошибк|\bnie (?:można|udało)",
    r"できま|失[敗败]|[无無]法",
)
"""Something went wrong, or is not there: honest letters say so, too."""
