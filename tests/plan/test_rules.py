"""Which rules hold for a folder: a misspelt one keeps all the same, and never lets anything go sooner."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailmove import utf7
from mailmove.model import Folder, FolderStatus, Listed, Seen
from mailmove.plan import naming
from mailmove.plan.folders import choose
from mailmove.plan.policy import Asked, Policy, guess_uses, parse_target
from mailmove.plan.renamed import Home, is_same, look_for
from mailmove.plan.rules import FolderAge, Rules
from mailmove.units import Age, parse_age

NOW = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
MONTH, YEAR, DECADE = map(parse_age, ("30d", "1y", "10y"))


def folder(name: str, *attributes: str, delimiter: bytes = b"/") -> Folder:
    return Folder(utf7.encode(name), delimiter, frozenset(attributes))


def rules(folders: dict[str, Age | None], age: Age | None = MONTH, asked: Asked | None = None, **more: object) -> Rules:
    return Rules(Policy(age, folders), asked or Asked(), NOW, **more)  # type: ignore[arg-type]


def kept(found: FolderAge | str) -> float:
    """Before when a message must have arrived to go, as Unix seconds; the lower the longer it is kept."""
    if isinstance(found, str):
        return float("-inf")
    return found.age.cutoff(NOW).timestamp() if found.age is not None else float("inf")


SPELLINGS = [
    ("clienti", "Clienti"),
    ("Clienti ", "Clienti"),
    (" CLIENTI", "Clienti"),
    ("Clienti/", "Clienti"),
    ("Clienti.", "Clienti"),
    ("INBOX/Clienti", "Clienti"),
    ("INBOX.Clienti", "Clienti"),
    ("Inbox / Clienti /", "Clienti"),
    ("Clienti", "INBOX/Clienti"),
    ("Clienti/Rossi", "INBOX/clienti/ROSSI"),
    ("INBOX/", "INBOX"),
    (unicodedata.normalize("NFC", "Größe"), unicodedata.normalize("NFD", "Größe")),
    (unicodedata.normalize("NFD", "Größe"), unicodedata.normalize("NFC", "Größe")),
    ("GRÖSSE", "Größe"),
    ("Gr&APYA3w-e", unicodedata.normalize("NFD", "Größe")),
    ("Ｃlienti", "Clienti"),
    ("Clien\u00adti", "Clienti"),
    ("clienti/*", "Clienti/Rossi"),
    ("inbox/*", "INBOX/Rossi"),
    ("größe*", "GRÖßE 2024"),
    ("IŞIK", "ışık"),
    ("istanbul", "İstanbul"),
    ("[gmail]/*", "[Gmail]/Posta inviata"),
]


@pytest.mark.fault(101)
def test_brackets_in_a_pattern_are_brackets() -> None:
    """Not a set of letters: a short age for old projects would empty the office."""
    laid_down = rules({"[Old]*": parse_age("1d")}, YEAR)
    assert laid_down.age(folder("Old")) == laid_down.age(folder("dO")) == FolderAge(YEAR, None)
    assert laid_down.age(folder("[Old] 2019")) == FolderAge(parse_age("1d"), None, own=True)
    there = [folder("INBOX"), folder("Gmail"), folder("[Gmail]/Spam")]
    assert [one.name for one in choose(there, ["[Gmail]/*"]).chosen] == ["[Gmail]/Spam"]
    assert [one.name for one in choose(there, [], ["[Gmail]*"]).chosen] == ["INBOX", "Gmail"]


@pytest.mark.fault(52)
@pytest.mark.parametrize(("rule", "name"), SPELLINGS)
def test_a_rule_that_keeps_is_found_however_it_is_spelt(rule: str, name: str) -> None:
    assert isinstance(rules({rule: None}).age(folder(name)), str)
    assert rules({rule: YEAR}).age(folder(name)) == FolderAge(YEAR, None, own=True)
    assert not rules({rule: None}).missing([folder("INBOX"), folder(name)])


@pytest.mark.fault(52)
@pytest.mark.parametrize(("rule", "name"), SPELLINGS)
def test_a_rule_that_lets_go_sooner_wants_the_very_name(rule: str, name: str) -> None:
    if rule == "INBOX/":
        return
    assert rules({rule: MONTH}, YEAR).age(folder(name)) == FolderAge(YEAR, None)
    assert rules({rule: MONTH}, None).age(folder(name)) == "no age is laid down for it"
    (missing,) = rules({rule: MONTH}, YEAR).missing([folder(name)])
    assert missing.doubtful


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("Client", "Clienti"),
        ("Clienti", "Clienti/Rossi"),
        ("INBOX/*", "Clienti"),
        ("/", "x"),
        ("Clienti", "Altri/Clienti"),
    ],
)
def test_another_name_is_another_folder(rule: str, name: str) -> None:
    assert rules({rule: None}).age(folder(name)) == FolderAge(MONTH, None)


def test_a_special_use_is_understood_however_it_is_spelt() -> None:
    sent = folder("Posta inviata", "\\sent")
    for rule in ("sent ", "SENT/", "\\SENT", "INBOX/Sent"):
        assert isinstance(rules({rule: None}).age(sent), str), rule
    guessed = folder("Posta inviata")
    five = rules({"Sent": DECADE}, uses=guess_uses([guessed]))
    assert five.age(guessed) == FolderAge(DECADE, None, own=True), "a name suggests a longer age as well as never"


def test_a_name_that_is_there_goes_before_a_pattern_that_is_misspelt() -> None:
    laid_down = {"WORK/*": None, "Work/Tmp": MONTH}
    assert rules(laid_down, YEAR).age(folder("Work/Tmp")) == FolderAge(MONTH, None, own=True)
    assert isinstance(rules(laid_down, YEAR).age(folder("Work/A")), str)


def test_of_two_rules_whose_names_only_case_tells_apart_the_one_that_keeps_holds() -> None:
    assert kept(rules({"Clienti": MONTH, "clienti ": None}).age(folder("Clienti"))) == kept("never")
    assert kept(rules({"Clienti": None, "clienti ": MONTH}).age(folder("Clienti"))) == kept("never")


def test_with_a_target_a_misspelt_rule_holds_too() -> None:
    asked = Asked(target=parse_target("80%"))
    assert isinstance(rules({"clienti": None}, asked=asked).age(folder("Clienti")), str)
    assert rules({"clienti": YEAR}, asked=asked).age(folder("Clienti")) == FolderAge(YEAR, None, own=True)


names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zs", "Zl", "Zp"), exclude_characters="/.\\*?[]&"),
    min_size=1,
    max_size=12,
).filter(lambda name: naming._fold(name) not in ("", "inbox"))


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[Folder, str]:
    """A folder, and a loose spelling of its name."""
    levels = draw(st.lists(names, min_size=1, max_size=3))
    forms: list[Literal["NFC", "NFD"]] = ["NFC", "NFD"]
    form, other = draw(st.sampled_from(forms)), draw(st.sampled_from(forms))
    delimiter = draw(st.sampled_from("/."))
    there = ("INBOX" + delimiter) * draw(st.booleans()) + delimiter.join(levels)
    cases: list[Callable[[str], str]] = [str, str.upper, str.lower, str.swapcase, str.title]
    case = draw(st.sampled_from(cases))
    text = case(unicodedata.normalize(other, draw(st.sampled_from("/.")).join(levels)))
    if draw(st.booleans()):
        text = utf7.encode(text).decode()
    text = draw(st.sampled_from(["", "INBOX/", "inbox.", "Inbox/"])) + text
    text = draw(st.sampled_from(["", " ", "  "])) + text + draw(st.sampled_from(["", " ", "/", ".", "/ "]))
    return Folder(utf7.encode(unicodedata.normalize(form, there)), delimiter.encode()), text


@pytest.mark.fault(52)
@settings(max_examples=300)
@given(misspelt())
def test_never_keeps_under_any_loose_spelling(both: tuple[Folder, str]) -> None:
    where, rule = both
    assert isinstance(rules({rule: None}).age(where), str)
    assert not rules({rule: None}).missing([where])


ages = st.sampled_from([None, MONTH, YEAR, DECADE])
laid_down = st.dictionaries(st.sampled_from(["Clienti", "Work/*", "Sent", "\\Trash", "Größe"]), ages, max_size=3)
loose = st.sampled_from([*(rule for rule, _ in SPELLINGS), "work/*", "WORK/TMP", "sent ", "\\sent", "trash/", "*"])
there = st.sampled_from(
    [*(folder(name) for _, name in SPELLINGS), folder("Work/Tmp"), folder("Posta", "\\sent"), folder("Trash")]
)
asking = st.builds(Asked, age=st.sampled_from([None, MONTH, YEAR]), target=st.sampled_from([None, parse_target("80%")]))


@pytest.mark.fault(52)
@settings(max_examples=400)
@given(there, laid_down, ages, loose, ages, asking)
@example(folder("Clienti"), {}, YEAR, "clienti", MONTH, Asked())
def test_no_loose_match_ever_shortens_a_keep(
    where: Folder, exact: dict[str, Age | None], general: Age | None, rule: str, age: Age | None, asked: Asked
) -> None:
    before = rules(exact, general, asked)
    after = rules({**exact, rule: age}, general, asked)
    if rules({rule: None}, asked=asked)._rank(where):
        return
    assert kept(after.age(where)) <= kept(before.age(where))


@pytest.mark.fault(52)
def test_a_rule_that_means_no_folder_is_told_with_the_nearest_name() -> None:
    folders = [folder("INBOX"), folder("Sent"), folder("Clienti")]
    (missing,) = rules({"Sentt": None, "Clienti": None}).missing(folders)
    assert missing.doubtful
    assert str(missing) == "the policy's 'Sentt' means no folder of this account: did you mean 'Sent'?"
    (missing,) = rules({"Qwxz 12": None}).missing(folders)
    assert str(missing) == "the policy's 'Qwxz 12' means no folder of this account"
    (missing,) = rules({"Work": None}).missing([Folder(b"Work/A")])
    assert missing.like == Folder(b"Work/A")


@pytest.mark.fault(52)
def test_what_need_not_mean_a_folder_is_only_noted() -> None:
    inherited = Rules(
        Policy(MONTH, {"Clienti": None, "\\Sent": None, "Trash": MONTH}, frozenset({"Clienti"})), Asked(), NOW
    )
    assert [missing.doubtful for missing in inherited.missing([folder("INBOX")])] == [False, False, False]
    before = {"Clienti", "\\Sent", "Trash"}
    assert [missing.doubtful for missing in inherited.missing([folder("INBOX")], before)] == [True, True, True]
    shorter = rules({"Trash": MONTH}, YEAR)
    assert not shorter.missing([folder("INBOX")], {"Trash"})[0].doubtful, "what it would have let go is kept longer"


def seen(name: str, uidvalidity: int = 7, uidnext: int | None = 100) -> Seen:
    return Seen(folder(name), FolderStatus(messages=3, uidnext=uidnext, uidvalidity=uidvalidity))


@pytest.mark.fault(52)
class TestRenamed:
    HOME = Home("Clienti", b"Clienti", 7, "F1")

    def test_by_mailboxid(self) -> None:
        views = [seen("Clienti"), seen("Kunden")]
        found = look_for(self.HOME, views, {b"Clienti": "F2", b"Kunden": "F1"}, 9)
        assert found.certain == (views[1],) and not found.possible

    def test_where_it_was(self) -> None:
        views = [seen("Clienti"), seen("Kunden")]
        assert look_for(Home("Clienti", b"Clienti", 7), views, {}, 9).certain == (views[0],)

    def test_by_uidvalidity_all_that_may_be_it(self) -> None:
        views = [seen("Kunden"), seen("Altro"), seen("Neu", 8), seen("Small", uidnext=9), seen("Odd", uidnext=None)]
        found = look_for(Home("Clienti", b"Clienti", 7), views, {}, 9)
        assert [view.folder.name for view in found.possible] == ["Kunden", "Altro", "Odd"]
        assert not look_for(Home("Clienti", b"Clienti", 7), views, {}, 0).possible, "nothing to hold them against"

    def test_another_folder_under_the_old_name_is_not_it(self) -> None:
        views = [seen("Clienti", uidnext=3), seen("Kunden")]
        assert look_for(Home("Clienti", b"Clienti", 7), views, {}, 9).possible == (views[1],)
        assert look_for(self.HOME, [seen("Clienti")], {b"Clienti": "F2"}, 9).certain == ()

    def test_the_messages_decide(self) -> None:
        known = {uid: Listed(uid, 1000 + uid, 10 * uid, frozenset()) for uid in range(1, 5)}
        as_known = {uid: _Archived(listed) for uid, listed in known.items()}
        assert is_same(list(known.values()), as_known)  # type: ignore[arg-type]
        one_other = [listed._replace(size=3 if listed.uid == 4 else listed.size) for listed in known.values()]
        assert is_same(one_other, as_known)  # type: ignore[arg-type]
        assert not is_same([listed._replace(size=3) for listed in known.values()], as_known)  # type: ignore[arg-type]
        assert not is_same([], as_known)  # type: ignore[arg-type]
        assert not is_same([listed._replace(uid=listed.uid + 9) for listed in known.values()], as_known)  # type: ignore[arg-type]


class _Archived:
    def __init__(self, listed: Listed) -> None:
        self.arrival, self.size, self.flags, self.gone = listed.arrival, listed.size, listed.flags, False
