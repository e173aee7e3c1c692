"""How results are said: tables and figures."""

from __future__ import annotations

import pytest

from mailmove.plan.retention import Stays
from mailmove.report import words
from mailmove.report.table import Column, table


def test_a_table_aligns_wide_characters_and_leaves_out_what_is_empty() -> None:
    columns = [Column(cut=16), Column(figures=True), Column(), Column()]
    rows = [("会議/資料", "7", "", "[bold]x[/bold]"), ("INBOX", "1,204", "", "")]
    assert list(table(columns, rows, indent=2)) == ["  会議/資料      7  [bold]x[/bold]", "  INBOX      1,204"]


def test_a_terminal_takes_what_does_not_fit_from_the_widest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    columns = [Column(cut=16), Column(cut=16), Column(figures=True)]
    shown = list(table(columns, [("f" * 20, "s" * 300, "7"), ("f", "会" * 30, "12")]))
    assert shown == ["f" * 20 + "  " + "s" * 33 + "…   7", "f" + " " * 21 + "会" * 16 + " …  12"]
    assert list(table(columns, [("f" * 300, "s" * 300, "7")])) == ["f" * 26 + "…  " + "s" * 27 + "…  7"]


def test_a_table_of_nothing_is_no_line_but_heads_are_one() -> None:
    assert list(table([Column(), Column(figures=True)], [])) == []
    assert list(table([Column("Folder"), Column("size")], [])) == ["Folder  size"]


def test_only_what_is_full_is_100_percent() -> None:
    assert [words.percent(number) for number in (None, 0, 99.96, 100)] == ["-", "0 %", "99 %", "100 %"]


def test_one_draft_is_no_drafts() -> None:
    assert [words.stays(number, Stays.DRAFT) for number in (1, 2)] == ["1 draft", "2 drafts"]


def test_programs_are_told_what_people_are() -> None:
    assert [words.hundredths(number) for number in (None, 0, 92.998, 99.999, 100)] == [None, 0, 92.99, 99.99, 100]


def test_a_terminal_that_is_too_narrow_takes_the_last_cell_below_and_what_can_be_spared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    columns = [Column(cut=8), Column(figures=True, spare=1), Column(figures=True), Column(below=True)]
    rows = [("f" * 20, "1,204", "7", "keeps 3"), ("g", "1", "12", "")]
    monkeypatch.setenv("COLUMNS", "40")
    assert list(table(columns, rows)) == [f"{'f' * 20}  1,204   7  keeps 3", f"g{' ' * 19}      1  12"]
    monkeypatch.setenv("COLUMNS", "38")
    assert list(table(columns, rows)) == [f"{'f' * 20}  1,204   7", "  keeps 3", f"g{' ' * 19}      1  12"]
    monkeypatch.setenv("COLUMNS", "14")
    assert list(table(columns, rows)) == [f"{'f' * 8}f…   7", "  keeps 3", f"g{' ' * 9}  12"]
    monkeypatch.setenv("COLUMNS", "4")
    assert next(iter(table(columns, rows))) == f"{'f' * 7}…   7", "figures are never broken"
