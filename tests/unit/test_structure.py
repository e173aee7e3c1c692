"""One way through the house: cli → jobs → plan · imap · archive → model, units, errors. Read from the imports."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

PACKAGE = Path(__file__).parents[2] / "mailmove"

GROUND = {"__init__", "canonical", "errors", "evidence", "model", "replacing", "safe", "units", "utf7"}
"""What everything may stand on: the version, value types, units, one error per remedy, how strangers' text is shown."""

MAY_IMPORT = {
    # the ground
    "__init__": set[str](),
    "canonical": set[str](),
    "errors": set[str](),
    "replacing": set[str](),
    "safe": set[str](),
    "utf7": set[str](),
    "units": {"errors"},
    "model": {"safe", "utf7"},
    "evidence": {"model"},  # made by the archive, taken by the function that deletes
    "mail": GROUND,  # a message decoded for people: index, reports and jobs show the same words
    "cancel": {"errors"},  # Ctrl-C for whoever waits: jobs, connections, questions
    # the three that jobs bring together
    "plan": GROUND,
    "imap": GROUND | {"cancel"},
    "archive": GROUND | {"mail"},
    "copies": GROUND | {"archive"},  # an archive in a second place; of servers it knows nothing
    "serving": GROUND | {"archive", "mail"},  # shows what is archived, and knows no job
    # what to do with which account
    "streams": {"errors"},  # where text leaves the program and answers come in
    "accounts": GROUND | {"plan", "cancel", "streams"},  # a rule in the configuration is a rule of plan.policy
    # the way through
    "jobs": GROUND
    | {"plan", "imap", "archive", "copies", "cancel", "mail"}
    | {"accounts.config"},  # an account is a value
    "report": GROUND
    | {"jobs", "plan", "mail"}  # results carry decisions of plan
    | {"accounts.config", "accounts.vault", "accounts.discovery"},  # an account is shown without a job
    "notify": {"errors", "safe"},  # nothing of mail: what it is told, and where to
    "web": GROUND
    | {"cancel", "archive", "serving", "mail", "jobs", "plan"}  # what jobs find, and messages as they are served
    | {"report"},  # the same words and drawings, as a page
    "demo": GROUND,  # drives the program from outside
    "cli": GROUND
    | {"jobs", "report", "accounts", "cancel", "demo", "streams", "notify"}
    | {"imap", "archive", "copies", "plan"}  # opens all that for a job, and reads ages and sizes into a policy
    | {"serving", "web"},  # are given archives, and run until they are told to stop
    "__main__": {"cli"},
}
"""Places, and what each may know: other places, or one room or module of them."""

FROM_THE_GROUND_UP = {
    "archive": [
        "files",
        *("lock", "mark", "place"),
        "record",
        *("moving", "creating", "tree", "glance"),
        "index",
        "state",
        *("store", "surveying"),  # an archive that is open
        *("proof", "search", "writing", "mending", "seals", "erasing"),
    ],
    "accounts": [
        "ownership",
        "values",
        "listed",
        "telling",
        "templates",
        "config",
        "configedit",
        "vault",
        "archive_password",
        "discovery",
        "oauth",
        "credentials",
        "schedule",
    ],
}
"""Rooms and modules inside a place: each knows only those before it."""

ONLY_IN = {
    "imapclient": {"imap"},
    "imaplib": {"imap", "demo"},  # the demo fills a server of its own
    "sqlite3": {"archive"},
    "shellingham": {"cli"},
    "typer": {"cli"},
    "rich": {"report"},
    "tqdm": {"report"},
    "keyring": {"accounts"},
    "msal": {"accounts"},
    "google": {"accounts"},
    "google_auth_oauthlib": {"accounts"},
    "requests": {"accounts"},
    "dns": {"accounts"},
    "defusedxml": {"accounts", "mail"},
    "pypdf": {"mail"},
    "nh3": {"mail"},
    "striprtf": {"mail"},
    "urllib.request": {"accounts", "jobs", "notify"},  # autoconfig, time-stamps, a dead man's switch
    "rfc3161_client": {"jobs"},
    "cryptography": {"jobs", "serving"},
    "waitress": {"web"},
    "pymap": {"demo"},
    "email": {"mail", "demo", "notify"},
    "subprocess": {"accounts", "archive", "cli", "demo", "mail", "notify", "serving"},
    "smtplib": {"notify"},
    "apprise": {"notify"},
}
"""Libraries, and the only places that know them."""

