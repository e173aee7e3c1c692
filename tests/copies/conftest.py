"""An archive of a scripted server, and the place of its copy. Each module fills its own ``server``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmove.errors import Exit
from tests.copies.kit import copied
from tests.pruning import Pruner
from tests.servers.scripted import Scripted


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    return tmp_path / "nas"


@pytest.fixture
def pruner(server: Scripted, tmp_path: Path, nas: Path) -> Pruner:
    """An archive, and a copy of it."""
    pruner = Pruner(server.port, "user", tmp_path)
    pruner.export()
    assert copied(pruner, nas, name="nas").exit is Exit.DONE
    return pruner
