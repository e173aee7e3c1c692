"""Audit against real servers: its figures are the server's own, and it changes nothing."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.kit import NOW, Mailbox, Program, message
from tests.servers.dovecot import Dovecot

OLD = NOW - timedelta(days=800)


def fill(mailbox: Mailbox) -> None:
    """Old and new, flagged, drafts, in folders of all kinds."""
    mailbox.fill((message(n, size=3000) for n in range(20)), arrival=OLD, flags=["\\Seen"])
    mailbox.fill((message(n, size=2000) for n in range(20, 25)), arrival=OLD, flags=["\\Flagged"])
    mailbox.fill((message(n, size=1500) for n in range(25, 35)), arrival=NOW - timedelta(days=40))
    mailbox.fill((message(n, size=9000) for n in range(35, 38)), "Sent", arrival=NOW - timedelta(days=3))
    mailbox.fill([message(50, size=700)], "Drafts", arrival=OLD, flags=["\\Draft"])
    mailbox.fill([message(51, size=20_000, subject="=?utf-8?q?Gr=C3=B6=C3=9Fe_=1B[31m?=")], "Työ/Laskut", arrival=OLD)


def audit(program: Program, mailbox: Mailbox, *arguments: object, code: int = 0) -> Any:
    """The JSON of an account's audit."""
    done = program("audit", mailbox.url, "--tls", "none", "--json", *arguments)
    assert done.code == code, done.err
    document = done.json
    assert (document["mailmove"], document["command"], document["exit"]) == (1, "audit", code)
    return document["accounts"][0]


def quota_of(dovecot: Dovecot, user: str) -> dict[str, tuple[int, int, int]]:
    """What ``doveadm quota get`` says: resource to value, limit and per cent."""
    rows = json.loads(dovecot.doveadm("-f", "json", "quota", "get", "-u", user))
    return {row["type"]: (int(row["value"]), int(row["limit"]), int(row["percent"])) for row in rows}


def test_the_quota_is_what_the_server_counts(dovecot: Dovecot, mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)
    found = audit(mailmove, mailbox)
    told = quota_of(dovecot, mailbox.user)
    assert {
        gauge["resource"]: (
            gauge["used"] // (1024 if gauge["resource"] == "STORAGE" else 1),
            gauge["limit"] // (1024 if gauge["resource"] == "STORAGE" else 1),
            int(gauge["percent"]),
        )
        for gauge in found["quota"]
    } == told
    assert told["MESSAGE"][0] == 40
    assert [gauge["source"] for gauge in found["quota"]] == ["server", "server"]


@pytest.mark.parametrize("how", [(), ("--quick",)])
def test_folder_sizes_are_what_the_server_counts(
    how: tuple[str, ...], dovecot: Dovecot, mailbox: Mailbox, mailmove: Program
) -> None:
    fill(mailbox)
    rows = json.loads(
        dovecot.doveadm("-f", "json", "mailbox", "status", "-u", mailbox.user, "vsize messages unseen", "*")
    )
    told = {row["mailbox"]: (int(row["vsize"]), int(row["messages"]), int(row["unseen"])) for row in rows}
    found = {f["name"]: (f["octets"], f["messages"], f["unread"]) for f in audit(mailmove, mailbox, *how)["folders"]}
    assert found == told
    assert found["INBOX"][1:] == (35, 15)


def test_it_changes_nothing(dovecot: Dovecot, mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)

    def state() -> str:
        return dovecot.doveadm(
            "fetch", "-u", mailbox.user, "mailbox uid flags modseq date.received date.saved", "all"
        ) + dovecot.doveadm("mailbox", "status", "-u", mailbox.user, "messages recent unseen highestmodseq", "*")

    before = state()
    audit(mailmove, mailbox, "--by", "sender", "--top", "5", "--age-by", "sent")
    assert state() == before


def test_without_quota_it_tells_the_sum_as_a_sum(anywhere: Mailbox, mailmove: Program) -> None:
    fill(anywhere)
    found = audit(mailmove, anywhere)
    sizes = sum(folder["octets"] for folder in found["folders"])
    assert found["octets"] == sizes > 0
    gauge = found["quota"][0]
    if anywhere.kind == "dovecot":
        assert gauge["source"] == "server"
        return
    assert gauge == {
        "root": "", "resource": "STORAGE", "used": sizes, "limit": None, "percent": None, "source": "sum",
    }  # fmt: skip
    assert found["quota_lacking"] == "the server has no QUOTA extension"
    recent = sum(band["octets"] for band in found["ages"][:2])
    assert found["forecast"]["per_day"] == round(recent / 90) > 0
    assert (found["forecast"]["method"], found["forecast"]["full"]) == ("arrivals of the last 90 days", None)
    assert [w["percent_after"] for w in found["prune"]] == [None] * 6
    text = mailmove("audit", anywhere.url, "--tls", "none").out
    assert "(sum of sizes; the server has no QUOTA extension)" in text.splitlines()[0]


