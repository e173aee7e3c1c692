"""Export, on every kind of server: what is on the server is in the archive, octet for octet."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.kit import Mailbox, Program, archived, message


def test_every_octet_of_every_folder_is_in_the_archive(anywhere: Mailbox, mailmove: Program, tmp_path: Path) -> None:
    anywhere.fill(map(message, range(40)), arrival=datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC))
    anywhere.fill(map(message, range(40, 60)), "Työ/Laskut")
    done = mailmove("export", anywhere.url, "--tls", "none", "--archive", tmp_path / "mail")
    assert done.code == 0, done.err
    assert archived(tmp_path / "mail") == {name: held for name, held in anywhere.contents().items() if held}
    assert "All 60 messages" in done.out


def test_a_second_run_fetches_nothing(anywhere: Mailbox, mailmove: Program, tmp_path: Path) -> None:
    anywhere.fill(map(message, range(10)))
    arguments = ("export", anywhere.url, "--tls", "none", "--archive", tmp_path / "mail", "--json")
    first, second = mailmove(*arguments).json, mailmove(*arguments).json
    assert [folder["fetched"] for folder in first["accounts"][0]["folders"]] == [10]
    assert [folder["fetched"] for folder in second["accounts"][0]["folders"]] == [0]
    assert second["exit"] == 0
