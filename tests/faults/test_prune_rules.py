"""A rule that keeps never fails open: misspelt, or its folder renamed, what it was laid down for stays."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove.errors import Exit
from mailmove.jobs.prune.result import PruneResult
from mailmove.plan.policy import Asked, Policy, parse_target
from mailmove.report import prune as report
from mailmove.units import parse_age
from mailmove.utf7 import encode
from tests.kit import NOW, Program, message
from tests.pruning import Pruner
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

OLD = NOW - timedelta(days=400)
MONTH, YEARS = parse_age("30d"), parse_age("5y")
CLIENTI = {"Clienti": None}


@pytest.fixture
def server(scripted: Callable[..., Scripted]) -> Scripted:
    """INBOX, Clienti and Work, all in one UIDVALIDITY, each with old mail and some of today."""
    server = scripted()
    for number, name in enumerate(("INBOX", "Clienti", "Work")):
        first = 10 * number
        server.store.add(name, *(message(first + n, size=400 + 80 * (first + n)) for n in range(4)), arrival=OLD)
        server.store.add(name, message(first + 5), arrival=NOW).uidvalidity = 7
    return server


@pytest.fixture
def pruner(server: Scripted, tmp_path: Path) -> Pruner:
    return Pruner(server.port, "user", tmp_path)


def prune(pruner: Pruner, rules: Mapping[str, object], **options: object) -> PruneResult:
    """As cron does it."""
    return pruner(Asked(), Policy(MONTH, rules), unattended=True, **options)  # type: ignore[arg-type]


def quiet(result: PruneResult) -> str:
    return "\n".join(report.problems(result))


def held(server: Scripted) -> dict[str, int]:
    return {box.name.decode(): len(box.mails) for box in server.store.folders.values()}


def rename(server: Scripted, name: str, new: str) -> None:
    box = server.store.folders.pop(name.encode())
    box.name = new.encode()
    server.store.folders[box.name] = box


@pytest.mark.fault(52)
@pytest.mark.parametrize("rule", ["clienti", "Clienti ", "Clienti/", "INBOX/Clienti", "CLIEN*"])
def test_never_is_never_however_it_is_spelt(server: Scripted, pruner: Pruner, rule: str) -> None:
    result = prune(pruner, {rule: None})
    assert (result.exit, held(server)) == (Exit.DONE, {"INBOX": 1, "Clienti": 5, "Work": 1})


@pytest.mark.fault(52)
def test_never_is_never_in_either_normal_form(server: Scripted, pruner: Pruner) -> None:
    name = encode(unicodedata.normalize("NFD", "Größe"))
    rename(server, "Clienti", name.decode())
    assert prune(pruner, {unicodedata.normalize("NFC", "Größe"): None}).exit == Exit.DONE
    assert held(server)[name.decode()] == 5


@pytest.mark.fault(52)
def test_a_rule_that_means_no_folder_holds_what_only_the_general_age_would_take(
    server: Scripted, pruner: Pruner
) -> None:
    rules = {"Cliendi": None, "Work": MONTH}
    result = prune(pruner, rules)
    assert (result.exit, held(server)) == (Exit.REFUSED, {"INBOX": 5, "Clienti": 5, "Work": 1})
    assert "Folders without a rule are kept: the policy's 'Cliendi' means no folder of this account: " in quiet(result)
    assert "did you mean 'Clienti'?" in quiet(result)
    assert prune(pruner, rules).exit == Exit.REFUSED, "said again as long as it is so, also when nothing would go"
    watched = pruner(Asked(), Policy(MONTH, rules))
    assert "Look twice: the policy's 'Cliendi' means no folder" in "\n".join(report.plan(watched.plan))
    assert (watched.exit, held(server)) == (Exit.DONE, {"INBOX": 1, "Clienti": 1, "Work": 1})


@pytest.mark.fault(52)
def test_with_a_target_such_folders_are_not_taken_either(server: Scripted, pruner: Pruner) -> None:
    server.store.capabilities.append("QUOTA")
    server.store.quota = (1 << 20, 1 << 20)
    policy = Policy(MONTH, {"Cliendi": None, "Work": MONTH})
    result = pruner(Asked(target=parse_target("1%")), policy, unattended=True)
    assert (result.exit, held(server)) == (Exit.REFUSED, {"INBOX": 5, "Clienti": 5, "Work": 1})


def test_a_special_use_that_the_server_lacks_is_a_note(server: Scripted, pruner: Pruner) -> None:
    result = prune(pruner, {"\\Sent": None, "Trash": MONTH})
    assert (result.exit, held(server)) == (Exit.DONE, {"INBOX": 1, "Clienti": 1, "Work": 1})
    assert "Note: the policy's '\\\\Sent' means no folder of this account." in "\n".join(report.text(result))


def test_an_inherited_rule_is_a_note_unless_it_has_meant_a_folder_here(server: Scripted, pruner: Pruner) -> None:
    policy = Policy(MONTH, CLIENTI, frozenset(CLIENTI))
    box = server.store.folders.pop(b"Clienti")
    assert pruner(Asked(), policy, unattended=True).exit == Exit.DONE
    server.store.folders[b"Clienti"] = box
    server.store.add("INBOX", message(80), arrival=OLD)
    assert pruner(Asked(), policy, unattended=True).exit == Exit.DONE
    del server.store.folders[b"Clienti"]
    server.store.add("INBOX", message(81), arrival=OLD)
    result = pruner(Asked(), policy, unattended=True)
    assert (result.exit, held(server)["INBOX"]) == (Exit.REFUSED, 2)


@pytest.mark.fault(52)
@pytest.mark.parametrize("rule", ["Clienti", "clienti", "Clien*"])
def test_a_renamed_folder_keeps_its_rule_by_the_messages_that_are_archived_of_it(
    server: Scripted, pruner: Pruner, rule: str
) -> None:
    """All folders have the same UIDVALIDITY and UIDs."""
    pruner.export()
    rename(server, "Clienti", "Kunden")
    for _ in range(2):
        result = prune(pruner, {rule: None})
        assert (result.exit, held(server)) == (Exit.DONE, {"INBOX": 1, "Work": 1, "Kunden": 5})
        assert f"Kunden is the folder that the policy's '{rule}' meant before" in "\n".join(report.text(result))


@pytest.mark.fault(52)
def test_a_longer_age_follows_its_folder_too_and_a_shorter_does_not(server: Scripted, pruner: Pruner) -> None:
    pruner.export()
    rename(server, "Clienti", "Kunden")
    rename(server, "Work", "Arbeit")
    result = prune(pruner, {"Clienti": YEARS, "Work": parse_age("1d")})
    assert (result.exit, held(server)) == (Exit.DONE, {"INBOX": 1, "Kunden": 5, "Arbeit": 1})


@pytest.mark.fault(52)
def test_a_new_folder_under_the_old_name_does_not_take_the_rule_from_the_old_folder(
    server: Scripted, pruner: Pruner
) -> None:
    pruner.export()
    rename(server, "Clienti", "Kunden")
    server.store.add("Clienti", message(90), arrival=OLD).uidvalidity = 7
    assert prune(pruner, CLIENTI).exit == Exit.DONE
    assert held(server) == {"INBOX": 1, "Work": 1, "Kunden": 5, "Clienti": 1}


@pytest.mark.fault(52)
def test_where_two_folders_fit_both_keep(server: Scripted, pruner: Pruner) -> None:
    pruner.export()
    rename(server, "Clienti", "Kunden")
    box = server.store.folders[b"Kunden"]
    twin = server.store.add("Copia")
    twin.mails, twin.uidnext, twin.uidvalidity = list(box.mails), box.uidnext, 7
    assert prune(pruner, CLIENTI).exit == Exit.DONE
    assert held(server) == {"INBOX": 1, "Work": 1, "Kunden": 5, "Copia": 5}


@pytest.mark.fault(52)
def test_a_folder_that_could_not_be_looked_at_keeps_and_is_not_remembered(server: Scripted, pruner: Pruner) -> None:
    """It may be the one of before; that it is, nobody knows."""
    pruner.export()
    rename(server, "Clienti", "Kunden")
    server.script("""
        EXAMINE #1 /Kunden/
            {tag} NO not now
    """)
    result = prune(pruner, CLIENTI)
    assert held(server) == {"INBOX": 1, "Work": 1, "Kunden": 5}
    assert "Kunden is the folder that the policy's 'Clienti' meant before" in "\n".join(report.text(result))
    with pruner.opened(writable=False) as archive:
        assert {one.folder for one in archive.index.rules_matched()} == set()


@pytest.mark.fault(52)
def test_a_folder_that_cannot_be_found_again_holds_the_others(server: Scripted, pruner: Pruner) -> None:
    pruner.export()
    rename(server, "Clienti", "Kunden")
    server.store.folders[b"Kunden"].uidvalidity += 1
    result = prune(pruner, CLIENTI)
    assert (result.exit, held(server)) == (Exit.REFUSED, {"INBOX": 5, "Work": 5, "Kunden": 5})


@pytest.fixture
def ids(server: Scripted) -> dict[bytes, str]:
    """The server has OBJECTID; the MAILBOXID of each folder, by its name."""
    ids = {b"INBOX": "F1", b"Clienti": "F2", b"Work": "F3"}
    server.store.capabilities.append("OBJECTID")

    def tell(talk: Conversation, command: Command) -> None:
        talk.line(f'* STATUS "{command.args[0].decode()}" (MAILBOXID ({ids[command.args[0]]}))')
        talk.line(f"{command.tag} OK")

    server.on("STATUS", tell, "MAILBOXID")
    return ids


@pytest.mark.fault(52)
def test_a_renamed_folder_is_found_by_its_mailboxid_though_nothing_of_it_is_archived(
    server: Scripted, pruner: Pruner, ids: dict[bytes, str]
) -> None:
    assert prune(pruner, CLIENTI).exit == Exit.DONE
    rename(server, "Clienti", "Kunden")
    ids[b"Kunden"] = ids.pop(b"Clienti")
    server.store.folders[b"Kunden"].uidvalidity += 1
    for number in (80, 81):
        server.store.add("INBOX", message(number), arrival=OLD)
        assert prune(pruner, CLIENTI).exit == Exit.DONE
        assert held(server) == {"INBOX": 1, "Work": 1, "Kunden": 5}


@pytest.mark.fault(52)
def test_a_folder_that_lost_its_special_use_keeps_the_rule_for_it(server: Scripted, pruner: Pruner) -> None:
    server.store["Clienti"].attributes = "\\Sent"
    assert prune(pruner, {"\\Sent": None}).exit == Exit.DONE
    server.store["Clienti"].attributes = ""
    assert prune(pruner, {"\\Sent": None}).exit == Exit.DONE
    assert held(server)["Clienti"] == 5


@pytest.mark.fault(52)
def test_cron_is_told_of_a_misspelt_rule(scripted: Callable[..., Scripted], mailmove: Program) -> None:
    server = scripted()
    for name, attributes in (("INBOX", ""), ("Sent", "\\Sent"), ("Trash", "\\Trash")):
        server.store.add(name, message(1), arrival=OLD, attributes=attributes)
    mailmove.account(server, password_command=["echo", "pw"])
    with (mailmove.home / ".config/mailmove/config.toml").open("a") as config:
        config.write('[account.box.prune]\nolder_than = "30d"\n[account.box.prune.folders]\n')
        config.write('Sentt = "never"\nTrash = "7d"\n')
    done = mailmove("prune", "-q", "--yes")
    assert (done.code, done.out) == (8, "")
    assert "the policy's 'Sentt' means no folder of this account: did you mean 'Sent'?" in done.err
    assert held(server) == {"INBOX": 1, "Sent": 1, "Trash": 0}
    assert mailmove("prune", "-n", "--json").json["accounts"][0]["rules_without_folder"] == [
        {"rule": "Sentt", "held": True}
    ]