def test_quick_without_sizes_in_status_looks_at_the_messages(anywhere: Mailbox, mailmove: Program) -> None:
    fill(anywhere)
    quick, whole = audit(mailmove, anywhere, "--quick"), audit(mailmove, anywhere)
    assert {f["name"]: f["octets"] for f in quick["folders"]} == {f["name"]: f["octets"] for f in whole["folders"]}


def test_a_configured_quota_is_labelled(mailmove: Program, pymap: Mailbox) -> None:
    pymap.fill(map(message, range(5)))
    mailmove.account(pymap, quota="4KB")
    done = mailmove("audit", "--fail-above", "40%")
    assert done.code == 4
    assert "of 4.00 KB" in done.out.splitlines()[0]
    assert "(sum of sizes, limit configured)" in done.out.splitlines()[0]
    assert "ABOVE 40 %: box: STORAGE is" in done.out


def test_ages_and_what_pruning_would_free(anywhere: Mailbox, mailmove: Program) -> None:
    fill(anywhere)
    found = audit(mailmove, anywhere)
    frees = {what_if["older_than"]: what_if["frees"]["messages"] for what_if in found["prune"]}
    assert frees == {"30d": 31, "90d": 21, "180d": 21, "1y": 21, "2y": 21, "5y": 0}
    stays = found["prune"][0]["stays"]
    assert {why: tally["messages"] for why, tally in stays.items()} == {"flagged": 5, "drafts": 1, "newer": 3}
    ages = [(band["older_than"], band["messages"]) for band in found["ages"]]
    assert ages == [(None, 3), ("30d", 10), ("90d", 0), ("180d", 0), ("1y", 0), ("2y", 27), ("5y", 0)]
    (only,) = audit(mailmove, anywhere, "--older-than", "1y")["prune"]
    assert only["command"] == f"mailmove prune {anywhere.url} --tls none --older-than 1y"
    assert only["frees"] == found["prune"][3]["frees"]


def test_what_is_said_to_be_freed_is_what_prune_frees(
    anywhere: Mailbox, mailmove: Program, request: pytest.FixtureRequest
) -> None:
    """Each command that the audit prints is run; what is gone then, and how full it is, is what the audit said."""
    for days in (2, 29, 31, 89, 91, 200, 400, 800, 2000):
        arrival = NOW - timedelta(days=days)
        anywhere.fill([message(days, size=4000 + days)], arrival=arrival, flags=["\\Seen"])
        anywhere.fill([message(days + 1, size=3000)], arrival=arrival, flags=["\\Flagged"])
        anywhere.fill([message(days + 2, size=9000)], "Sent", arrival=arrival)
        anywhere.fill([message(days + 3, size=700)], "Drafts", arrival=arrival, flags=["\\Draft"])

    def held() -> tuple[int, int]:
        with anywhere.client() as client:
            sizes = []
            for _, _, name in client.list_folders():
                client.select_folder(name, readonly=True)
                sizes += [told[b"RFC822.SIZE"] for told in client.fetch(client.search(), ["RFC822.SIZE"]).values()]
        return len(sizes), sum(sizes)

    for age in ("5y", "1y", "90d", "30d") if anywhere.kind == "dovecot" else ("1y", "30d"):
        said = next(what_if for what_if in audit(mailmove, anywhere)["prune"] if what_if["older_than"] == age)
        assert said["frees"]["messages"] >= 2
        before = held()
        done = mailmove(*shlex.split(said["command"])[1:], "--yes")
        assert done.code == 0, done.err
        after = held()
        assert (before[0] - after[0], before[1] - after[1]) == tuple(said["frees"].values())
        if anywhere.kind == "dovecot":
            dovecot: Dovecot = request.getfixturevalue("dovecot")
            used, limit, _ = quota_of(dovecot, anywhere.user)["MESSAGE"]  # the fuller one
            assert used * 100 / limit == pytest.approx(said["percent_after"], abs=0.01)
    assert held()[0] == 9 + 9 + 2 + 2


