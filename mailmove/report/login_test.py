"""What a test login found, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from mailmove.jobs.login_test import LoginTest
from mailmove.model import Folder, FolderStatus, Resource, Security
from mailmove.report.again import ALL, Again
from mailmove.report.table import Column, table
from mailmove.safe import visible
from mailmove.units import format_size, plural


class Ability(NamedTuple):
    """What it means that a server has any of these capabilities, and what that it has none."""

    capabilities: tuple[str, ...]
    given: str
    missing: str


ABILITIES = (
    Ability(("UIDPLUS",), "prune can delete exactly what it lists", "prune refuses to delete here"),
    Ability(("QUOTA",), "it tells how full it is", "it does not tell how full it is"),
    Ability(("LIST-STATUS",), "one question shows what is new", "one question for each folder shows what is new"),
    Ability(
        ("CONDSTORE", "QRESYNC"), "changed flags are noticed at once", "changed flags are noticed with export --flags"
    ),
    Ability(("SPECIAL-USE",), "it marks Sent, Drafts, Trash, Junk", "it does not mark Sent, Drafts, Trash, Junk"),
    Ability(
        ("OBJECTID", "X-GM-EXT-1"),
        "a message in several folders is fetched once",
        "a message in several folders is fetched for each, stored once",
    ),
)


def text(result: LoginTest, again: Again = ALL) -> Iterator[str]:
    """Where and as whom, what is there, what the server can, and the next step."""
    yield from mailbox(result)
    yield "What the server can:"
    for ability in ABILITIES:
        has = next((name for name in ability.capabilities if name in result.capabilities), None)
        name = has or ability.capabilities[0]
        yield f"  {'yes' if has else 'no '}  {name:<12} {ability.given if has else ability.missing}"
    yield from problems(result)
    yield f"Next: {again.command('export')}"


def mailbox(result: LoginTest) -> Iterator[str]:
    """Where and as whom, and what is there."""
    endpoint = result.endpoint
    yield f"{visible(result.account)}: the login works."
    protection = result.encryption or "not encrypted"
    if endpoint.security is Security.STARTTLS:
        protection += " by STARTTLS"
    server = f"{visible(endpoint.host)}:{endpoint.port}, {protection}"
    yield f"  server    {server}, {visible(result.software, 60)}" if result.software else f"  server    {server}"
    yield f"  user      {visible(endpoint.user)}"
    quotas = list(_quotas(result))
    for line in quotas or ["the server tells none"]:
        yield f"  quota     {line}"
    yield from _folders(result)


def problems(result: LoginTest, _: Again = ALL) -> Iterator[str]:
    """Folders that cannot be looked into."""
    for seen in result.unopened:
        yield f"{visible(result.account)}: {seen.folder.shown} cannot be opened: {visible(seen.problem)}"
    for problem in result.problems:
        yield f"{visible(result.account)}: {problem}"


def as_json(result: LoginTest) -> dict[str, Any]:
    """One account."""
    return {
        "account": result.account,
        "exit": int(result.exit),
        "server": {"host": result.endpoint.host, "port": result.endpoint.port, "software": result.software},
        "user": result.endpoint.user,
        "encryption": result.encryption,
        "capabilities": sorted(result.capabilities),
        "folders": [
            {
                "name": seen.folder.name,
                "special_use": seen.folder.special_use,
                "namespace": seen.folder.namespace.value,
                "selectable": seen.folder.selectable,
                "messages": seen.status.messages if seen.status else None,
                "octets": seen.status.size if seen.status else None,
                "problem": seen.problem or None,
            }
            for seen in result.folders
        ],
        "problems": list(result.problems),
        "quota": None
        if result.quota is None
        else [
            {
                "root": root.name,
                "resources": None
                if root.resources is None
                else [{"name": r.name, "usage": r.usage, "limit": r.limit} for r in root.resources],
            }
            for root in result.quota
        ],
    }


def _quotas(result: LoginTest) -> Iterator[str]:
    roots = result.quota or ()
    for root in roots:
        of = f" ({visible(root.name)})" if len(roots) > 1 else ""
        if root.resources is None:
            yield f"the server's answer cannot be understood{of}"
        for resource in root.resources or ():
            yield f"{_used(resource)}{of}"


def _used(resource: Resource) -> str:
    if resource.name == "STORAGE":
        return f"{format_size(resource.usage)} of {format_size(resource.limit)}"
    name = "messages" if resource.name == "MESSAGE" else visible(resource.name)
    return f"{resource.usage:,} of {resource.limit:,} {name}"


def _folders(result: LoginTest) -> Iterator[str]:
    shown = [seen for seen in result.folders if seen.status is not None]
    shown.sort(key=lambda seen: (seen.folder.name != "INBOX", seen.folder.name.casefold()))
    total = sum(seen.status.messages for seen in shown if seen.status)
    yield f"  folders   {len(shown):,} with {plural(total, 'message')}"
    columns = [Column(cut=8), Column(figures=True), Column(figures=True), Column(spare=1)]
    yield from table(columns, [_row(seen.folder, seen.status) for seen in shown if seen.status], indent=4)


def _row(folder: Folder, status: FolderStatus) -> tuple[str, str, str, str]:
    size = "" if status.size is None else format_size(status.size)
    return folder.shown, f"{status.messages:,}", size, folder.special_use or ""
