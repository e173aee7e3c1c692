"""``mailmove help`` and the manual pages say what the commands' own help says, and both come with the wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import pytest

from mailmove.cli import manual, topics
from mailmove.report.topic import lines
from tests import kit
from tests.kit import Program
from tests.terminal import Terminal
from tests.unit.test_documentation import COMMANDS, ROOT

TOP = Path(__file__).parents[2]
PAGES = manual.pages()
LINK = re.compile(r"\[([^]]*)\]\((?:\.\./[^)]*|([a-z-]+)\.md)\)")


def read(page: str) -> str:
    """A page's text as man shows it, for looking things up in it."""
    return re.sub(r"\\(.)", lambda escape: {"e": "\\", "&": ""}.get(escape[1], escape[1]), page)


def test_there_is_a_page_for_each_command() -> None:
    names = {f"{name.replace(' ', '-')}.1" for name in COMMANDS}
    assert set(PAGES) == names | {"mailmove.1", "mailmove-account.1"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_and_its_help(name: str) -> None:
    page = read(PAGES[f"{name.replace(' ', '-')}.1"])
    for parameter in COMMANDS[name].params:
        assert parameter.help.rstrip(".") in page
        assert all(option in page for option in parameter.opts if option.startswith("-"))
    assert ".B -h, --help" in page


def test_the_first_page_leads_to_the_others() -> None:
    for name in ROOT.list_commands(None):
        assert f"mailmove-{name}(1)" in read(PAGES["mailmove.1"])


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_man_can_read_them() -> None:
    text = "".join(PAGES.values()).encode()
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_help_is_the_commands_own(mailmove: Program) -> None:
    assert mailmove("help", "account", "add").out == mailmove("account", "add", "--help").out
    whole = mailmove("help").out
    assert whole.startswith(mailmove("--help").out)
    assert all(f"  {name}  " in whole for name in topics.titles())


def test_a_topic_is_read_and_another_word_refused(mailmove: Program) -> None:
    assert mailmove("help", "exit-codes").out.startswith("Exit codes: ")
    both = mailmove("help", "prune").out
    assert both.splitlines() == [*mailmove("prune", "--help").out.splitlines(), "", *lines(kit.topic("prune"))]
    done = mailmove("help", "account", "exports")
    assert done.code == 2
    assert "account exports" in done.err


@pytest.mark.parametrize("name", topics.titles())
def test_a_topic_is_laid_out_for_its_reader(name: str) -> None:
    """In 80 columns, whole and without marks, links as text; only code, which is there to be copied, may be wider."""
    text = re.sub(r"^```.*", "", kit.topic(name), flags=re.MULTILINE)
    written, shown = set(text.splitlines()), list(lines(kit.topic(name)))
    prose = [line for line in shown if not (line.startswith("    ") and {line, line[4:]} & written)]
    assert all(len(line) <= 80 and line == line.rstrip() for line in prose)
    assert not [line for line in prose if re.search(r"`|\*\*|\]\(|^#|<http", line)]
    said = LINK.sub(lambda link: f"{link[1]} (mailmove help {link[2]})" if link[2] else link[1], text)
    assert Counter(re.findall(r"\w", "".join(shown))) == Counter(re.findall(r"\w", said))


def test_a_topic_at_a_terminal_has_bold_heads(mailmove: Program) -> None:
    with Terminal(mailmove.command("help", "export"), mailmove.env, columns=80) as terminal:
        assert terminal.finish() == 0
    assert "\x1b[1mExport: bring everything home\x1b[0m\r\n" in terminal.shown
    assert "stand-ins (mailmove help stand-ins)" in " ".join(terminal.shown.split())


def test_every_topic_has_a_title() -> None:
    for name in topics.titles():
        assert (topics.read(name) or "").startswith("# "), name
    assert topics.read("../docs/exit-codes") is None


def test_wheel_and_sdist_have_what_belongs_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = pytest.importorskip("hatchling.build", reason="comes with the extra: pip install -e '.[test]'")
    monkeypatch.chdir(TOP)
    with ZipFile(tmp_path / build.build_wheel(os.fspath(tmp_path))) as wheel:
        names = wheel.namelist()
    shared = {Path(name).name for name in names if "/share/man/man1/" in name}
    assert shared == set(PAGES)
    assert {f"mailmove/docs/{name}.md" for name in topics.titles()} <= set(names)
    assert all(name.startswith(("mailmove/", "mailmove-")) for name in names)
    with tarfile.open(tmp_path / build.build_sdist(os.fspath(tmp_path))) as sdist:
        inside = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "mailmove/cli/manual_hook.py", "mailmove/docs/exit-codes.md"}
    assert wanted <= inside