def test_folders_of_a_policy_are_left_alone_as_prune_does(mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)
    mailmove.account(mailbox, exclude=["Sent"])
    rules = '[account.box.prune]\nolder_than = "1y"\nkeep = ["flagged"]\nfolders."Työ/Laskut" = "never"\n'
    mailmove.configure((mailmove.home / ".config/mailmove/config.toml").read_text() + rules)
    done = mailmove("audit", "--json")
    assert done.code == 0, done.err
    (found,) = done.json["accounts"]
    assert {f["name"] for f in found["prune_leaves_alone"]} == {"Sent", "Työ/Laskut"}
    assert [w["frees"]["messages"] for w in found["prune"] if w["older_than"] == "1y"] == [21]  # 20 and the draft
    assert found["prune"][0]["command"] == "mailmove prune --older-than 30d"


def test_the_biggest_messages_are_shown_decoded_and_safe(anywhere: Mailbox, mailmove: Program) -> None:
    fill(anywhere)
    found = audit(mailmove, anywhere, "--top", "2")
    assert [big["folder"] for big in found["biggest"]] == ["Työ/Laskut", "Sent"]
    biggest = found["biggest"][0]
    assert biggest["subject"] == r"Größe \x1b[31m"
    assert biggest["from"] == "Sender 2"
    assert biggest["date"] == f"{OLD:%Y-%m-%d}"
    text = mailmove("audit", anywhere.url, "--tls", "none", "--top", "2").out
    assert r"Größe \x1b[31m" in text
    assert "\x1b" not in text


def test_top_senders_the_second_time_without_asking_again(mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)
    first = audit(mailmove, mailbox, "--by", "sender")
    groups = {group["key"]: group["messages"] for group in first["top"]["groups"]}
    assert groups == {f"sender{n}@example.org": len([m for m in [*range(38), 50, 51] if m % 7 == n]) for n in range(7)}
    mailbox.fill([message(60)])
    again = mailmove("audit", mailbox.url, "--tls", "none", "--json", "--by", "sender", "-vv")
    assert again.json["accounts"][0]["top"]["groups"][0]["name"].startswith("Sender ")
    asked = [line for line in again.err.splitlines() if "BODY.PEEK[HEADER" in line and ": > " in line]
    assert len(asked) == 1  # the new one
    assert "UID FETCH 36 " in asked[0]


def test_top_lists_and_years(anywhere: Mailbox, mailmove: Program) -> None:
    anywhere.fill(
        [b"List-Id: Dev <dev.example.org>\r\n" + message(1), message(2)], arrival=datetime(2019, 5, 1).astimezone()
    )
    anywhere.fill([b"List-ID: <DEV.example.org>\r\n" + message(3)], "Old", arrival=datetime(2020, 5, 1).astimezone())
    lists = audit(mailmove, anywhere, "--by", "list")["top"]
    assert {(group["key"], group["messages"]) for group in lists["groups"]} == {("dev.example.org", 2), ("", 1)}
    years = audit(mailmove, anywhere, "--by", "year")["top"]
    assert {(group["key"], group["messages"]) for group in years["groups"]} == {("2019", 2), ("2020", 1)}
    assert "(not from a list)" in mailmove("audit", anywhere.url, "--tls", "none", "--by", "list").out


def test_what_the_archive_knows_is_not_fetched_again(mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)
    arguments = (mailbox.url, "--tls", "none", "--archive", mailmove.home / "mail")
    before = mailmove("audit", *arguments, "--json").json["accounts"][0]
    assert before["archive"] is None
    assert mailmove("export", *arguments).code == 0
    done = mailmove("audit", *arguments, "--json", "-vv", "--top", "3", "--by", "sender")
    assert "FETCH" not in done.err
    assert done.json["accounts"][0]["biggest"][0]["subject"] == r"Größe \x1b[31m"
    (found,) = done.json["accounts"]
    assert found["archive"]["messages"] == found["messages"] == 40
    assert [w["archived"] for w in found["prune"]] == [w["frees"] for w in found["prune"]]
    same = ("messages", "octets", "ages", "quota")
    assert [found[key] for key in same] == [before[key] for key in same]
    assert [{**f, "archived": 0} for f in found["folders"]] == [{**f, "archived": 0} for f in before["folders"]]

    mailbox.fill([message(70, size=5000)], arrival=OLD)
    with mailbox.client() as client:
        client.select_folder("INBOX")
        client.add_flags([1], ["\\Flagged"])
    mailbox.expunge("INBOX", [2])
    done = mailmove("audit", *arguments, "--json", "-vv")
    fetches = [line for line in done.err.splitlines() if ": > " in line and "FETCH" in line]
    assert [line.partition(": > ")[2].split(" ", 1)[1] for line in fetches] == [
        "UID FETCH 1:* (UID FLAGS)",
        "UID FETCH 36 (UID INTERNALDATE RFC822.SIZE FLAGS)",
    ]
    (found,) = done.json["accounts"]
    assert found["archive"]["messages"] == 39
    assert found["messages"] == 40
    frees = next(w for w in found["prune"] if w["older_than"] == "2y")
    assert (frees["frees"]["messages"], frees["archived"]["messages"]) == (20, 19)
    assert frees["stays"]["flagged"]["messages"] == 6


