"""Audit: where the quota goes, when it is full, and what pruning would free. Changes nothing on the server."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime

from mailmove.archive.state.audits import Audits, Figure, PastAudit
from mailmove.archive.state.header_cache import HeaderCache
from mailmove.archive.store import Archive
from mailmove.errors import Exit
from mailmove.imap.folders import look
from mailmove.imap.quota import roots
from mailmove.imap.session import Session
from mailmove.jobs.audit.folder import FolderAudit
from mailmove.jobs.audit.result import AuditResult
from mailmove.jobs.audit.survey import Options, Survey
from mailmove.jobs.progress import Progress
from mailmove.model import Seen
from mailmove.plan import forecast
from mailmove.plan.folders import choose, hidden
from mailmove.plan.gauge import Gauge, Source, quota
from mailmove.plan.policy import AgeBy
from mailmove.plan.retention import total
from mailmove.units import plural


@dataclass(frozen=True, slots=True)
class State:
    """What audits of an account keep on this machine from one to the next."""

    audits: Audits
    headers: HeaderCache


def audit(
    account: str, session: Session, archive: Archive | None, state: State, options: Options, now: datetime
) -> Generator[Progress, None, AuditResult]:
    """Audit one account.

    A folder that the server will not show is told in the result.

    :raises MailmoveError: of :mod:`mailmove.imap`, when the server is lost.
    :raises ArchiveError: when the state directory cannot be used.
    """
    looked = session.ask(lambda: look(session.wire))
    views = looked.seen
    largest = sorted((view for view in views if view.status), key=_messages, reverse=True)
    told = session.ask(lambda: roots(session.wire, [view.folder for view in largest], quick=options.quick))
    choice = choose((view.folder for view in views), options.include, options.exclude)
    survey = Survey(FolderAudit(session, archive, state.headers), options, views, now)
    yield from survey.read(choice.chosen)
    figures = tuple(survey.figures())
    sizes = {view.folder: view.status.size for view in views if view.status is not None}
    sizes |= {folder.folder: folder.octets for folder in figures}
    known = quota(told, sum(size or 0 for size in sizes.values()), options.quota)
    result = AuditResult(
        account, options.again, now, known, folders=figures, left_out=choice.left_out, quick=options.quick
    )
    result.limit = options.top
    result.fail_above = options.fail_above
    result.biggest = survey.biggest()
    result.problems = looked.problems + survey.problems
    result.trouble = Exit.PARTIAL if result.problems else Exit.DONE
    result.tops = tuple(survey.tops())
    if archive is not None:
        result.archive = archive.path
        result.notes += archive.notes
    if not options.quick:
        result.age_by = survey.policy.age_by
        result.moved = survey.moved
        result.alone = survey.alone()
        result.bands = tuple(survey.bands())
        result.months = tuple(survey.months())
        result.undated = total(usage.undated for usage in survey.usages.values())
        result.what_ifs = tuple(survey.what_if(age, known.tightest) for age in options.ages)
    if any(folder.folder.special_use == "\\all" for folder in figures):
        result.notes.append("a message with several labels counts in each of its folders here")
    if session.wire.can("X-GM-EXT-1") and not options.include and (note := hidden(view.folder for view in views)):
        result.notes.append(note)
    if unsized := sum(usage.unsized for usage in survey.usages.values()):
        result.notes.append(f"the server does not tell the size of {plural(unsized, 'message')}")
    _foresee(result, survey, state.audits, complete=None not in sizes.values())
    return result


def _foresee(result: AuditResult, survey: Survey, audits: Audits, *, complete: bool) -> None:
    """Add the forecast, and remember this audit's figures for later ones.

    ``complete``: the sizes of all folders are known, so that their sum can be compared with another day's.
    """
    past, tightest = audits.read(), result.quota.tightest
    if audits.damaged:
        result.notes.append(f"{plural(audits.damaged, 'line')} of the history of audits cannot be read")
    at = int(result.at.timestamp())
    points = [
        forecast.Point(audit.at, used) for audit in past if (used := audit.used.get(_figure(tightest))) is not None
    ]
    rates = [forecast.by_audits([*points, forecast.Point(at, tightest.used)], result.at)]
    if not result.quick:
        word = "mail sent in" if survey.policy.age_by is AgeBy.SENT else "arrivals of"
        rates.append(forecast.by_arrivals(*survey.arrivals(tightest), result.at, word))
    result.forecast = forecast.forecast(tightest, rates, result.at)
    lasting = [gauge for gauge in result.quota.gauges if complete or gauge.source is Source.SERVER]
    audits.append(PastAudit(at, {_figure(gauge): gauge.used for gauge in lasting}))


def _messages(view: Seen) -> int:
    return view.status.messages if view.status is not None else 0


def _figure(gauge: Gauge) -> Figure:
    return Figure(gauge.root, gauge.resource, gauge.source.value)
