"""Many accounts in one run: no more threads than asked for, and of each account only what will be printed is kept."""

from __future__ import annotations

import io
import sys
import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mailmove.accounts.config import Config
from mailmove.archive.state.memory import Memory
from mailmove.cli.options import Place, Setup
from mailmove.cli.running import Told, conclude, present, run, telling
from mailmove.cli.work import Work
from mailmove.errors import Exit, Unreachable
from mailmove.jobs.progress import Progress
from mailmove.report.again import Again

PLACES = [Place(f"account {number}", "", None) for number in range(20)]
JOBS = 3


class Result:
    """What a job returns; it may be large."""

    exit = Exit.PARTIAL

    def __init__(self, name: str) -> None:
        self.name = name


class Report:
    def text(self, result: Result, again: Again) -> Iterator[str]:
        yield f"all of {result.name}; next: {again.command('export')}"

    def problems(self, result: Result, again: Again) -> Iterator[str]:
        yield f"what is wrong with {result.name}; next: {again.command('export')}"

    def as_json(self, result: Result) -> dict[str, Any]:
        return {"account": result.name}


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(str(tmp_path))


def test_results_do_not_outlive_their_job(memory: Memory) -> None:
    alive = weakref.WeakSet[Result]()
    most = []
    threads = set()

    def start(work: Work) -> Generator[Progress, None, Result]:
        yield from ()
        result = Result(work.name)
        alive.add(result)
        most.append(len(alive))
        threads.add(threading.current_thread())
        return result

    setup = Setup(Config(""), memory, jobs=JOBS)
    outcomes = run(setup, PLACES, telling(setup, Report(), start), login=False)
    assert [outcome.place for outcome in outcomes] == PLACES
    assert max(most) <= JOBS
    assert len(threads) <= JOBS
    assert not alive


def test_nor_does_what_an_error_went_through(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    alive = weakref.WeakSet[Result]()

    def start(work: Work) -> Generator[Progress, None, Result]:
        yield from ()
        listing = Result(work.name)
        alive.add(listing)
        try:
            raise OSError("cut")
        except OSError as error:
            raise Unreachable("the line is bad") from error

    outcomes = run(Setup(Config(""), memory, jobs=JOBS), PLACES, start, login=False)
    assert not alive
    assert conclude(outcomes) is Exit.UNREACHABLE
    assert "account 7: the line is bad" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "all of account 7; next: mailmove export\n"),
        ({"quiet": True}, "what is wrong with account 7; next: mailmove export\n"),
        ({"json": True}, '{"account": "account 7"}'),
    ],
)
def test_what_is_printed_is_the_same(
    memory: Memory, capsys: pytest.CaptureFixture[str], words: dict[str, bool], said: str
) -> None:
    def start(work: Work) -> Generator[Progress, None, Result]:
        yield from ()
        return Result(work.name)

    setup = Setup(Config(""), memory, **words)  # type: ignore[arg-type]
    straight = present("test", setup, run(setup, PLACES, start, login=False), Report()), capsys.readouterr()
    kept = present("test", setup, run(setup, PLACES, telling(setup, Report(), start), login=False), Told)
    assert straight == (kept, told := capsys.readouterr())
    assert said in told.out + told.err


@pytest.mark.fault(64)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("how", ["full", "closed"])
def test_a_question_that_could_not_be_shown_whole_is_not_answered(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, stream: str, how: str
) -> None:
    answers: list[str | None] = []

    def start(work: Work) -> Generator[Progress, None, Result]:
        yield from ()
        if how == "closed":
            broken.close()
        answers.append(work.ask(["what is to go", "and more"], "Type 2 to delete: "))
        return Result(work.name)

    broken = open("/dev/full", "w", encoding="utf-8")
    with monkeypatch.context() as there:
        there.setattr(sys, "stdin", io.StringIO("2\n"))
        there.setattr(sys, stream, broken)
        [outcome] = run(Setup(Config(""), memory), PLACES[:1], start, login=False)
    with suppress(OSError):
        broken.close()
    assert (outcome.exit, answers) == (Exit.REFUSED, [])
    assert "could not be shown whole" in str(outcome.error)
