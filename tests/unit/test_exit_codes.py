"""Exit codes are a promise to scripts: unique, ordered, and documented."""

from __future__ import annotations

import re

from mailmove import errors
from mailmove.errors import Exit, MailmoveError, most_serious
from tests.kit import topic

SECTION = topic("exit-codes")


def test_each_number_has_one_name() -> None:
    assert len(Exit.__members__) == len({int(code) for code in Exit})


def test_the_topic_lists_exactly_these() -> None:
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", SECTION, re.MULTILINE)] == sorted(Exit)


def test_the_topic_tells_which_is_most_serious() -> None:
    told = re.search(r"in the order ([\d, ]+)\)", SECTION)
    assert told
    order = [Exit(int(number)) for number in told[1].split(", ")]
    assert sorted([*order, Exit.DONE]) == sorted(Exit)
    for place, worse in enumerate(order):
        for milder in [*order[place:], Exit.DONE]:
            assert most_serious([milder, worse]) is worse
            assert most_serious([worse, milder]) is worse


def test_no_accounts_at_all_is_done() -> None:
    assert most_serious([]) is Exit.DONE


def test_every_error_owns_a_code_other_than_done() -> None:
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, MailmoveError)]
    assert len(classes) > 8
    assert all(isinstance(error.exit, Exit) and error.exit is not Exit.DONE for error in classes)
