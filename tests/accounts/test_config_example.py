"""config.example.toml is true: it loads, and it shows exactly the keys that mailmove accepts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mailmove.accounts import config
from mailmove.errors import UsageError
from mailmove.plan.policy import Policy
from mailmove.units import parse_age

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def everything() -> str:
    """The example with its optional lines in force."""
    text = re.sub(r"\[accounts\]\n#csv.*\n#command.*\n", "", EXAMPLE.read_text())  # there is no such list here
    return re.sub(r"^#(?=[\w\"\[])", "", text, flags=re.MULTILINE)


def tables(found: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Every table that holds keys, with its path and its keys."""
    if any(not isinstance(value, dict) for value in found.values()):
        yield path, set(found)
    for name, value in found.items():
        if isinstance(value, dict):
            yield from tables(value, (*path, name))


def test_the_example_loads() -> None:
    loaded = config.load(str(EXAMPLE))
    assert [account.name for account in loaded.accounts] == ["info@rossi.example", "work", "a.rossi@gmail.com"]
    assert loaded.accounts[0].endpoint.port == 993
    assert loaded.accounts[1].token_command == ("oauth2-token", "a.rossi@work.example")
    assert loaded.accounts[2].oauth == loaded.client("google")


def test_the_example_lays_down_what_prune_may_do() -> None:
    policy = config.load(str(EXAMPLE)).accounts[0].prune
    assert policy == Policy(
        age=parse_age("1y"),
        folders={"Trash": parse_age("7d"), "Junk": parse_age("14d"), "Sent": None, "Projects/*": parse_age("5y")},
    )
    assert config.load(str(EXAMPLE)).accounts[1].prune is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('older_than = "30"', "Did you mean 30d"),
        ('older_than = "30m"', "Did you mean 30mo"),
        ("older_than = 30", "must be a text in quotes"),
        ('keep = ["starred"]', "Allowed: flagged, drafts, unread"),
        ('keep = "flagged"', "must be a list of words"),
        ('max_delete = "half"', "Write a share such as 50%"),
        ("keep_newest = -1", "must be a number of messages"),
        ('folders = { Trash = "soon" }', "Trash: 'soon' is not an age"),
        ('age_by = "size"', "Allowed: arrival, sent"),
        ("", "no age is laid down"),
        ('older = "1y"', "unknown key 'older'"),
        ("without_archive = true", "unknown key 'without_archive'"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_by_name(line: str, said: str, tmp_path: Path) -> None:
    wrong = tmp_path / "config.toml"
    wrong.write_text(f'[account.me]\nhost = "localhost"\n[account.me.prune]\n{line}\n')
    with pytest.raises(UsageError) as caught:
        config.load(str(wrong))
    assert said in str(caught.value)
    assert "[account.me.prune]" in str(caught.value)


def test_every_optional_line_is_accepted_as_shown(tmp_path: Path) -> None:
    shown = tmp_path / "config.toml"
    shown.write_text(everything())
    first = config.load(str(shown)).accounts[0]
    assert first.password_command == ("pass", "show", "mail/rossi")
    assert first.folders == ("INBOX", r"\Sent", "Projects/*")
    assert first.quota == 2 * 1024**3
    assert first.endpoint.ca_file == str(Path("~/.config/mailmove/ca.pem").expanduser())


def test_optional_lines_show_the_defaults(tmp_path: Path) -> None:
    """Where a line says what holds when it is left out, it must be what holds when it is left out."""
    shown = tmp_path / "config.toml"
    shown.write_text(everything())
    as_shown, left_out = config.load(str(shown)), config.load(str(EXAMPLE))
    assert as_shown.archives == left_out.archives
    for name in ("host", "port", "user", "security", "timeout", "retry_waits"):
        assert getattr(as_shown.accounts[0].endpoint, name) == getattr(left_out.accounts[0].endpoint, name), name
    assert as_shown.accounts[0].archive == left_out.accounts[0].archive
    assert as_shown.clients == left_out.clients


def test_every_accepted_key_is_shown(tmp_path: Path) -> None:
    """An unknown key is answered with the list of those allowed: the example shows each of them, and no other."""
    text = everything()
    shown: dict[tuple[str, ...], set[str]] = {}
    allowed: dict[tuple[str, ...], set[str]] = {}
    for path, keys in tables(tomllib.loads(text)):
        if path[-1:] == ("folders",) or "copies" in path[-2:]:
            continue  # its keys are the user's own folders, or copies
        kind = ("account", "*", *path[2:]) if path[:1] == ("account",) else path
        if path[:1] in {("defaults",), ("templates",)}:
            continue  # the keys of an account
        shown.setdefault(kind, set()).update(keys)
        header = r"^\[" + r"\.".join(f'"?{re.escape(name)}"?' for name in path) + r"\]\n"
        begins = re.search(header, text, re.MULTILINE)
        where = begins.end() if path and begins else 0
        wrong = tmp_path / "wrong.toml"
        wrong.write_text(text[:where] + "zzzzzz = 1\n" + text[where:])
        with pytest.raises(UsageError, match="unknown key 'zzzzzz'") as caught:
            config.load(str(wrong))
        allowed[kind] = set(re.findall(r"\w+", caught.value.next_step.removeprefix("Allowed here:")))
    allowed[()].remove("accounts")
    assert shown == allowed
    assert len(shown) >= 2
