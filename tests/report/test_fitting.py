"""Every report at every width: no line is wider than the terminal, and no word is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from mailmove import utf7
from mailmove.accounts.config import Account
from mailmove.archive.mending.salvage import Salvaged
from mailmove.errors import Exit, Interrupted, LoginError, Unreachable
from mailmove.imap.outcome import Outcome
from mailmove.jobs.audit.result import AuditResult, Band, BigMessage, FolderFigures, TopGroups, WhatIf
from mailmove.jobs.check import CheckResult, Moved, Problem, Some
from mailmove.jobs.export.result import ExportResult, Failure, FolderResult
from mailmove.jobs.find import FindResult, Hit
from mailmove.jobs.history import Deed, Entry, HistoryResult
from mailmove.jobs.login_test import LoginTest
from mailmove.jobs.overview import LastExport, Overview
from mailmove.jobs.prune.result import FolderPlan, PrunePlan, PruneResult
from mailmove.jobs.reindex import ReindexResult
from mailmove.jobs.restore.result import NotRestored, PutBack, RestoreResult
from mailmove.model import (
    Copy,
    Endpoint,
    Folder,
    FolderStatus,
    Found,
    Listed,
    MessageId,
    QuotaRoot,
    Resource,
    Security,
    Seen,
)
from mailmove.plan.forecast import Forecast, Rate
from mailmove.plan.gauge import Gauge, Quota, Source
from mailmove.plan.groups import By, Group
from mailmove.plan.policy import parse_target
from mailmove.plan.retention import Decisions, Stays, Tally
from mailmove.plan.usage import Freed
from mailmove.report import account, audit, check, export, find, history, login_test, overview, prune, reindex, restore
from mailmove.report.again import Again
from mailmove.report.fitting import fit
from mailmove.safe import visible
from mailmove.units import parse_age

NOW = datetime(2026, 11, 24, 3, 15, tzinfo=UTC)
WIDTHS = (60, 80, 120)
NAMES = (
    "info@rossi.example",
    "amministrazione.contabilita@azienda-agricola-rossi.example",
    "会議資料" * 12,
    "e\u0301u\u0308" * 30,
    "Projekte und Kunden/Müller, Söhne & Co./Rechnungen aus dem vergangenen Jahr",
    "a" * 130,
)
Lines = Callable[[str], Iterator[str]]


def folder(name: str) -> Folder:
    return Folder(utf7.encode(name), attributes=frozenset({"\\archive"}))


def where(name: str) -> str:
    return f"/srv/mail and more/{visible(name)}"


def again(name: str) -> Again:
    return Again(name, ("--config", "/srv/some where/config.toml"))


def audits(name: str) -> AuditResult:
    tally = Tally(1_234_567, 1_023_456_789)
    ages = [parse_age(text) for text in ("30d", "90d", "180d", "1y", "2y", "5y")]
    return AuditResult(
        name,
        (name,),
        NOW,
        Quota((Gauge(name, "STORAGE", 998_000_000, 1_000_000_000, Source.CONFIGURED),), "the server tells no limit"),
        Forecast(Rate(123_456_789, "arrivals of the last 90 days"), NOW + timedelta(days=9)),
        tuple(FolderFigures(folder(name + str(n)), 123_456, 987_654_321, 9_999, date.min, date.max) for n in range(30)),
        left_out=((folder(name), "it cannot be selected"),),
        alone={folder(name): "what is there is only a view of other folders"},
        moved={folder(name): "all of it arrived on one day"},
        bands=tuple(Band(age, tally) for age in (None, *ages)),
        undated=tally,
        what_ifs=tuple(WhatIf(age, Freed(tally, tally, {Stays.FLAGGED: tally}), 9, 30.0) for age in ages),
        biggest=(BigMessage(folder(name), 123_456_789, 98_765_432, date.max, name * 2, name),),
        tops=(TopGroups(By.SENDER, (Group(name, name, tally),), 12_345, tally),),
        archive=where(name),
        fail_above=90,
        problems=[f"{visible(name)} cannot be opened: the server says no"],
        notes=[f"{visible(name)} was not looked at, because nothing was said of it that can be understood"],
    )


def plans(name: str) -> PrunePlan:
    go = {uid: Listed(uid, 1_500_000_000, 1_234_567, frozenset()) for uid in range(1, 400, 2)}
    stay = {why: Tally(1_234_567, 1) for why in (Stays.NEWER, Stays.FLAGGED, Stays.DRAFT)}
    one = FolderPlan(folder(name), NOW, 7, Decisions(go, stay, {1: Stays.UNDATED}), sent_later=12, doubts=["it moved"])
    other = FolderPlan(folder("Sent"), NOW - timedelta(days=9), 7, Decisions(dict(go)), refused="it is another's now")
    one.unproven = dict.fromkeys(range(1000, 2000, 2), "its file is not what was archived")
    return PrunePlan(
        name,
        where(name),
        NOW,
        unattended=True,
        by_hand=again(name).command("prune", "--older-than", "1y"),
        folders=[one, other],
        left_out=[(folder(name), "it cannot be selected")],
        doubts=["the clock of this machine is not vouched for by any message that has arrived"],
        exported=12_345,
        verified=1_234_567,
        gauge=Gauge("", "STORAGE", 998_000_000, 1_000_000_000, Source.SERVER),
    )


def prunes(name: str) -> PruneResult:
    planned = plans(name)
    wire = planned.folders[0].folder.wire
    outcome = Outcome(
        frozenset({1, 3}), left=dict.fromkeys(range(5, 400, 2), "NO [OVERQUOTA] not today, says the server")
    )
    return PruneResult(planned, "yes", True, run="20261124-031502", outcomes={wire: outcome}, after=planned.gauge)


def exports(name: str, *, failing: bool) -> ExportResult:
    one = FolderResult(folder(name), 12_345, 12_345, 12_340, 5, 3, 1_234_567_890)
    one.notes = ["has another UIDVALIDITY than before: what was archived is kept in a directory beside it"]
    if failing:
        one.failures = [
            Failure(folder(name).shown, uid, "the server sent nothing", uid == 1) for uid in range(1, 99, 2)
        ]
    return ExportResult(name, where(name), [one], ((folder(name), "it cannot be selected"),), arrived=3)


def found(name: str) -> Found:
    copy = Copy(utf7.encode(name), 7, 4711, on_server=True)
    sender = f"{name} <somebody@rossi.example>".encode()
    return Found(b"\xaa" * 32, 1_700_000_000, 12_345_678, b"<1@x>", None, sender, sender, name.encode(), (copy,))


def histories(name: str, *, detailed: bool) -> HistoryResult:
    uids = frozenset(range(1, 300, 2))
    deed = Deed(folder(name), 1_234_567_890, "2026-11-24T03:15:02Z", "sha256", name, uids, uids, None, uids, uids)
    deeds = (deed._replace(messages=((4711, found(name)),)) if hasattr(deed, "_replace") else deed,)
    entries = (
        Entry("export", "2026-11-24T03:10:02Z", Exit.DONE, {"fetched": 12_345}, None, ()),
        Entry("prune", "2026-11-24T03:15:02Z", Exit.UNREACHABLE, {"deleted": 1_234_567}, "20261124-031502", deeds),
    )
    return HistoryResult(name, where(name), entries[detailed:], detailed)


def checks(name: str) -> CheckResult:
    why, subject = "it holds other octets", name.encode()
    ids = [MessageId(utf7.encode(name), 7, uid) for uid in range(12)]
    problems = [
        Problem(name, one, b"\xaa" * 32, one.uid % 2 == 0, why, 1_700_000_000, subject, one.uid < 9) for one in ids
    ]
    some = [Some(name, tuple(range(1, 200, 2)), 1_234_567)]
    result = CheckResult(name, where(name), False, True, 12_345, 1_234_567_890, 12_345, problems)
    result.moved = [Moved(name, 7, name)]
    result.damaged, result.foreign, result.only_here, result.not_archived = (
        [f"{visible(name)}/cur/1"],
        [name],
        some,
        some,
    )
    result.doubts = [f"{visible(name)} cannot be opened: the server says no"]
    return result


def restores(name: str, *, done: bool) -> RestoreResult:
    put = PutBack(folder(name), (folder(name + "2"),), True, 12, 12_345, 1_234_567, 12_345, 1_234_567, 1, 1, 9, name)
    if done:
        put.failures = [NotRestored(folder(name).shown, "3fa2b1c9d0", 1, "NO [OVERQUOTA] not today") for _ in range(12)]
    return RestoreResult(name, where(name), done, folders=[put], home=("--config", "/srv/some where/config.toml"))


def accounts(name: str) -> Account:
    return Account(name, Endpoint(f"imap.{name}", 993, name, Security.STARTTLS), where(name))


def logins(name: str) -> LoginTest:
    seen = tuple(Seen(folder(name + str(n)), FolderStatus(123_456, size=987_654_321)) for n in range(3))
    quota = tuple(QuotaRoot(name + str(n), (Resource("STORAGE", 1 << 30, 1 << 31),)) for n in range(2))
    told = f"{visible(name)} cannot be understood, and nobody knows what of it is meant by the server"
    endpoint = accounts(name).endpoint
    return LoginTest(
        name, endpoint, "TLSv1.3", name, frozenset({"QUOTA"}), (*seen, Seen(folder(name), None, "no")), quota, (told,)
    )


def overviews(name: str) -> Overview:
    last = LastExport(NOW, timedelta(hours=40), Exit.PARTIAL)
    return Overview(name, accounts(name), 12_345_678, 123_456_789, last)


REPORTS: dict[str, Lines] = {
    "account": lambda name: account.text(accounts(name), again(name)),
    "audit": lambda name: audit.Report().text(audits(name), again(name)),
    "audit in octets": lambda name: audit.Report(exact=True).text(audits(name), again(name)),
    "audit of several": lambda name: audit.Report().together([audits(name), audits("x")], again(name)),
    "check": lambda name: check.text(checks(name), again(name)),
    "errors": lambda name: iter(
        [
            f"{visible(name)}: {LoginError(f'imap.example refused the login of {visible(name)}: [AUTHENTICATIONFAILED] no', 'Check user name and password; many providers want an app password instead of the usual one.')}",  # noqa: E501
            f"mailmove: {Unreachable(f'{where(name)}: no answer in time', again(name).command('account test'))}",
        ]
    ),
    "export": lambda name: export.text(exports(name, failing=False), again(name)),
    "export of several": lambda name: export.one_of_several(exports(name, failing=False), again(name)),
    "export that failed": lambda name: export.text(exports(name, failing=True), again(name)),
    "find": lambda name: find.text(
        FindResult(name, name, 1, [Hit(found(name), 1_400_000_000)], 12_345, 12_346, unread=[where(name)]), again(name)
    ),
    "history": lambda name: history.text(histories(name, detailed=False), again(name)),
    "history of a run": lambda name: history.text(histories(name, detailed=True), again(name)),
    "login": lambda name: login_test.text(logins(name), again(name)),
    "overview": lambda name: overview.text(overviews(name), again(name)),
    "overview of several": lambda name: overview.together([overviews(name), overviews("x")], again(name)),
    "overview of archives": lambda name: overview.without_account([Overview(where(name), None, 12_345, 123_456_789)]),
    "next step": lambda name: overview.next_step([overviews(name)]),
    "plan": lambda name: prune.plan(plans(name), again(name)),
    "plan to a target": lambda name: prune.plan(_aimed(plans(name)), again(name)),
    "prune": lambda name: prune.text(prunes(name), again(name)),
    "reindex": lambda name: reindex.text(
        ReindexResult(
            name,
            where(name),
            Salvaged(lost=12, aside=where(name), unread=name),
            12_345,
            12,
            12,
            aside=[name],
            unplaced={name: 3},
        ),
        again(name),
    ),
    "restore": lambda name: restore.text(restores(name, done=False), again(name)),
    "restore that failed": lambda name: restore.text(restores(name, done=True), again(name)),
    "total": lambda _: prune.total([{"messages": 12_345, "octets": 1_234_567, "dry": 1}] * 200, 200),
    "stopped": lambda name: check.text(
        CheckResult(name, where(name), True, False, stopped=Interrupted("stop")), again(name)
    ),
}


def _aimed(planned: PrunePlan) -> PrunePlan:
    planned.target, planned.dry_run, planned.notes = (
        parse_target("80%"),
        True,
        [f"{visible(planned.account)} is shared"],
    )
    return planned


def shown(report: Lines, name: str, width: int) -> list[str]:
    """A report as a terminal of this width gets it, without what makes heads bold."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setattr("sys.stdout.isatty", lambda: True)
        text = fit("\n".join(report(name)), width)
    return re.sub(r"\x1b\[[\d;]*m", "", text).split("\n")


