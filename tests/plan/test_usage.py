"""What an audit says a prune would free is what the rules of prune decide, message by message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailmove.archive.index.messages import Known
from mailmove.model import Listed
from mailmove.plan.policy import AgeBy, Keep, Policy, before
from mailmove.plan.retention import Dates, FolderRule, Tally, decide
from mailmove.plan.rules import FolderAge
from mailmove.plan.usage import Usage
from mailmove.units import parse_age

NOW = datetime(2026, 11, 23, 10, 2, tzinfo=UTC)
AGES = [parse_age(text) for text in ("30d", "1y", "2y")]
EDGES = [before(age, NOW) for age in reversed(AGES)]

# Dates are drawn where rules turn over: at an edge, and a second to either side of it.
TURNS = [0, 31_536_000, *EDGES, int(NOW.timestamp()), before(parse_age("14d"), NOW)]
dates = st.sampled_from(TURNS).flatmap(lambda turn: st.integers(turn - 2, turn + 2)) | st.integers(0, 2_000_000_000)
flags = st.sets(st.sampled_from(["\\Seen", "\\Flagged", "\\flagged", "\\Draft", "$Work"])).map(frozenset)
messages = st.builds(Listed, st.just(0), st.none() | dates, st.none() | st.integers(0, 10**6), flags)


@settings(max_examples=300)
@given(
    listing=st.lists(messages, max_size=40),
    sent=st.lists(st.none() | dates, min_size=40, max_size=40),
    archived=st.lists(st.none() | dates, min_size=40, max_size=40),
    restored=st.lists(st.none() | dates, min_size=40, max_size=40),
    held=st.sets(st.integers(1, 40)),
    keep=st.sets(st.sampled_from(Keep)),
    keep_newest=st.integers(0, 5),
    by_sent=st.booleans(),
    archived_for=st.sampled_from([None, parse_age("14d")]),
    drafts=st.booleans(),
)
@example(  # the newest to arrive has no Date header: it is among the newest all the same
    listing=[Listed(0, EDGES[0] - 2, 5, frozenset()), Listed(0, EDGES[0] - 1, 5, frozenset())],
    sent=[EDGES[0] - 2, *[None] * 39],
    archived=[None] * 40,
    restored=[None] * 40,
    held=set(),
    keep=set(),
    keep_newest=1,
    by_sent=True,
    archived_for=None,
    drafts=False,
)
def test_what_would_be_freed_is_what_prune_decides(
    listing: list[Listed],
    sent: list[int | None],
    archived: list[int | None],
    restored: list[int | None],
    held: set[int],
    keep: set[Keep],
    keep_newest: int,
    by_sent: bool,
    archived_for: object,
    drafts: bool,
) -> None:
    listing = [message._replace(uid=uid) for uid, message in enumerate(listing, 1)]

    def told(values: list[int | None]) -> dict[int, int]:
        return {uid: value for uid, value in enumerate(values, 1) if value is not None}

    known = {m.uid: Known(m.arrival or 0, m.size or 0, m.flags, False) for m in listing if m.uid in held}
    policy = Policy(keep=frozenset(keep), keep_newest=keep_newest, age_by=AgeBy.SENT if by_sent else AgeBy.ARRIVAL)
    of = Dates(told(sent), told(archived) if archived_for else {}, told(restored))
    rules = [FolderRule(FolderAge(age, archived_for), policy, NOW, drafts=drafts) for age in AGES]  # type: ignore[arg-type]
    instants = {*EDGES, *(instant for rule in rules for instant in rule.instants)}
    usage = Usage(instants, NOW, known, of, by_sent=by_sent, newest=keep_newest)
    usage.add(listing)
    for rule in rules:
        decided, freed = decide(listing, rule, of, known), usage.freed(rule)
        assert freed.all == _tally(decided.go.values())
        assert freed.archived == _tally(m for uid, m in decided.go.items() if uid in held)
        assert {why: tally for why, tally in freed.stays.items() if tally.messages} == decided.stay


def test_kinds_do_not_grow_with_the_number_of_messages() -> None:
    usage = Usage(EDGES, NOW, {})
    for start in range(0, 20_000, 1000):
        usage.add([Listed(uid, uid * 80_000, 5, frozenset({"\\Seen"})) for uid in range(start + 1, start + 1001)])
    assert usage.all == Tally(20_000, 100_000)
    assert len(usage._kinds) <= 6


def test_bands_unread_days_and_undated() -> None:
    usage = Usage(EDGES, NOW, {}, biggest=2)
    arrived = [None, 5, EDGES[0] - 1, EDGES[0], EDGES[2], int(NOW.timestamp()), int(NOW.timestamp()) + 1]
    usage.add([Listed(uid, date, uid * 10, frozenset()) for uid, date in enumerate(arrived, 1)])
    usage.add([Listed(8, EDGES[2], None, frozenset({"\\SEEN"}))])
    assert usage.bands(EDGES) == [Tally(1, 30), Tally(1, 40), Tally(0, 0), Tally(3, 110)]
    assert usage.undated == Tally(3, 100)
    assert usage.unread == 7
    assert usage.unsized == 1
    assert min(usage.days) == (EDGES[0] - 1) // 86_400
    assert sum(day.messages for day in usage.days.values()) == 5
    assert sorted(big.uid for big in usage.big) == [6, 7]


def test_a_message_is_archived_only_as_what_it_announces() -> None:
    arrival = int((NOW - timedelta(days=900)).timestamp())
    known = {1: Known(arrival, 10, frozenset(), False), 2: Known(arrival, 11, frozenset(), False)}
    usage = Usage(EDGES, NOW, known)
    usage.add([Listed(uid, arrival, 10, frozenset()) for uid in (1, 2, 3)])
    assert (usage.all.messages, usage.archived) == (3, Tally(1, 10))


def _tally(messages: object) -> Tally:
    tally = Tally()
    for message in messages:  # type: ignore[attr-defined]
        tally.add(message)
    return tally