PURE = {
    *("__future__", "binascii", "bisect", "collections", "dataclasses", "datetime", "difflib", "enum", "fnmatch"),
    *("functools", "heapq", "math", "re", "statistics", "typing", "unicodedata"),
}
"""All that plan/ needs of Python: no clock, network, disk or log is among it."""

CLOCKS = {"now", "today", "utcnow", "fromtimestamp", "open", "print", "input"}

"""Names of calls that would ask the machine."""

DELETING_METHODS = {
    *("expunge", "uid_expunge", "delete_messages", "undelete_messages", "delete_folder", "rename_folder"),
    *("close_folder", "add_flags", "set_flags", "remove_flags"),
}
"""Methods of imapclient that take mail away, or prepare it."""

NAMES_OF_FILES = {
    "unlink",
    "remove",
    "rename",
    "renames",
    "replace",
    "link",
    "symlink",
    "rmdir",
    "removedirs",
    "rmtree",
    "move",
}
"""Functions of ``os``, ``shutil`` and ``pathlib`` that take a name from a file, or give it one."""

MAY_NAME_FILES = {
    # message files
    "archive.writing.writer": "tmp/ → cur/, and what is only in tmp/: twin of what is archived",
    "archive.writing.incoming": "what is only in tmp/: left by a crash, discarded, or set apart to be looked at",
    "archive.writing.intake": "tmp/ → cur/ of another place; what is only in tmp/: altered",
    "copies.directory": "a message file of a copy follows the flags of the archive's",
    "archive.proof.rehashing": "another name for a message file, proven; taken back when the file was exchanged",
    "archive.mending.adoption": "a message file that is not recorded is named as it should be, or set aside",
    "archive.mending.folding": "the second file of a message that was put back, once both hash right, by way of tmp/",
    "archive.erasing": "what a record says is erased for ever; the one way for recorded mail to go",
    "archive.moving": "the directories of a folder whose UIDVALIDITY changed move aside",
    # files that can be made again, or that the user asks to be without
    "replacing": "a whole new file in the place of an old one",
    "archive.files.weak": "its own probes",
    "archive.lock": "its own probe",
    "archive.index.index": "an index, which is derived from the journal",
    "archive.mark": "the mark of a copy that becomes the archive",
    "accounts.vault": "a secret that is to be forgotten",
    "accounts.schedule.systemd": "the units that it wrote",
    "accounts.schedule.launchd": "the property list that it wrote",
    "jobs.get": "its own file that could not be written to the end",
}
"""Every module that does so, and to which files. No message file that is recorded loses its last name by any."""


ERASING = {
    "archive.erasing": {"jobs.erase"},
    "jobs.erase": {
        "cli.erase",
        "cli.account",
        "jobs.copy.run",
        "report.erase",
    },  # copies follow; a report takes values only, see below
}
"""What deletes recorded mail from an archive, and who knows of it."""


class Arrow(NamedTuple):
    """One import: from a module, of a module."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


def module(path: Path) -> str:
    """Its dotted name."""
    parts = ["mailmove", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def place(name: str) -> str:
    """The package or top-level module that a module belongs to."""
    return [*name.split("."), "__init__"][1]


def room(name: str) -> str:
    """The room or module inside a place, with the place's name before it."""
    return ".".join(name.split(".")[1:3])


