"""A certificate of a run of prune as files: canonical JSON, a page to print, and sums for sha256sum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from mailmove.canonical import Value, canonical
from mailmove.jobs.certificate import Certificate, Line
from mailmove.mail import fields
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.safe import visible
from mailmove.units import plural, timestamp, utc

FORMAT = "mailmove certificate 1"
SUMS = "SHA256SUMS"
MESSAGES = "messages.sha256"

_DISCLAIMER = (
    "This states what mailmove recorded, and what it found in the archive when this was made. The server accepted"
    " EXPUNGE of these UIDs, and did not list them later: what the server did with its copies nobody can tell from"
    " outside. Copies of the archive are named as it recorded them; they were not read for this. It is not a legally"
    " compliant preservation of records."
)
_CHECK = (
    f"To check it: sha256sum -c {SUMS} in this directory; and for the messages, in the archive's directory,"
    f" sha256sum -c with the path of {MESSAGES}. A hash of a message that can be guessed tells that message."
)
_HEAD = """<!doctype html>
<html><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; font-size: 10pt; margin: 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ border: 1px solid #999; padding: .2rem .4rem; text-align: left; overflow-wrap: anywhere; }}
thead {{ display: table-header-group; }}
tr {{ break-inside: avoid; }}
</style></head><body>
"""


def files(made: Certificate) -> dict[str, bytes]:
    """All files of a certificate, by name."""
    stem = f"certificate-{made.run}"
    told = {f"{stem}.json": canonical(_document(made)), f"{stem}.html": page(made).encode("utf-8")}
    told[MESSAGES] = b"".join(_sum(line.sha256.hex(), line.file) for line in made.lines if line.file)
    told[SUMS] = b"".join(_sum(hashlib.sha256(octets).hexdigest(), name) for name, octets in told.items())
    return told


def page(made: Certificate) -> str:
    """The page to print: whatever a message says is text."""
    title = f"Certificate of run {made.run}"
    facts = [
        ("Account", made.account),
        ("Login", made.login),
        ("Archive", f"{made.path} ({made.uuid})"),
        ("Run", made.run),
        (
            "Messages",
            f"{len(made.lines):,} archived" + (f", {made.unarchived:,} in no archive" * bool(made.unarchived)),
        ),
        ("Certificate made", made.made),
    ]
    shares = [
        (one.folder, one.begun, one.done or "not known", one.rule or "not recorded", one.answer, one.proof)
        for one in made.shares
    ]
    copies = [
        (one.name or "-", one.path or "no copy any more", one.uuid, one.copied or "-", one.proof or "not by this run")
        for one in made.copies
    ]
    rows = [
        (
            line.folder,
            f"{line.uidvalidity} / {line.uid}",
            _day(line),
            _subject(line),
            f"{line.octets:,}",
            line.sha256.hex(),
            line.file or f"NOT in the archive as it was: {line.lacking}",
            line.server,
        )
        for line in made.lines
    ]
    return "".join(
        (
            _HEAD.format(title=escape(visible(title))),
            f"<h1>{escape(visible(title))}</h1>\n",
            _table((), facts),
            "<h2>What was asked and answered</h2>\n",
            _table(("Folder", "Begun", "Looked again", "Rule", "Answer", "Proof"), shares),
            "<h2>Copies of the archive</h2>\n" if copies else "",
            _table(("Name", "Directory", "UUID", "Last copied", "Each message proven there"), copies) if copies else "",
            "<h2>Messages</h2>\n",
            _table(("Folder", "UIDVALIDITY / UID", "Arrived", "Subject", "Octets", "SHA-256", "File", "Server"), rows),
            f"<p>{escape(_DISCLAIMER)}</p>\n<p>{escape(_CHECK)}</p>\n</body></html>\n",
        )
    )


def text(made: Certificate, _: Again = ALL) -> Iterator[str]:
    """What was written, and how it is checked."""
    yield f"Certificate of run {visible(made.run)} of {visible(made.account)}: {plural(len(made.lines), 'message')}, in"
    for file in made.files:
        yield f"  {words.path(file)}"
    yield from problems(made)
    yield _CHECK


def problems(made: Certificate, _: Again = ALL) -> Iterator[str]:
    """What of the run the archive does not hold as it was."""
    for line in made.lines:
        if line.lacking:
            yield f"LACKING  {visible(line.folder)} UID {line.uid}: {visible(line.lacking)}"
    if made.unarchived:
        yield f"{plural(made.unarchived, 'message')} of the run were in no archive."


def as_json(made: Certificate) -> dict[str, Any]:
    """Where it is."""
    return {
        "account": made.account,
        "archive": made.path,
        "run": made.run,
        "messages": len(made.lines),
        "unarchived": made.unarchived,
        "lacking": sum(bool(line.lacking) for line in made.lines),
        "files": list(made.files),
    }


def _document(made: Certificate) -> dict[str, Value]:
    return {
        "format": FORMAT,
        "account": _whole(made.account),
        "login": _whole(made.login),
        "archive": {"path": _whole(made.path), "uuid": made.uuid},
        "run": made.run,
        "made": made.made,
        "statement": _DISCLAIMER,
        "unarchived": str(made.unarchived),
        "folders": [
            {
                "folder": _whole(one.folder),
                "begun": one.begun,
                "done": one.done,
                "rule": _whole(one.rule),
                "answer": _whole(one.answer),
                "proof": one.proof,
            }
            for one in made.shares
        ],
        "copies": [
            {
                "name": _whole(one.name),
                "path": _whole(one.path),
                "uuid": _whole(one.uuid),
                "copied": one.copied,
                "proof": _whole(one.proof),
            }
            for one in made.copies
        ],
        "messages": [
            {
                "folder": _whole(line.folder),
                "folder_octets": line.wire.hex(),
                "uidvalidity": str(line.uidvalidity),
                "uid": str(line.uid),
                "arrived": _day(line),
                "internaldate": _whole(line.internaldate),
                "subject": _subject(line),
                "octets": str(line.octets),
                "sha256": line.sha256.hex(),
                "file": _whole(line.file),
                "lacking": _whole(line.lacking),
                "server": line.server,
            }
            for line in made.lines
        ],
    }


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(visible(cell, 2000))}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>\n{body}</tbody></table>\n"


def _sum(digest: str, name: str) -> bytes:
    """A line for sha256sum; it wants a name with a backslash or a line's end escaped, and that said by a backslash."""
    quoted = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if quoted != name else ""
    return f"{mark}{digest}  {quoted}\n".encode("utf-8", "surrogateescape")


def _day(line: Line) -> str:
    return timestamp(utc(line.arrival)) if line.arrival else ""


def _subject(line: Line) -> str:
    return visible(fields.text(line.subject), 1000)


def _whole(given: str) -> str:
    """A text without half characters, which no JSON may have."""
    return given.encode("utf-8", "backslashreplace").decode("utf-8")
