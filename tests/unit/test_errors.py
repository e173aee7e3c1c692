"""Every error that a user meets says what happened and what to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mailmove"
ERRORS = {"UsageError", "LoginError", "LoginRefused", "Unreachable", "ArchiveError", "RefusedError", "LackingError"}
NEXT_ELSEWHERE = {
    "accounts/vault.py": "whoever asks the vault says what else can be done",
    "archive/files/durable.py": "what it was doing, and the system's own word for what is wrong with the disk",
    "archive/glance.py": "seen by completion alone, which says nothing",
    "cli/serving.py": "the option that is wrong is named",
    "serving/shelf.py": "said to a mail program",
    "web/app.py": "shown on a page, which has links",
    "web/library.py": "shown on a page, which has links",
}
"""Modules whose errors need no next step of their own, and why."""


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every error that is made somewhere, and where."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                yield path.relative_to(PACKAGE).as_posix(), node


def words(node: ast.expr) -> str:
    """The fixed words of a text."""
    return "".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


FOUND = list(raised())


def test_it_finds_the_errors() -> None:
    assert len(FOUND) > 120


@pytest.mark.parametrize(("where", "node"), FOUND, ids=[f"{where}:{node.lineno}" for where, node in FOUND])
def test_an_error_says_what_to_do(where: str, node: ast.Call) -> None:
    assert len(node.args) + len(node.keywords) > 1 or where in NEXT_ELSEWHERE
    what, *next_step = map(words, node.args)
    assert not what.endswith("."), "it is followed by a line of its own"
    assert what[:1] == what[:1].lower() or what.startswith(("DNS", "OAuth", "Gmail", "Google", "Microsoft"))
    assert len(what) <= 110, "one line"
    assert sum(map(len, next_step)) <= 180, "one or two lines"
    assert "None" not in what