def test_it_needs_no_lock_and_tells_an_archive_that_cannot_be_read(mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)
    archive = mailmove.home / "mail"
    arguments = (mailbox.url, "--tls", "none", "--archive", archive)
    assert mailmove("export", *arguments).code == 0
    archive.rename(mailmove.home / "elsewhere")  # as when a disk is not mounted
    done = mailmove("audit", *arguments)
    assert done.code == 7
    assert "is not at" in done.out
    assert "40" in done.out
    assert "none yet" not in done.out and "Nothing to do" not in done.out and "Next:" not in done.out
    assert mailmove("audit", *arguments, "--quick").code == 0


def test_a_migrated_folder_shows_the_figures_by_the_day_of_sending(anywhere: Mailbox, mailmove: Program) -> None:
    moved = NOW - timedelta(days=200)
    bodies = [message(n, sent=NOW - timedelta(days=10 * n + 1)) for n in range(120)]
    anywhere.fill(bodies, "Moved", arrival=moved)
    anywhere.fill([message(500, sent=NOW - timedelta(days=900))], arrival=NOW - timedelta(days=1))
    found = audit(mailmove, anywhere)
    assert [folder["name"] for folder in found["moved"]] == ["Moved"]
    assert found["age_by"] == "sent"
    (year,) = [w for w in found["prune"] if w["older_than"] == "1y"]
    assert year["frees"]["messages"] == len([n for n in range(120) if 10 * n + 1 > 365]) + 1
    assert year["command"].endswith(" --older-than 1y --age-by sent")
    by_arrival = audit(mailmove, anywhere, "--age-by", "arrival")
    assert by_arrival["moved"] == []
    assert [w["frees"]["messages"] for w in by_arrival["prune"]] == [120, 120, 120, 0, 0, 0]
    text = mailmove("audit", anywhere.url, "--tls", "none").out
    assert "Moved: nearly all of it arrived on one day" in text
    assert "as with prune --age-by sent" in text


def test_a_folder_that_really_got_everything_in_one_day_is_not_called_moved(
    mailbox: Mailbox, mailmove: Program
) -> None:
    mailbox.fill([message(n, sent=NOW - timedelta(minutes=n)) for n in range(120)], arrival=NOW - timedelta(days=2))
    found = audit(mailmove, mailbox)
    assert (found["age_by"], found["moved"]) == ("arrival", [])


def test_a_threshold_that_is_reached_is_exit_4(mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)
    arguments = ("audit", mailbox.url, "--tls", "none", "--quick", "-q")
    calm, above = mailmove(*arguments, "--fail-above", "90%"), mailmove(*arguments, "--fail-above", "0.01%")
    assert (calm.code, calm.out, calm.err) == (0, "", "")
    assert (above.code, above.out) == (4, "")
    assert above.err.startswith("ABOVE 0.01 %: ")
    assert "is 0 % full" in above.err


def test_a_threshold_that_nobody_can_judge_is_not_passed(mailmove: Program, pymap: Mailbox) -> None:
    done = mailmove("audit", pymap.url, "--tls", "none", "--fail-above", "90%", "-q")
    assert done.code == 9
    assert 'quota = "50GB"' in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--by", "size"), "Allowed: sender, list, year."),
        (("--fail-above", "much"), "Write it as in 90%."),
        (("--older-than", "30"), "Did you mean 30d (days)?"),
        (("--age-by", "day"), "Allowed: arrival, sent."),
        (("--quick", "--by", "year"), "--quick looks at no messages"),
    ],
)
def test_mistakes_are_told_before_any_login(arguments: tuple[str, ...], says: str, mailmove: Program) -> None:
    done = mailmove("audit", "imap://me@localhost:1", "--tls", "none", *arguments)
    assert done.code == 2
    assert says in done.err


