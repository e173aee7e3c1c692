"""Each scheduler gets what it reads as the same command, whatever the words of it are."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from mailmove.accounts.schedule import cron, systemd
from mailmove.accounts.schedule.job import Job, time_of_day
from mailmove.accounts.schedule.launchd import Launchd
from mailmove.errors import UsageError

ODD = ("a b", "100 %", "50%n %h", 'say "x"', "it's", "back\\slash", "$HOME `id` $(id)", "é", "#;&|", "")


def job(*words: str) -> Job:
    return Job(("/bin/echo", *words), 3, 5, {"MAILMOVE_CONFIG": "/odd dir/100 %/it's $x.toml"})


def as_cron_does(line: str, home: Path) -> str:
    """Take the five fields off, end the command at the first bare %, and hand it to sh with nothing but HOME."""
    *_, command = line.split(" ", 5)
    command = re.split(r"(?<!\\)%", command)[0].replace(r"\%", "%")
    done = subprocess.run(
        ["/bin/sh", "-c", command], env={"HOME": str(home)}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.fault(97)
def test_the_line_of_a_crontab(tmp_path: Path) -> None:
    line = cron.line(job(*ODD))
    assert line.startswith("5 3 * * * /usr/bin/env ")
    assert as_cron_does(line, tmp_path) == " ".join(ODD) + "\n"
    environment = cron.line(Job(("/usr/bin/env",), 3, 5, job().environment))
    assert as_cron_does(environment, tmp_path).splitlines()[0] == "HOME=" + str(tmp_path)
    assert "MAILMOVE_CONFIG=/odd dir/100 %/it's $x.toml" in as_cron_does(environment, tmp_path)


def test_the_property_list_of_launchd() -> None:
    read = plistlib.loads(Launchd().written(job(*ODD)).encode())
    assert read["ProgramArguments"] == ["/bin/echo", *ODD]
    assert read["EnvironmentVariables"] == job().environment
    assert read["StartCalendarInterval"] == {"Hour": 3, "Minute": 5}


def test_the_units_of_systemd(tmp_path: Path) -> None:
    service = systemd.units(job(*ODD))["mailmove.service"]
    (start,) = re.findall(r"^ExecStart=:(.*)$", service, re.MULTILINE)
    assert "%" not in start.replace("%%", ""), "no specifier"
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', start.replace("%%", "%"))]
    assert words == ["/bin/echo", *ODD]
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd is not installed")
    for name, text in systemd.units(job(*ODD)).items():
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / name) for name in systemd.units(job())]
    done = subprocess.run([verify, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert not re.search(r"mailmove\.(service|timer)", done.stderr), done.stderr


@pytest.mark.parametrize("make", [cron.line, systemd.units, Launchd().written])
def test_a_word_that_would_end_a_line_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError, match="control character"):
        make(job("two\nlines"))


def test_a_time_of_day() -> None:
    assert [time_of_day(text) for text in ("03:15", "3:15", "23:59", " 00:00 ")] == [(3, 15), (3, 15), (23, 59), (0, 0)]
    for wrong in ("24:00", "3", "3:5", "03:60", "", "-1:00", "03:15:00"):
        with pytest.raises(UsageError, match="time of day"):
            time_of_day(wrong)


@pytest.fixture
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``crontab`` in the PATH that keeps its table in this file."""
    table = tmp_path / "table"
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\nt={shlex.quote(str(table))}\n"
        'case "$1" in\n-l) [ -e "$t.broken" ] && { echo "cannot open" >&2; exit 1; }\n'
        '  [ -e "$t" ] || { echo "no crontab for me" >&2; exit 1; }; cat "$t";;\n'
        '-) cat > "$t";;\nesac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return table


def test_a_crontab_keeps_all_other_lines(crontab: Path) -> None:
    scheduler = cron.Cron()
    assert scheduler.installed() is None and not scheduler.remove()
    others = "# mine\n0 1 * * * true 100\\%"
    for before in ("", others, others + "\n"):
        crontab.write_text(before)
        scheduler.install(job("one"))
        scheduler.install(job("two"))
        text = crontab.read_text()
        assert text.count(cron.BEGIN) == text.count(cron.END) == 1 and "two" in text and "one" not in text
        assert scheduler.installed() == scheduler.written(job("two"))
        assert scheduler.remove()
        assert crontab.read_text().rstrip("\n") == before.rstrip("\n")


@pytest.mark.fault(97)
def test_a_crontab_that_cannot_be_read_or_told_apart_is_not_replaced(crontab: Path) -> None:
    from mailmove.errors import LackingError, RefusedError

    for broken in (cron.BEGIN, cron.END, f"{cron.END}\n{cron.BEGIN}", f"{cron.BEGIN}\n{cron.BEGIN}\n{cron.END}"):
        crontab.write_text(broken + "\n0 1 * * * true\n")
        for change in (lambda: cron.Cron().install(job()), cron.Cron().remove, cron.Cron().installed):
            with pytest.raises(RefusedError):
                change()
        assert crontab.read_text() == broken + "\n0 1 * * * true\n"
    crontab.write_text("0 1 * * * true\n")
    crontab.with_name("table.broken").touch()
    with pytest.raises(LackingError, match="cannot open"):
        cron.Cron().install(job())
    assert crontab.read_text() == "0 1 * * * true\n"
