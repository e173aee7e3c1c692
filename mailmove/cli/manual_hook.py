"""Makes the manual pages from the help of the commands while the wheel is built."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface):  # type: ignore[type-arg]
    """Puts them where man looks for them: ``share/man/man1``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the pages and have them packed; an editable install has none."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from mailmove.cli import manual

        self.pages = tempfile.TemporaryDirectory()
        for name, text in manual.pages().items():
            page = Path(self.pages.name, name)
            page.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(page)] = f"share/man/man1/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Tidy up."""
        if version != "editable":
            self.pages.cleanup()
