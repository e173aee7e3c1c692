"""Invitations (RFC 5546) and address cards, as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailmove.mail.calendar.lines import Line, lines

_KINDS = {"REQUEST": "Invitation", "CANCEL": "Cancelled", "REPLY": "Answer", "COUNTER": "Another time proposed"}
_ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "perhaps", "DELEGATED": "sends another"}
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:\d\d)?(Z?))?")
_SILENT = frozenset(("BEGIN", "END", "VERSION", "PRODID", "REV", "UID", "PHOTO", "LOGO", "SOUND", "KEY"))


def invitation(source: str) -> str:
    """The events and tasks of a calendar: what, when, where and with whom."""
    told: list[str] = []
    method = ""
    event: list[Line] | None = None
    for line in lines(source):
        kind = line.value.strip().upper()
        if line.name == "METHOD":
            method = kind
        elif line.name == "BEGIN" and kind in ("VEVENT", "VTODO"):
            event = []
        elif line.name == "END" and kind in ("VEVENT", "VTODO"):
            told.append("\n".join(_event(event or [], method)))
            event = None
        elif event is not None:
            event.append(line)
    return "\n\n".join(told)


def card(source: str) -> str:
    """What an address card says."""
    said = (line.text.replace(";", " ").strip() for line in lines(source) if line.name not in _SILENT)
    return "\n".join(each for each in said if each)


def _event(event: list[Line], method: str) -> Iterator[str]:
    first = {line.name: line for line in reversed(event)}
    summary = first["SUMMARY"].text if "SUMMARY" in first else "(no title)"
    yield f"{_KINDS.get(method, 'Event')}: {summary}"
    if when := _when(first):
        yield f"  When:  {when}"
    if "LOCATION" in first and first["LOCATION"].text:
        yield f"  Where: {' '.join(first['LOCATION'].text.split())}"
    if "ORGANIZER" in first:
        yield f"  From:  {_person(first['ORGANIZER'])}"
    for line in event:
        if line.name == "ATTENDEE":
            answer = _ANSWERS.get(line.parameters.get("PARTSTAT", "").upper())
            yield f"  With:  {_person(line)}{f' ({answer})' if answer else ''}"
    if "RRULE" in first:
        yield f"  Again: {first['RRULE'].value.strip()}"
    if "DESCRIPTION" in first and (description := first["DESCRIPTION"].text):
        yield f"\n{description}"


def _when(first: dict[str, Line]) -> str:
    begin, end = first.get("DTSTART"), first.get("DTEND") or first.get("DUE")
    said = [_moment(each.value) for each in (begin, end) if each]
    if len(said) == 2 and said[0][:10] == said[1][:10] and len(said[1]) > 10:
        said[1] = said[1][11:]
    told = " – ".join(dict.fromkeys(filter(None, said)))
    zone = begin.parameters.get("TZID", "") if begin else ""
    return f"{told} ({zone})" if told and zone else told


def _moment(value: str) -> str:
    found = _MOMENT.fullmatch(value.strip())
    if found is None:
        return value.strip()
    day = f"{found[1]}-{found[2]}-{found[3]}"
    return f"{day} {found[4]}:{found[5]}{' UTC' if found[6] else ''}" if found[4] else day


def _person(line: Line) -> str:
    address = re.sub(r"^mailto:", "", line.value.strip(), flags=re.IGNORECASE)
    name = line.parameters.get("CN", "").strip()
    return f"{name} <{address}>" if name and name != address else address