def test_several_accounts_are_ranked_by_who_fills_up_first(
    small: Dovecot, mailbox: Mailbox, pymap: Mailbox, mailmove: Program
) -> None:
    full = Mailbox("dovecot", small.host, small.imap, "full")
    for box, name in ((pymap, "unknown"), (mailbox, "roomy"), (full, "full")):
        box.fill((message(n, size=5000) for n in range(12)), arrival=NOW - timedelta(days=9))
        mailmove.account(box, name=name, password_command=["echo", "pw"])
    done = mailmove("audit", env={"MAILMOVE_PASSWORD": None})
    assert done.code == 0, done.err
    head, *rows, following = done.out.splitlines()
    assert [row.split()[0] for row in rows] == ["full", "roomy", "unknown"]
    assert head.split() == ["Account", "used", "limit", "full", "full", "on", "growth", "a", "day"]
    assert rows[2].endswith("sum of sizes")
    assert following.startswith("Next: mailmove audit ACCOUNT")
    one = mailmove("audit", "full", env={"MAILMOVE_PASSWORD": None})
    assert "mailmove prune full --older-than 30d" in one.out
    document = mailmove("audit", "--json", env={"MAILMOVE_PASSWORD": None}).json
    assert {account["account"] for account in document["accounts"]} == {"full", "roomy", "unknown"}


def test_one_account_that_fails_does_not_stop_the_others(mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)
    mailmove.account(mailbox, name="good", password_command=["echo", "pw"])
    mailmove.account(dataclasses.replace(mailbox, port=1), name="bad", password_command=["echo", "pw"])
    done = mailmove("audit", env={"MAILMOVE_PASSWORD": None})
    assert done.code == 6
    assert "bad" in done.err
    assert "STORAGE" not in done.err
    assert "INBOX" in done.out


def test_the_default_report_fits_a_terminal_of_25_lines(dovecot: Dovecot, mailbox: Mailbox, mailmove: Program) -> None:
    for number in range(30):
        mailbox.fill([message(number)], f"Folder {number:02}", arrival=OLD)
    mailmove.account(mailbox, name="info")
    done = mailmove("audit")
    lines = done.out.splitlines()
    assert done.code == 0, done.err
    assert len(lines) == 24  # and the prompt
    assert max(map(len, lines)) <= 80
    assert any(re.match(r"and \d+ other folders with", line) for line in lines)


def test_earlier_audits_tell_the_growth(mailbox: Mailbox, mailmove: Program) -> None:
    fill(mailbox)
    used = audit(mailmove, mailbox, "--quick")["quota"][0]["used"]
    (history,) = (mailmove.home / "state" / "audits").iterdir()
    (now,) = map(json.loads, history.read_text().splitlines())
    assert {gauge["resource"]: gauge["used"] for gauge in now["gauges"]} == {"STORAGE": used, "MESSAGE": 40}
    earlier = []
    for weeks in (3, 2, 1):
        (count,) = [dict(gauge) for gauge in now["gauges"] if gauge["resource"] == "MESSAGE"]
        count["used"] = 40 - weeks * 7
        earlier.append({"at": f"{NOW - timedelta(weeks=weeks):%Y-%m-%dT%H:%M:%SZ}", "gauges": [count]})
    history.write_text("".join(json.dumps(line) + "\n" for line in earlier))
    for how in (("--quick",), ()):
        seen = audit(mailmove, mailbox, *how)["forecast"]
        assert (seen["resource"], seen["per_day"]) == ("MESSAGE", 1)  # fuller than STORAGE: 40 of 100,000
        assert re.fullmatch(r"[45] audits in 21 days", seen["method"])


@pytest.fixture(scope="module")
def small() -> Iterator[Dovecot]:
    """A server with little room."""
    server = Dovecot(storage="100K")
    yield server
    server.stop()


@pytest.mark.fault(105)
def test_a_page_has_the_figures_of_the_json(anywhere: Mailbox, mailmove: Program) -> None:
    evil = "<script>alert(1)</script>"
    anywhere.fill((message(n, size=3000) for n in range(3)), arrival=OLD)
    anywhere.fill([message(9, size=5000, subject=evil)], "<b>", arrival=NOW - timedelta(days=40))
    path = mailmove.home / "audit.html"
    told = audit(mailmove, anywhere, "--html", path)
    page = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "<script" not in page and "<b>" not in page and "&lt;script&gt;" in page and "&lt;b&gt;" in page
    assert {month["month"] for month in told["months"]} == {f"{OLD:%Y-%m}", f"{NOW - timedelta(days=40):%Y-%m}"}
    assert sum(month["octets"] for month in told["months"]) == told["octets"]
    assert [top["by"] for top in told["tops"]] == ["sender", "list"] and told["top"] == told["tops"][0]
    for what_if in told["prune"]:
        assert what_if["command"] in html.unescape(page)
    for folder in told["folders"]:
        assert f"<td>{folder['messages']}</td>" in page
    refused = mailmove("audit", anywhere.url, "--tls", "none", "--html", mailmove.home / "none" / "x.html")
    assert refused.code == 2 and "cannot be written" in refused.err
