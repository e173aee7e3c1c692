"""Accounts from a list: a line that cannot be used costs itself, a list that cannot be meant stops everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailmove.accounts import config
from mailmove.accounts.config import Config
from mailmove.errors import RefusedError, UsageError
from tests.kit import Program


def loaded(tmp_path: Path, text: bytes, **keys: object) -> Config:
    path, file = tmp_path / "config.toml", tmp_path / "accounts.csv"
    file.write_bytes(text)
    file.chmod(0o600)
    tmp_path.chmod(0o700)
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in (keys or {"csv": str(file)}).items())
    path.write_text(f'[defaults]\nhost = "h"\n[templates.t]\nuser = "{{local}}"\n[account.x]\n[accounts]\n{lines}')
    return config.load(str(path))


@pytest.mark.fault(117)
def test_a_broken_line_costs_itself(tmp_path: Path) -> None:
    text = "\ufeffaddress,template,archive\r\na@b,t,\r\n,t,\nc@d,nope,\ne@f\n\na@b,,\n-x,,\nx,,\ng@h,,/tmp/../tmp/a\n"
    text += "i@j,,/tmp/a\nk@l,,\n"
    found = loaded(tmp_path, text.encode())
    assert [(one.name, one.endpoint.user) for one in found.accounts] == [
        ("x", "x"), ("a@b", "a"), ("g@h", "g@h"), ("k@l", "k@l"),
    ]  # fmt: skip
    assert found.listed == 10 and len(found.left_out) == 7
    said = "\n".join(found.left_out)
    for part in ("line 3: no address", "there is no template 'nope'", "line 5: 1 columns", "stands in line 2 already"):
        assert part in said, said
    assert "x has the same name" in said and "i@j has the same name, login or archive as g@h" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "address among them"),
        (b"address,password\n", "unknown column 'password'"),
        (b"address,password_command\n", "unknown column 'password_command'"),
        (b"user\n", "address among them"),
        (b"address,user,user\n", "each column once"),
        (b"address\n\xff\n", "not a CSV file in UTF-8"),
    ],
)
def test_columns_that_cannot_be_understood_stop_all(text: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, text)
    assert said in str(caught.value)


def test_a_program_may_print_the_list_and_its_failure_is_no_empty_list(tmp_path: Path) -> None:
    found = loaded(tmp_path, b"", command=["printf", "address\\na@b\\n"])
    assert [one.name for one in found.accounts] == ["x", "a@b"]
    with pytest.raises(UsageError, match=r"failed \(exit 1\)"):
        loaded(tmp_path, b"", command=["false"])
    with pytest.raises(UsageError, match="exclude each other"):
        loaded(tmp_path, b"", command=["true"], csv="x")
    (tmp_path / "accounts.csv").chmod(0o666)
    with pytest.raises(RefusedError, match="others can write"):
        config.load(str(_of(tmp_path)))


def _of(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(f'[accounts]\ncsv = "{tmp_path / "accounts.csv"}"\n')
    return path


@pytest.mark.fault(117)
def test_a_list_that_is_suddenly_much_shorter_is_refused(mailmove: Program) -> None:
    file = mailmove.home / "accounts.csv"
    mailmove.configure(f'[defaults]\nhost = "localhost"\n[accounts]\ncsv = "{file}"\n')

    def write(count: int) -> None:
        file.write_text("address\n" + "".join(f"u{number}@x\n" for number in range(count)))
        file.chmod(0o600)

    write(9)
    assert mailmove("account", "list").out.count("@x") == 9
    write(4)
    done = mailmove("account", "list")
    assert done.code == 8 and "has 4 accounts, and had 9 before" in done.err
    write(0)
    assert mailmove("run").code == 8
