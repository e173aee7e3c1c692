"""What prune decides, as a pure function: every message once, never early, never by guess."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.archive.index.messages import Known
from mailmove.errors import UsageError
from mailmove.model import Folder, Listed, NamespaceKind
from mailmove.plan import brakes
from mailmove.plan.policy import (
    AgeBy,
    Asked,
    Keep,
    MaxDelete,
    Policy,
    before,
    guess_uses,
    parse_keep,
    parse_max_delete,
    parse_target,
)
from mailmove.plan.retention import (
    DAY,
    Dates,
    Decisions,
    FolderRule,
    Stays,
    decide,
    is_drafts,
    needed,
    strictest_label,
)
from mailmove.plan.rules import FolderAge, Rules
from mailmove.units import parse_age

NOW = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
OLD = SECONDS - 400 * DAY
CUTOFF = SECONDS - 30 * DAY


@pytest.fixture(params=["UTC", "Europe/Rome", "Pacific/Kiritimati", "Etc/GMT+12", "America/St_Johns"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def listed(uid: int, arrival: int | None = OLD, *flags: str, size: int = 100) -> Listed:
    return Listed(uid, arrival, size, frozenset(flags))


def rule(
    age: str | None = "30d", policy: Policy | None = None, *, now: datetime = NOW, drafts: bool = False
) -> FolderRule:
    ages = FolderAge(parse_age(age) if age else None, (policy or Policy()).archived_for)
    return FolderRule(ages, policy or Policy(), now, drafts=drafts)


arrivals = st.one_of(st.none(), st.integers(-(2**40), 2**40), st.integers(SECONDS - 100 * DAY, SECONDS + 100 * DAY))
words = st.sampled_from(["\\Seen", "\\Flagged", "\\FLAGGED", "\\Draft", "\\Deleted", "\\Answered", "$Junk", "work"])
messages = st.builds(
    Listed,
    uid=st.integers(1, 2**32 - 1),
    arrival=arrivals,
    size=st.one_of(st.none(), st.integers(0, 2**40)),
    flags=st.frozensets(words),
)
listings = st.lists(messages, unique_by=lambda message: message.uid, max_size=60)
policies = st.builds(
    Policy,
    age_by=st.sampled_from(AgeBy),
    archived_for=st.one_of(st.none(), st.just(parse_age("14d"))),
    keep=st.frozensets(st.sampled_from(Keep)),
    keep_newest=st.integers(0, 20),
)


@given(listings, policies, st.dictionaries(st.integers(1, 60), st.integers(0, SECONDS)))
def test_every_message_is_in_exactly_one_decision(
    listing: list[Listed], policy: Policy, known_dates: dict[int, int]
) -> None:
    dates = Dates(sent=known_dates, archived=known_dates)
    decisions = decide(listing, rule("30d", policy), dates)
    assert decisions.messages == len(listing)
    assert sum(map(len, [decisions.go])) + sum(t.messages for t in decisions.stay.values()) == len(listing)
    octets = sum(m.size or 0 for m in decisions.go.values()) + sum(t.octets for t in decisions.stay.values())
    assert octets == sum(m.size or 0 for m in listing)


@given(listings, policies, st.integers(1, 4000), st.integers(0, 4000))
def test_a_longer_age_never_lets_more_go(listing: list[Listed], policy: Policy, days: int, more: int) -> None:
    short = decide(listing, rule(f"{days}d", policy))
    long = decide(listing, rule(f"{days + more}d", policy))
    assert long.go.keys() <= short.go.keys()


@given(listings, st.integers(1, 4000))
def test_what_goes_is_old_dated_and_neither_flagged_nor_a_draft(listing: list[Listed], days: int) -> None:
    for message in decide(listing, rule(f"{days}d")).go.values():
        assert message.arrival is not None
        assert 365 * DAY <= message.arrival < SECONDS - days * DAY
        assert not {flag.lower() for flag in message.flags} & {"\\flagged", "\\draft"}


@given(listings, st.integers(0, 30))
def test_the_newest_stay(listing: list[Listed], number: int) -> None:
    decisions = decide(listing, rule("1d", Policy(keep=frozenset(), keep_newest=number)))
    dated = [m.arrival for m in listing if m.arrival is not None and 365 * DAY <= m.arrival <= SECONDS]
    newest = sorted(dated)[-number:] if number else []
    assert len(decisions.go) <= max(0, len(dated) - number)
    assert all(m.arrival is not None and m.arrival <= min(newest, default=SECONDS) for m in decisions.go.values())


def test_the_newest_are_those_that_arrived_last_whatever_their_uids() -> None:
    listing = [listed(1, OLD + 2), listed(2, OLD + 1), listed(3, OLD)]
    assert set(decide(listing, rule("1d", Policy(keep_newest=1))).go) == {2, 3}


@pytest.mark.fault(27)
def test_age_is_exact_to_the_second_and_never_early(zone: str) -> None:
    cut = SECONDS - 30 * DAY
    decisions = decide([listed(1, cut - 1), listed(2, cut), listed(3, cut + 1)], rule("30d"))
    assert set(decisions.go) == {1}
    late = NOW + timedelta(microseconds=999_999)  # a fraction of a second makes nothing older
    assert set(decide([listed(1, cut - 1), listed(2, cut)], rule("30d", now=late)).go) == {1}


@pytest.mark.fault(27)
@pytest.mark.loss(4)
@pytest.mark.parametrize(
    ("age", "at", "wall"),
    [
        ("1mo", datetime(2026, 4, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 2, 30)),  # an hour that never was
        ("1mo", datetime(2026, 11, 25, 1, 30, tzinfo=UTC), datetime(2026, 10, 25, 2, 30)),  # an hour that came twice
        ("2026-03-29", NOW, datetime(2026, 3, 29)),
    ],
)
def test_where_the_clocks_change_the_earlier_instant_counts(
    age: str, at: datetime, wall: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Rome")
    time.tzset()
    try:
        cut = before(parse_age(age), at)
        assert all(cut <= wall.replace(fold=fold).timestamp() for fold in (0, 1))
        assert cut >= wall.replace(fold=0).timestamp() - 3600
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.fault(25)
@pytest.mark.loss(5, 50)
@pytest.mark.parametrize(
    ("arrival", "why"),
    [(None, Stays.UNDATED), (0, Stays.UNDATED), (-5, Stays.UNDATED), (300 * DAY, Stays.UNDATED),
     (SECONDS + 1, Stays.FUTURE), (2**40, Stays.FUTURE)],
)  # fmt: skip
def test_a_date_that_cannot_be_right_keeps_and_is_listed(arrival: int | None, why: Stays) -> None:
    decisions = decide([listed(1), listed(7, arrival)], rule())
    assert set(decisions.go) == {1}
    assert decisions.odd == {7: why}


@pytest.mark.parametrize("flag", ["\\Flagged", "\\FLAGGED", "\\Draft", "\\draft"])
def test_what_is_flagged_or_a_draft_stays_by_default(flag: str) -> None:
    assert set(decide([listed(1), listed(2, OLD, flag)], rule()).go) == {1}
    assert set(decide([listed(1), listed(2, OLD, flag)], rule("30d", Policy(keep=frozenset()))).go) == {1, 2}


def test_unread_stays_when_asked_and_nothing_stays_with_none() -> None:
    mail = [listed(1, OLD, "\\Seen"), listed(2), listed(3, OLD, "\\Flagged", "\\Seen")]
    assert set(decide(mail, rule("30d", Policy(keep=parse_keep(["flagged,unread"])))).go) == {1}
    assert set(decide(mail, rule("30d", Policy(keep=parse_keep(["none"])))).go) == {1, 2, 3}


def test_a_folder_of_drafts_stays_whole_by_default() -> None:
    assert not decide([listed(1)], rule(drafts=True)).go
    assert decide([listed(1)], rule("30d", Policy(keep=frozenset()), drafts=True)).go


@pytest.mark.fault(28)
def test_by_sent_date_a_message_without_one_stays() -> None:
    by_sent = rule("30d", Policy(age_by=AgeBy.SENT))
    dates = Dates(sent={1: OLD, 2: SECONDS - DAY, 4: 0, 5: SECONDS + DAY})
    decisions = decide([listed(uid) for uid in range(1, 6)], by_sent, dates)
    assert set(decisions.go) == {1}
    assert decisions.odd == {3: Stays.UNDATED, 4: Stays.UNDATED, 5: Stays.FUTURE}
    assert set(decide([listed(2)], rule("30d"), dates).go) == {2}  # arrival decides
    assert (sum(decisions.days.values()), decisions.newest) == (5, OLD), "its arrival can be used"


def test_archived_for_counts_from_the_day_it_was_verified() -> None:
    policy = Policy(archived_for=parse_age("14d"))
    dates = Dates(archived={1: SECONDS - 14 * DAY - 1, 2: SECONDS - 14 * DAY, 4: SECONDS - 13 * DAY})
    decisions = decide([listed(uid) for uid in range(1, 5)], rule(None, policy), dates)
    assert set(decisions.go) == {1}
    assert decisions.stay[Stays.RECENT_IN_ARCHIVE].messages == 3


@pytest.mark.fault(16)
def test_a_uid_that_announces_another_message_is_noticed() -> None:
    known = {1: Known(OLD, 100, frozenset(), False), 2: Known(OLD, 101, frozenset(), False)}
    assert decide([listed(1), listed(2), listed(3)], rule(), archived=known).changed == {2}


def test_down_to_a_target_trash_goes_first_then_the_oldest_and_no_more_than_needed() -> None:
    inbox = decide([listed(1, OLD - 5), listed(2, OLD - 4), listed(3, OLD)], rule(None))
    trash = decide([listed(1, OLD + 9)], rule(None))
    both = {b"INBOX": inbox, b"Trash": trash}
    assert needed(both, {b"Trash"}, 150) == {b"Trash": {1}, b"INBOX": {1}}
    assert needed(both, {b"Trash"}, 100) == {b"Trash": {1}, b"INBOX": set()}
    assert needed(both, (), 0) == {b"Trash": set(), b"INBOX": set()}


@given(listings, st.integers(0, 2**41))
def test_what_is_needed_frees_enough_or_all_there_is_and_no_message_too_many(listing: list[Listed], need: int) -> None:
    decisions = decide(listing, rule(None))
    chosen = [decisions.go[uid] for uid in needed({b"INBOX": decisions}, (), need)[b"INBOX"]]
    freed = sum(m.size or 0 for m in chosen)
    assert freed >= min(need, sum(m.size or 0 for m in decisions.go.values()))
    newest = max(chosen, key=lambda m: (m.arrival or 0, m.uid), default=None)
    assert newest is None or freed - (newest.size or 0) < need


def test_a_restored_message_is_as_old_as_its_restore() -> None:
    dates = Dates(restored={1: SECONDS - DAY, 2: SECONDS - 31 * DAY})
    decisions = decide([listed(1), listed(2), listed(3)], rule("30d"), dates)
    assert set(decisions.go) == {2, 3}
    assert decisions.stay[Stays.RESTORED].messages == 1


def test_what_was_restored_in_the_very_second_of_the_cutoff_stays() -> None:
    decisions = decide([listed(1), listed(2)], rule("30d"), Dates(restored={1: CUTOFF, 2: CUTOFF - 1}))
    assert set(decisions.go) == {2} and decisions.stay[Stays.RESTORED].messages == 1


def test_a_message_whose_other_labels_cannot_be_known_stays() -> None:
    decisions = decide([listed(1), listed(2)], rule("30d"))
    strictest_label({b"INBOX": decisions}, {b"INBOX": {1: None, 2: "G2"}}, ())
    assert set(decisions.go) == {2} and decisions.stay[Stays.LABEL].messages == 1


@pytest.mark.parametrize(("views", "goes"), [((b"All",), {1}), ((), set())])
def test_a_view_keeps_no_message_and_a_label_does(views: tuple[bytes, ...], goes: set[int]) -> None:
    inbox, everything = decide([listed(1)], rule("30d")), decide([listed(7, SECONDS - DAY)], rule("30d"))
    strictest_label({b"INBOX": inbox, b"All": everything}, {b"INBOX": {1: "G1"}, b"All": {7: "G1"}}, views)
    assert set(inbox.go) == goes


def test_a_message_with_two_labels_goes_once() -> None:
    labels = {wire: decide([listed(1)], rule("30d")) for wire in (b"INBOX", b"Work")}
    strictest_label(labels, {b"INBOX": {1: "G1"}, b"Work": {1: "G1"}}, ())
    assert set(labels[b"INBOX"].go) == {1}
    assert not labels[b"Work"].go and labels[b"Work"].stay[Stays.TWIN].messages == 1


def test_the_newest_arrival_and_the_last_one_added_are_told() -> None:
    decisions = decide([listed(3, OLD), listed(1, OLD + 9), listed(2, OLD + 5), listed(4, SECONDS + DAY)], rule("30d"))
    assert (decisions.newest, decisions.last) == (OLD + 9, SECONDS + DAY)


def folder(name: str, *attributes: str, kind: NamespaceKind = NamespaceKind.PERSONAL) -> Folder:
    return Folder(name.encode(), b"/", frozenset(attributes), kind)


def ages(where: Folder, policy: Policy, asked: Asked | None = None, *others: Folder) -> str:
    found = Rules(policy, asked or Asked(), NOW, guess_uses((where, *others))).age(where)
    if isinstance(found, str):
        return "never"
    return found.age.text if found.age else "any"


POLICY = Policy(
    age=parse_age("1y"),
    folders={"Trash": parse_age("7d"), "\\Sent": None, "Work/*": parse_age("5y"), "Work/Tmp": parse_age("3d")},
)


def test_the_policy_of_a_folder() -> None:
    assert ages(folder("INBOX"), POLICY) == "1y"
    assert ages(folder("Trash"), POLICY) == "7d"
    assert ages(folder("Gelöscht", "\\trash"), POLICY) == "7d"
    assert ages(folder("Sent", "\\sent"), POLICY) == "never"
    assert ages(folder("Work/A"), POLICY) == "5y"
    assert ages(folder("Work/Tmp"), POLICY) == "3d"
    assert ages(folder("INBOX"), replace(POLICY, age=None)) == "never"


def test_an_age_that_was_asked_for_never_shortens_a_folders_own() -> None:
    asked = Asked(age=parse_age("30d"))
    assert ages(folder("INBOX"), POLICY, asked) == "30d"
    assert ages(folder("Trash"), POLICY, asked) == "30d"  # longer than its own
    assert ages(folder("Work/A"), POLICY, asked) == "5y"
    assert ages(folder("Sent", "\\sent"), POLICY, asked) == "never"


def test_naming_a_folder_overrides_its_policy_and_a_pattern_does_not() -> None:
    sent, work = folder("Sent", "\\sent"), folder("Work/A")
    assert ages(sent, POLICY, Asked(parse_age("30d"), folders=("Sent",))) == "30d"
    assert ages(sent, POLICY, Asked(parse_age("30d"), folders=("\\Sent",))) == "30d"
    assert ages(sent, POLICY, Asked(parse_age("30d"), folders=("S*",))) == "never"
    assert ages(work, POLICY, Asked(parse_age("30d"), folders=("Work/A",))) == "30d"
    assert ages(work, POLICY, Asked(parse_age("30d"), folders=("Work/*",))) == "5y"
    assert ages(sent, POLICY, Asked(folders=("Sent",))) == "never"


def test_a_target_respects_what_is_laid_down_for_a_folder() -> None:
    target = Asked(target=parse_target("80%"))
    assert ages(folder("INBOX"), POLICY, target) == "any"
    assert ages(folder("Sent", "\\sent"), POLICY, target) == "never"
    assert ages(folder("Work/A"), POLICY, target) == "5y"
    assert ages(folder("INBOX"), POLICY, Asked(parse_age("30d"), target=parse_target("80%"))) == "30d"


def test_shared_folders_views_and_provider_archives_are_left_alone() -> None:
    asked = Asked(age=parse_age("30d"), folders=("X",))
    assert ages(folder("X", kind=NamespaceKind.SHARED), POLICY, asked) == "never"
    assert ages(folder("X", kind=NamespaceKind.OTHER), POLICY, asked) == "never"
    for use in ("\\all", "\\important", "\\flagged", "\\archive"):
        assert ages(folder("V", use), POLICY, asked) == "never"
    assert ages(folder("V", "\\archive"), POLICY, Asked(parse_age("30d"), folders=("V",))) == "30d"
    assert ages(folder("V", "\\archive"), Policy(folders={"\\Archive": parse_age("9y")})) == "9y"


@pytest.mark.fault(22)
def test_a_name_is_guessed_only_towards_keeping() -> None:
    policy = Policy(folders={"Trash": parse_age("7d"), "Sent": None}, age=parse_age("1y"))
    assert ages(folder("Cestino"), policy) == "1y"  # not 7d
    assert ages(folder("Cestino"), replace(policy, age=None)) == "never"
    assert ages(folder("Posta inviata"), policy) == "never"
    assert ages(folder("Posta inviata"), policy, None, folder("Gesendet", "\\sent")) == "1y"
    bozze, drafts = folder("Bozze"), folder("X", "\\drafts")
    assert is_drafts(bozze, guess_uses([bozze]))
    assert not is_drafts(bozze, guess_uses([bozze, drafts]))
    assert is_drafts(folder("INBOX/Entwürfe"), guess_uses([folder("INBOX/Entwürfe")]))


def test_limits_and_keeps_are_read_strictly() -> None:
    assert parse_max_delete("50%") == MaxDelete(50.0)
    assert parse_max_delete("500") == MaxDelete(None, 500)
    assert parse_target("80 %").percent == 80
    assert parse_target("1.5GB").octets == 3 * 2**29
    for wrong in ("100%", "80", "much"):
        with pytest.raises(UsageError):
            parse_target(wrong)
    for wrong in ("101%", "half", "-1", ""):
        with pytest.raises(UsageError):
            parse_max_delete(wrong)
    for wrong in ("starred", "", "none,flagged"):
        with pytest.raises(UsageError):
            parse_keep([wrong])


def some(going: int, staying: int) -> Decisions:
    return decide(
        [listed(uid, OLD + uid if uid <= going else SECONDS) for uid in range(1, going + staying + 1)], rule()
    )


def test_a_plan_above_the_limit_is_a_brake_in_folders_that_are_not_small() -> None:
    assert brakes.too_much(some(51, 49), MaxDelete())
    assert brakes.too_much(some(50, 50), MaxDelete()) is None
    assert brakes.too_much(some(99, 0), MaxDelete()) is None
    assert brakes.too_much(some(51, 49), MaxDelete(100.0)) is None
    assert brakes.too_much(some(51, 149), MaxDelete(None, 50))
    assert brakes.too_much(some(50, 150), MaxDelete(None, 50)) is None


@pytest.mark.fault(26)
def test_a_folder_that_arrived_on_one_day_though_it_was_sent_over_months_is_a_brake() -> None:
    noon = OLD // DAY * DAY + DAY // 2
    moved = decide([listed(uid, noon + uid) for uid in range(1, 201)], rule())
    assert brakes.mostly_one_day(moved)
    assert brakes.migrated([noon - n * DAY for n in range(100)])
    assert brakes.migrated([noon - n * 60 for n in range(100)]) is None
    assert brakes.migrated([noon] * 99 + [0]) is None
    assert brakes.migrated([]) is None
    slow = decide([listed(uid, OLD - uid * DAY) for uid in range(1, 201)], rule())
    assert not brakes.mostly_one_day(slow)


@pytest.mark.fault(46)
class TestClock:
    run = brakes.PastRun
    OLD = (SECONDS - 61 * DAY,)
    """The newest message, too old to vouch for the clock."""

    def test_a_clock_before_the_last_message(self) -> None:
        assert brakes.clock_doubt(SECONDS, SECONDS + DAY, [SECONDS - DAY], [])
        assert brakes.clock_doubt(SECONDS, SECONDS + 60, [SECONDS - DAY], []) is None

    def test_a_clock_long_after_both_the_last_credible_run_and_the_newest_message(self) -> None:
        past = [self.run(SECONDS - 61 * DAY, False)]
        assert brakes.clock_doubt(SECONDS, None, self.OLD, past)
        assert brakes.clock_doubt(SECONDS, None, [SECONDS - 59 * DAY], past) is None
        assert brakes.clock_doubt(SECONDS, None, self.OLD, [self.run(SECONDS - 2 * DAY, False), *past]) is None

    def test_what_is_of_the_future_vouches_for_nothing(self) -> None:
        past = [self.run(SECONDS - 61 * DAY, True)]
        assert brakes.clock_doubt(SECONDS, None, [*self.OLD, SECONDS + 9 * DAY], past)
        assert brakes.clock_doubt(SECONDS, None, self.OLD, [*past, self.run(SECONDS + DAY, True)])

    def test_runs_under_a_wrong_clock_do_not_vouch_for_it(self) -> None:
        leap = SECONDS + 3650 * DAY
        runs = [self.run(SECONDS, False), self.run(leap - 2 * DAY, False), self.run(leap, False)]
        assert brakes.clock_doubt(leap, None, [SECONDS], runs)
        assert brakes.clock_doubt(leap, None, [SECONDS], [*runs, self.run(leap - DAY, True)]) is None

    @pytest.mark.fault(55)
    def test_a_first_run_long_after_the_newest_message_proves_nothing(self) -> None:
        doubt = brakes.clock_doubt(SECONDS, None, self.OLD, [])
        assert doubt and "no run tells that it is right" in doubt
        assert brakes.clock_doubt(SECONDS, None, [], []) is None, "nothing has a date, and nothing goes"

    @pytest.mark.fault(55)
    def test_a_run_vouches_only_when_it_lay_near_a_message_of_then_or_was_watched(self) -> None:
        """Days before now: the newest message 130; runs every night since."""
        mail = [SECONDS - days * DAY for days in (400, 130)]
        nightly = [self.run(SECONDS - days * DAY, False) for days in range(130)]
        assert brakes.clock_doubt(SECONDS, None, mail, nightly)  # those of the first 60 days are credible; 70 ago
        assert brakes.clock_doubt(SECONDS - 11 * DAY, None, mail, nightly[11:]) is None
        assert brakes.clock_doubt(SECONDS, None, mail, [*nightly, self.run(SECONDS - 59 * DAY, True)]) is None
        assert brakes.clock_doubt(SECONDS, None, mail, [*nightly, self.run(SECONDS - 61 * DAY, True)])

    @pytest.mark.fault(55)
    def test_a_run_of_the_future_does_not_vouch_for_a_clock_that_was_set_right(self) -> None:
        ahead = [self.run(SECONDS + 900 * DAY, True)]
        assert brakes.clock_doubt(SECONDS, None, self.OLD, ahead)

    @pytest.mark.fault(55)
    def test_a_new_message_in_another_account_vouches_for_the_clock(self) -> None:
        assert brakes.clock_doubt(SECONDS, None, self.OLD, [], SECONDS - 59 * DAY) is None
        assert brakes.clock_doubt(SECONDS, None, self.OLD, [], SECONDS - 61 * DAY)
