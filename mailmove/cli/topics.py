"""The topics of ``mailmove help``: what is longer than a command's help. Each is a file ``mailmove/docs/TOPIC.md``."""

from __future__ import annotations

from importlib.resources import files

_DOCS = files("mailmove") / "docs"


def titles() -> dict[str, str]:
    """Each topic and what it is about, which is its first heading."""
    names = sorted(one.name.removesuffix(".md") for one in _DOCS.iterdir() if one.name.endswith(".md"))
    return {name: _text(name).partition("\n")[0].lstrip("# ") for name in names}


def read(name: str) -> str | None:
    """A topic as Markdown; None where there is no such topic."""
    return _text(name) if name in titles() else None


def _text(name: str) -> str:
    return (_DOCS / f"{name}.md").read_text(encoding="utf-8")
