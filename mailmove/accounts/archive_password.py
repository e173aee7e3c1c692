"""The password by which mail programs open an archive that is served: made at first use, kept like other secrets."""

from __future__ import annotations

import os
import secrets

from mailmove.accounts.vault import File, Keyring, Vault
from mailmove.errors import LoginError
from mailmove.replacing import replace_file

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another when it is typed into a phone
_GROUPS = 5  # of four: 99 bits


def of_archive(directory: str, uuid: str) -> tuple[str, str]:
    """The password of an archive, and where it is kept: in the keyring, or, where there is none, in this directory.

    :raises LoginError: when the one that there is cannot be read: a new one would lock mail programs out.
    """
    file, note = File(os.path.join(directory, f"{uuid}.password")), os.path.join(directory, f"{uuid}.in-keyring")
    keyring = Keyring(f"archive {uuid}")
    kept = file.read()
    if kept is not None:
        return kept, file.place
    if os.path.exists(note):
        kept = keyring.read()
        if kept is None:
            raise LoginError("the keyring has lost the password of the archive", f"To have a new one: rm '{note}'")
        return kept, keyring.place
    made = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))
    return made, _keep(made, keyring, file, note)


def _keep(made: str, keyring: Vault, file: Vault, note: str) -> str:
    try:
        keyring.write(made)
    except LoginError:
        file.write(made)
        return file.place
    replace_file(note, b"")
    return keyring.place
