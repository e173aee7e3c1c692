"""A failed step stops only what is not safe without it."""

from __future__ import annotations

import pytest

from mailmove.errors import Exit
from mailmove.plan.steps import Step, held

ALL = set(Step)


@pytest.mark.parametrize(
    ("exported", "taken"),
    [
        (Exit.DONE, {Step.COPY, Step.PRUNE, Step.AUDIT}),
        (Exit.PARTIAL, {Step.COPY, Step.PRUNE, Step.AUDIT}),
        (Exit.UNREACHABLE, {Step.COPY}),
        (Exit.LOGIN, {Step.COPY}),
        (Exit.ARCHIVE, {Step.AUDIT}),
        (Exit.USAGE, {Step.COPY, Step.AUDIT}),
        (Exit.REFUSED, {Step.COPY, Step.AUDIT}),
        (Exit.INTERRUPTED, set()),
    ],
)
def test_after_an_export(exported: Exit, taken: set[Step]) -> None:
    assert {step for step in ALL - {Step.EXPORT} if not held(step, {Step.EXPORT: exported})} == taken


@pytest.mark.parametrize("copied", set(Exit) - {Exit.DONE, Exit.INTERRUPTED})
def test_a_failed_copy_holds_the_prunes_that_name_it_and_no_other(copied: Exit) -> None:
    before = {Step.EXPORT: Exit.DONE, Step.COPY: copied}
    assert held(Step.PRUNE, before, needs_copy=True)
    assert not held(Step.PRUNE, before)
    assert not held(Step.AUDIT, before, needs_copy=True)


def test_interrupted_anywhere_is_the_end() -> None:
    assert held(Step.AUDIT, {Step.EXPORT: Exit.DONE, Step.PRUNE: Exit.INTERRUPTED})
