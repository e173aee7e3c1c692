"""What audits found as one page to keep or to mail: made of their JSON, so that both say the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mailmove.report.again import Again
from mailmove.report.html import drawings
from mailmove.report.html.drawings import Area
from mailmove.report.html.style import STYLE
from mailmove.report.html.tables import behind, table
from mailmove.report.html.tags import Content, Html, document, element
from mailmove.units import format_size, plural

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
_MOST_AREAS = 60
_HEADS = {"sender": "Senders", "list": "Mailing lists", "year": "Years"}


@dataclass(frozen=True, slots=True)
class Account:
    """The JSON of one account, and how a command to copy means it."""

    told: dict[str, Any]
    again: Again


def page(accounts: Sequence[Account], at: str) -> str:
    """All of them; several begin with a table, in the order in which they are given."""
    title = (
        f"mailmove audit of {accounts[0].told['account'] if len(accounts) == 1 else plural(len(accounts), 'account')}"
    )
    head = (
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", title),
        element("style", STYLE),
    )
    body = [
        element("header", element("h1", title), element("p", at, class_="said")),
        _together(accounts) if len(accounts) > 1 else None,
        [_account(each, number, alone=len(accounts) == 1) for number, each in enumerate(accounts)],
    ]
    return document(head, element("main", body))


def _together(accounts: Sequence[Account]) -> Html:
    rows: list[Iterable[Content]] = []
    for number, each in enumerate(accounts):
        told = each.told
        name = element("a", told["account"], href=f"#a{number}")
        if "error" in told:
            rows.append((name, element("strong", told["error"]), "", "", ""))
            continue
        gauge = _tightest(told)
        full = (told["forecast"] or {}).get("full")
        percent = gauge["percent"]
        bar = drawings.bar(min(1.0, (percent or 0) / 100))
        limit = _amount(gauge, gauge["limit"])
        rows.append((name, _amount(gauge, gauge["used"]), limit, (_percent(percent), bar), full[:10] if full else "-"))
    return element(
        "section", element("h2", "All accounts"), table(("Account", "used", "limit", "full", "full on"), rows)
    )


def _account(account: Account, number: int, *, alone: bool) -> Html:
    told = account.told
    parts: list[Content] = [None if alone else element("h2", told["account"])]
    if "error" in told:
        return element("article", parts, element("p", told["error"], class_="problem"), id=f"a{number}")
    parts += [
        _quota(account),
        [element("p", f"PROBLEM: {what}", class_="problem") for what in told["problems"]],
        _folders(account),
        _months(account),
        _ages(told),
        _prune(account),
        [_groups(account, top) for top in told["tops"]],
        _biggest(account),
        [element("p", f"Note: {what}.", class_="said") for what in told["notes"]],
    ]
    return element("article", parts, id=f"a{number}")


def _quota(account: Account) -> Html:
    told = account.told
    lines: list[Content] = []
    for gauge in told["quota"]:
        used, limit = _amount(gauge, gauge["used"]), gauge["limit"]
        of = f" of {_amount(gauge, limit)}" if limit is not None else ""
        root = f" ({gauge['root']})" if gauge["root"] else ""
        title = f"{gauge['resource']}{root}: {used}{of}, {_percent(gauge['percent'])} full"
        drawn = drawings.gauge(title, gauge["percent"]) if gauge["percent"] is not None else None
        lines.append(element("p", element("strong", used), f"{of}{root}   ", _percent(gauge["percent"])))
        lines.append(drawn)
    seen = told["forecast"]
    if seen is not None:
        rate = f"{_amount(_tightest(told), abs(seen['per_day']))} a day {'less' if seen['per_day'] < 0 else 'more'}"
        when = f"Full on {seen['full'][:10]}" if seen["full"] else "Not full in sight"
        lines.append(element("p", f"{when}: {rate}, {seen['method']}."))
    if told["quota_lacking"]:
        lines.append(element("p", told["quota_lacking"], class_="said"))
    return _part("Quota", lines, account.again.command("audit"))


def _folders(account: Account) -> Html:
    told = account.told["folders"]
    areas = [
        Area(each["name"], each["octets"] or 0, f"{format_size(each['octets'] or 0)}, {each['messages']:,}")
        for each in told[:_MOST_AREAS]
    ]
    everything = sum(each["octets"] or 0 for each in told) or 1
    rows = [
        (
            each["name"],
            each["messages"],
            _size(each["octets"]),
            (_percent((each["octets"] or 0) * 100 / everything), drawings.bar((each["octets"] or 0) / everything)),
            each["oldest"] or "-",
            each["newest"] or "-",
        )
        for each in told
    ]
    title = f"Folders by size: {', '.join(each['name'] for each in told[:3])} are the largest"
    figures = table(("Folder", "messages", "size", "share", "oldest", "newest"), rows)
    drawn = drawings.treemap(title, areas) if any(area.size for area in areas) else None
    return _part("Folders", [drawn, behind(figures)], account.again.command("audit", "--top", "100"))


def _months(account: Account) -> Content:
    told = account.told["months"]
    if not told:
        return None
    most = max(each["octets"] for each in told) or 1
    cells = {
        (int(each["month"][:4]), int(each["month"][5:])): (
            each["octets"] / most,
            f"{_size(each['octets'])}, {each['messages']:,}",
        )
        for each in told
    }
    rows = [(each["month"], each["messages"], _size(each["octets"])) for each in reversed(told)]
    drawn = drawings.calendar("Size by month: the darker, the more", cells)
    figures = behind(table(("Month", "messages", "size"), rows))
    return _part("When it came", [drawn, figures], account.again.command("audit", "--by", "year"))


def _ages(told: dict[str, Any]) -> Content:
    bands = [*told["ages"], *([{"older_than": "undated", **told["undated"]}] if told["undated"]["messages"] else [])]
    if not bands:
        return None
    most = max(each["octets"] for each in bands) or 1
    names = [each["older_than"] or "younger" for each in bands]
    rows = [
        (name, each["messages"], (_size(each["octets"]), drawings.bar(each["octets"] / most)))
        for name, each in zip(names, bands, strict=True)
    ]
    return _part("Ages", table(("At least", "messages", "size"), rows))


def _prune(account: Account) -> Content:
    told = account.told["prune"]
    if not told:
        return None
    gauge = _tightest(account.told)
    scale = max(gauge["limit"] or 0, gauge["used"]) or 1
    points = []
    for each in told:
        percent = each["percent_after"]
        said = _amount(gauge, each["left"]) if percent is None else _percent(percent)
        points.append((each["older_than"], min(1.0, each["left"] / scale), said))
    rows = [
        (
            each["older_than"],
            _size(each["frees"]["octets"]),
            each["frees"]["messages"],
            each["archived"]["messages"],
            _percent(each["percent_after"]) if each["percent_after"] is not None else _amount(gauge, each["left"]),
            element("code", each["command"]),
        )
        for each in told
    ]
    figures = table(("Older than", "frees", "messages", "archived", "leaves", "command"), rows)
    return _part("What pruning would leave", [drawings.curve("How full after a prune, by age", points), figures])


def _groups(account: Account, told: dict[str, Any]) -> Content:
    everything = sum(each["octets"] for each in told["groups"]) + told["others"]["octets"] or 1
    rows: list[Iterable[Content]] = []
    for each in told["groups"]:
        name = each["name"] if each["name"] and each["name"] != each["key"] else None
        who = (element("strong", name), " ", each["key"]) if name else each["key"] or "(none)"
        share = (_percent(each["octets"] * 100 / everything), drawings.bar(each["octets"] / everything))
        rows.append((who, each["messages"], _size(each["octets"]), share))
    others = told["others"]
    if others["groups"]:
        rows.append((f"{others['groups']:,} others", others["messages"], _size(others["octets"]), ""))
    figures = table((_HEADS[told["by"]], "messages", "size", "share"), rows)
    return _part(_HEADS[told["by"]], figures, account.again.command("audit", "--by", told["by"]))


def _biggest(account: Account) -> Content:
    rows = [
        (_size(each["octets"]), each["date"] or "-", each["folder"], str(each["uid"]), each["from"], each["subject"])
        for each in account.told["biggest"]
    ]
    if not rows:
        return None
    figures = table(("Size", "date", "folder", "UID", "from", "subject"), rows)
    return _part("Biggest messages", figures, account.again.command("audit", "--top", "20"))


def _part(title: str, content: Content, command: str = "") -> Html:
    copied = element("p", element("code", command), class_="command") if command else None
    return element("section", element("h3", title), content, copied)


def _tightest(told: dict[str, Any]) -> dict[str, Any]:
    seen, gauges = told["forecast"], told["quota"]
    of = (seen["root"], seen["resource"]) if seen else None
    found: dict[str, Any] = next((each for each in gauges if (each["root"], each["resource"]) == of), gauges[0])
    return found


def _amount(gauge: dict[str, Any], amount: int | None) -> str:
    if amount is None:
        return "-"
    return format_size(amount) if gauge["resource"] == "STORAGE" else f"{amount:,} {gauge['resource'].lower()}s"


def _size(octets: int | None) -> str:
    return "?" if octets is None else format_size(octets)


def _percent(number: float | None) -> str:
    return "-" if number is None else f"{int(number)} %"
