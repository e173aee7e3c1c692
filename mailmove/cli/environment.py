"""What the environment says: where the configuration and the state directory are, and whether a shell asks."""

from __future__ import annotations

import os

COMPLETES = "_MAILMOVE_COMPLETE"
"""The variable by which a shell asks how a word goes on: its name. ``_MAILMOVE_LINE`` has the line up to the cursor."""


def config_path(given: str | None) -> str:
    """The configuration that is meant."""
    return os.path.expanduser(given or os.environ.get("MAILMOVE_CONFIG") or default_config())


def default_config() -> str:
    """Where the configuration is when nothing else is said."""
    import platformdirs

    return os.path.join(platformdirs.user_config_dir("mailmove"), "config.toml")


def state_directory() -> str:
    """Where mailmove remembers things on this machine."""
    import platformdirs

    return os.environ.get("MAILMOVE_STATE") or platformdirs.user_state_dir("mailmove")
