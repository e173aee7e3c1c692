"""From where HTML would have a mail program fetch something: so that readers can be told what was not loaded."""

from __future__ import annotations

import re
from collections import Counter

from mailmove.mail import charsets
from mailmove.mail.message import Message

_MOST = 4 << 20  # characters of HTML that are looked through
_FETCHED = re.compile(
    r"(?:\b(?:src|srcset|background|poster|data|lowsrc|dynsrc)\s{0,9}=\s{0,9}[\"']?|\burl\(\s{0,9}[\"']?"
    r"|@import\s{1,9}[\"']|<(?:link|image|use)\b[^>]{0,500}?\bhref\s{0,9}=\s{0,9}[\"']?)"
    r"\s{0,9}(?:https?:)?//([^/\\\"'\s<>?#)]{1,255})",
    re.IGNORECASE,
)


def hosts(message: Message) -> Counter[str]:
    """How often a message would fetch something, by host."""
    found: Counter[str] = Counter()
    for part in message.root.leaves():
        if part.kind == "text/html" and not part.is_attachment:
            source = charsets.decode(part.content, charsets.in_html(part.content, part.label))
            found.update(host.lower() for host in _FETCHED.findall(source[:_MOST]))
    return found