def copied(line: str) -> bool:
    """Whether a line is nothing but a path or a command to copy."""
    return line.strip().startswith(("mailmove ", "/", "~/", "https://"))


def fits(report: Lines, name: str, width: int) -> None:
    lines = shown(report, name, width)
    assert [line for line in lines if cell_len(line) > width and not copied(line)] == []
    assert all(line.strip() for line in lines), "a blank line"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("report", REPORTS)
def test_no_line_is_wider_than_the_terminal(report: str, width: int) -> None:
    for name in NAMES:
        fits(REPORTS[report], name, width)


@settings(max_examples=15)
@given(st.text(st.sampled_from("aé会\u0301 /-.,:'\"@~"), min_size=1, max_size=120), st.integers(60, 200))
def test_whatever_a_name_is(name: str, width: int) -> None:
    for report in REPORTS.values():
        fits(report, name, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("report", REPORTS)
def test_no_word_is_broken(report: str, width: int) -> None:
    """Words are those of the uncut report; only what a table cuts, and says so, is shorter."""
    name = "amministrazione@rossi.example"
    whole = set(" ".join(REPORTS[report](name)).split()) | set(" ".join(shown(REPORTS[report], name, 1000)).split())
    for word in " ".join(shown(REPORTS[report], name, width)).split():
        assert word in whole | {"To", "free", "that:", "AGE"} or word.endswith("…"), word


def test_what_is_to_be_copied_is_in_one_piece() -> None:
    command = again("work").command("restore", "--run", "20261124-031502", "--account", "a b c " * 12)
    lines = fit(f"Undo: {command}     puts it back on the server", 80).split("\n")
    assert lines == ["Undo:", f"  {command}", "  puts it back on the server"]
    path = "/srv/" + "with spaces/" * 12
    assert fit(f"  archive   {path}", 80).split("\n") == ["  archive", f"    {path}"]
    assert fit(f"The account is in {path.replace(' ', '')}, its secret in the keyring of this user.", 80).split("\n")[
        1:
    ] == [
        f"  {path.replace(' ', '')},",
        "  its secret in the keyring of this user.",
    ]


def test_what_stands_in_a_column_goes_on_in_it() -> None:
    lines = fit(f"  policy    {'older than 1y leaves the server; ' * 4}", 60).split("\n")
    assert len(lines) == 3
    assert all(line.startswith(" " * 12) and line[12] != " " for line in lines[1:])


def test_elsewhere_than_at_a_terminal_nothing_is_broken() -> None:
    line = "word " * 60
    assert fit(line, None) == line
