"""``FAULTS.md`` tells the truth: its rows have tests, its tests exist and say the same row."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FAULTS, LOSSES = (TESTS / "FAULTS.md").read_text(encoding="utf-8").split("\n## ")[1:]
TABLES = {"fault": FAULTS, "loss": LOSSES}


def rows(table: str) -> dict[int, str]:
    """The last cell of every row, by its number."""
    found = re.findall(r"^\|(\d+)\|.*\|([^|]*)\|$", table, re.MULTILINE)
    assert len(found) == len(dict(found)), "a number is there twice"
    return {int(number): last for number, last in found}


def marks(decorators: list[ast.expr], kind: str) -> Iterator[int]:
    """The rows that ``pytest.mark.KIND(…)`` names."""
    for mark in decorators:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == f"pytest.mark.{kind}":
            yield from (ast.literal_eval(row) for row in mark.args)


@cache
def marked(kind: str) -> dict[str, set[int]]:
    """Every test of all, by its name as the table gives it, with the rows it is marked with."""
    found: dict[str, set[int]] = {}

    def look(body: list[ast.stmt], before: str, inherited: set[int]) -> None:
        for node in body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
                whole = node.value.elts if isinstance(node.value, ast.List) else [node.value]
                inherited = inherited | set(marks(whole, kind))
            elif isinstance(node, ast.ClassDef):
                look(node.body, f"{before}::{node.name}", inherited | set(marks(node.decorator_list, kind)))
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{before}::{node.name}"] = inherited | set(marks(node.decorator_list, kind))

    for path in sorted(TESTS.rglob("test_*.py")):
        look(ast.parse(path.read_text(encoding="utf-8")).body, path.relative_to(TESTS).as_posix(), set())
    return found


@pytest.mark.parametrize("kind", TABLES)
def test_every_row_names_tests_that_play_it(kind: str) -> None:
    tests = marked(kind)
    for number, last in rows(TABLES[kind]).items():
        named = re.findall(r"`([\w/]+\.py::\w+(?:::\w+)?)`", last)
        assert named or last.startswith("does not apply: "), f"{kind} {number} has no test"
        for name in named:
            assert name in tests, f"{kind} {number}: there is no {name}"
            assert number in tests[name], f"{kind} {number}: {name} is not marked with it"


@pytest.mark.parametrize("kind", TABLES)
def test_the_table_has_every_row_that_a_test_is_marked_with(kind: str) -> None:
    numbers = rows(TABLES[kind])
    assert list(numbers) == sorted(numbers)
    assert set(numbers) >= set(range(1, 51))
    assert set().union(*marked(kind).values()) <= set(numbers)
