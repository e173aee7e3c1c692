"""What many accounts share: ``[defaults]`` and ``[templates.NAME]``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmove.accounts import config
from mailmove.accounts.config import Account
from mailmove.errors import UsageError
from mailmove.units import parse_age

SHARED = """
[defaults]
host = "imap.rossi.example"
exclude = ["Junk"]
password_command = ["pass", "mail/{address}"]
prune = { keep = ["flagged"] }
[templates.office]
user = "{address}*master"
secret_file = "/secrets/{domain}/{local}"
archive = "/mail/{address}"
[templates.office.prune]
older_than = "1y"
folders = { Trash = "7d", Projects = "5y" }
copies = ["nas"]
[templates.office.copies]
nas = "/nas/{address}"
"""


def accounts(text: str) -> dict[str, Account]:
    return {account.name: account for account in config.read((SHARED + text).encode(), "c.toml").accounts}


def test_the_nearest_value_holds_and_places_are_filled_with_the_account_s_own() -> None:
    found = accounts(
        '[account."a@x.example"]\ntemplate = "office"\n'
        '[account."b@x.example"]\ntemplate = "office"\nuser = "b{address}"\npassword_command = ["own"]\n'
        'prune = { folders = { Trash = "1d" } }\n'
        '[account."c@x.example"]\ntemplate = "office"\nprune = false\n[account.d]\nexclude = []\n'
    )
    a, b, c, d = found.values()
    assert (a.endpoint.user, a.secret_file, a.password_command) == ("a@x.example*master", "/secrets/x.example/a", ())
    assert (a.archive, a.copies["nas"].path) == ("/mail/a@x.example", "/nas/a@x.example")
    assert a.prune is not None and b.prune is not None
    assert a.prune.inherited == {"Trash", "Projects"} and a.prune.age == parse_age("1y") and len(a.prune.keep) == 1
    assert b.prune.inherited == {"Projects"} and b.prune.folders["Trash"] == parse_age("1d")
    assert (b.endpoint.user, b.password_command, b.secret_file) == ("b{address}", ("own",), None)
    assert c.prune is None and d.prune is None, "what keeps mail back is no policy by itself"
    assert (d.password_command, d.exclude, d.endpoint.host) == (("pass", "mail/d"), (), "imap.rossi.example")
    assert all(one.inherits for one in found.values())


def test_a_name_cannot_leave_the_directory_that_a_template_names() -> None:
    (found,) = accounts('[account."../../x@y"]\ntemplate = "office"\n').values()
    assert ".." not in Path(found.archive).parts and "/" not in found.archive.removeprefix("/mail/")
    assert Path(found.secret_file or "").parts[:3] == ("/", "secrets", "y")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[templates.x]\nhots = "a"', "[templates.x] unknown key 'hots'"),
        ("[templates.x]\nport = 0", "[templates.x] port: "),
        ("[templates.x.prune]\nolder = 1", "[templates.x.prune] unknown key 'older'"),
        ('[templates.x]\nuser = "{adress}"', "[templates.x] {adress} cannot be filled; known here: {address}"),
        ('[templates.x]\ntemplate = "office"', "[templates.x] unknown key 'template'"),
        ('[account.a]\ntemplate = "x"', "[account.a] there is no template 'x'\n  Templates here: office."),
        ('[account.a]\ntemplate = "office"', "[account.a] {domain} cannot be filled"),
        ('[account."a@b"]\ntemplate = "office"\nuser = ""', '[account."a@b"] user: must not be empty'),
        ("[account.a]\nprune = true", "[account.a.prune] must be a table"),
        (
            '[templates.x]\nuser = "master"\n[account.a]\ntemplate = "x"\n[account.b]\ntemplate = "x"',
            "accounts 'a' and 'b' have the same login",
        ),
    ],
)
def test_a_mistake_names_its_place(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        accounts(text)
    assert said in str(caught.value)
