"""`mailmove browse` as a user runs it: an address in JSON, a browser that is opened without telling others, an end."""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.kit import Program, message
from tests.serving.conftest import Shelved, shelved

__all__ = ["shelved"]


@pytest.mark.fault(102)
def test_the_browser_is_opened_by_a_private_file(shelved: Shelved, mailmove: Program) -> None:
    shelved.put({1: message(1)})
    opener = mailmove.home / "browser"
    told = mailmove.home / "told"
    opener.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{told}.new && mv {told}.new {told}\n')
    opener.chmod(0o700)
    mailmove.env["BROWSER"] = str(opener)
    with mailmove.started("browse", shelved.path) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == "Showing 1 archive in the browser, read-only, on this machine. Ctrl-C ends it.\n"
        (address,) = told.read_text().split()
        path = Path(address.removeprefix("file://"))
        assert path.stat().st_mode & 0o777 == 0o600 and "ticket" not in address
        found = re.search(r'href="(http://127\.0\.0\.1:\d+/enter\?ticket=[\w-]{43})"', path.read_text())
        assert found
        with urllib.request.urlopen(found[1], timeout=20) as answer:
            assert answer.headers["Set-Cookie"].endswith("HttpOnly; SameSite=Strict")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(found[1], timeout=20)
        process.terminate()
        assert process.wait(20) == 0


def test_json_tells_where(shelved: Shelved, mailmove: Program) -> None:
    shelved.put({1: message(1)})
    mailmove.env["BROWSER"] = "false"
    with mailmove.started("browse", os.fspath(shelved.path), "--json", "--no-open") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert list(told) == ["url"]
        port = int(told["url"].rpartition(":")[2].partition("/")[0])
        refused = mailmove("browse", shelved.path, "--port", port)
        assert refused.code == 8 and "--port" in refused.err
        process.terminate()
        assert process.wait(20) == 0
    assert mailmove("browse", "--no-open").code == 2  # there is no account