def is_module(name: str) -> bool:
    """Whether this name under mailmove is a module, not something inside one."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module imported anywhere in a source, late or for the type checker only as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports name what they mean in full"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if inside.startswith("mailmove.") and is_module(inside) else node.module


SOURCES = {module(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
ARROWS = sorted({Arrow(source, target) for source, tree in SOURCES.items() for target in imported(tree)})
INSIDE = [arrow for arrow in ARROWS if arrow.target.split(".")[0] == "mailmove"]
STRANGE = [a for a in INSIDE if place(a.source) != place(a.target)]


def test_every_place_has_its_line_in_the_table() -> None:
    assert {place(source) for source in SOURCES} == set(MAY_IMPORT)


def test_the_arrows_point_one_way() -> None:
    wrong = [a for a in STRANGE if MAY_IMPORT[place(a.source)].isdisjoint({place(a.target), room(a.target)})]
    assert not wrong, ", ".join(map(str, wrong))


def test_the_table_allows_nothing_that_is_not_used() -> None:
    used = {(place(a.source), target) for a in STRANGE for target in (place(a.target), room(a.target))}
    assert not [(one, other) for one, may in MAY_IMPORT.items() for other in may - GROUND if (one, other) not in used]


def test_no_circle_among_places() -> None:
    """What the table allows can be put in an order."""
    graph = {one: {other.partition(".")[0] for other in may} - {one} for one, may in MAY_IMPORT.items()}
    TopologicalSorter(graph).prepare()


def test_no_circle_among_modules() -> None:
    """Whoever reads one has not to read it first."""
    TopologicalSorter({name: {a.target for a in INSIDE if a.source == name} - {name} for name in SOURCES}).prepare()


@pytest.mark.parametrize("of", FROM_THE_GROUND_UP)
def test_inside_a_place_each_room_knows_only_those_below(of: str) -> None:
    rank = {f"{of}.{name}": number for number, name in enumerate(FROM_THE_GROUND_UP[of])}
    assert {room(name) for name in SOURCES if name.startswith(f"mailmove.{of}.")} == set(rank)
    arrows = [a for a in INSIDE if room(a.source) in rank and room(a.target) in rank]
    wrong = [a for a in arrows if rank[room(a.source)] < rank[room(a.target)]]
    assert not wrong, ", ".join(map(str, wrong))


def test_imap_and_archive_meet_in_jobs_and_where_a_command_opens_both() -> None:
    def knows(name: str) -> set[str]:
        return {place(a.target) for a in STRANGE if a.source == name}

    meeting = {name for name in SOURCES if {"imap", "archive"} <= knows(name)}
    assert {place(name) for name in meeting} <= {"jobs", "cli"}
    assert {name for name in meeting if place(name) == "cli"} <= {"mailmove.cli.work"}


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_has_its_place(library: str) -> None:
    users = {place(a.source) for a in ARROWS if a.target == library or a.target.startswith(library + ".")}
    assert users == ONLY_IN[library]


def test_plans_are_pure() -> None:
    """No clock, network, disk or log: the same question has the same answer."""
    plans = {name: tree for name, tree in SOURCES.items() if place(name) == "plan"}
    assert len(plans) > 5
    for name, tree in plans.items():
        strangers = {a.target.split(".")[0] for a in ARROWS if a.source == name} - {"mailmove"}
        assert strangers <= PURE, name
        called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {
            f.attr if isinstance(f, ast.Attribute) else f.id for f in called if isinstance(f, ast.Attribute | ast.Name)
        }
        assert not names & CLOCKS, name


def test_reports_know_result_values_only() -> None:
    """What report/ takes from jobs/ are values, never something that does a job."""
    taken = 0
    for name, tree in SOURCES.items():
        if place(name) != "report":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mailmove.jobs."):
                for alias in node.names:
                    value = getattr(importlib.import_module(node.module or ""), alias.name)
                    for kind in get_args(value) or [value]:
                        assert is_dataclass(kind) or issubclass(kind, Enum | tuple), f"{name} takes {alias.name}"
                        taken += 1
    assert taken > 10


def test_one_module_deletes_on_a_server() -> None:
    """Nowhere else are messages marked, expunged or moved; no folder is ever deleted, renamed or closed with CLOSE."""
    deleting: dict[str, set[str]] = {}
    for name, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
                for word in re.findall(rb"^(?:UID )?(STORE|EXPUNGE|MOVE|CLOSE|DELETE|RENAME)$", node.value):
                    deleting.setdefault(word.decode(), set()).add(name)
            elif isinstance(node, ast.Attribute) and node.attr in DELETING_METHODS:
                deleting.setdefault(node.attr, set()).add(name)
    assert set(deleting) == {"STORE", "EXPUNGE", "MOVE"}
    assert all(users == {"mailmove.imap.deletion"} for users in deleting.values())


def test_one_module_erases_and_one_job_can_reach_it() -> None:
    """Only a command that shows what goes, and asks, comes to it."""
    reach = {target: {a.source for a in INSIDE if a.target == f"mailmove.{target}"} for target in ERASING}
    assert reach == {target: {f"mailmove.{source}" for source in sources} for target, sources in ERASING.items()}


def test_every_module_that_names_or_unnames_files_is_known() -> None:
    """So that there is no second way for a message file to vanish from an archive."""
    naming = {
        name.removeprefix("mailmove.") for name, tree in SOURCES.items() if any(map(_names_files, ast.walk(tree)))
    }
    assert naming == set(MAY_NAME_FILES)


def _names_files(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in {"os", "shutil"} and not NAMES_OF_FILES.isdisjoint(alias.name for alias in node.names)
    if not isinstance(node, ast.Attribute):
        return False
    if isinstance(node.value, ast.Name) and node.value.id in {"os", "shutil"}:
        return node.attr in NAMES_OF_FILES
    return node.attr in NAMES_OF_FILES - {"remove", "replace", "move"}  # which lists and texts have as well
