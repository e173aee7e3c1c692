"""What many accounts share: ``[defaults]`` and ``[templates.NAME]``, laid beneath what an account says itself.

The nearest value holds; of ``prune`` and ``copies`` each key by itself. Where a shared text says ``{address}``,
``{local}`` or ``{domain}``, each account has its own there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

_PLACE = re.compile(r"\{(\w+)\}")
_PATHS = ("archive", "secret_file", "ca_file")
_COMMANDS = ("password_command", "token_command")
_TABLES = ("prune", "copies")
_AGES = ("older_than", "archived_for", "folders")

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Laid:
    """An account's table with all that it inherits; ``inherited`` are the rules of ``prune.folders`` that it does."""

    values: dict[str, Any]
    inherited: frozenset[str] = frozenset()


def laid(
    name: str,
    own: Values,
    shared: Sequence[Values],
    exclusive: Sequence[tuple[str, str]],
    file_name: Callable[[str], str],
) -> Laid:
    """An account's own values on those that it shares, the most general first.

    Of two keys that are ``exclusive`` the nearer one holds. ``file_name`` makes a name fit for a path.

    :raises ValueError: when a shared value names a place that cannot be filled.
    """
    result: dict[str, Any] = {}
    for layer in shared:
        result = _on(result, _filled(layer, name, file_name), exclusive)
    result = _on(result, own, exclusive)
    prune = result.get("prune")
    if prune is False or ("prune" not in own and isinstance(prune, dict) and not acts(prune)):
        del result["prune"]
        return Laid(result)
    return Laid(result, frozenset(_rules(prune)) - frozenset(_rules(own.get("prune"))))


def acts(prune: Values) -> bool:
    """Whether a table of ``prune`` lays down any age."""
    return any(map(prune.get, _AGES))


def _on(lower: Values, upper: Values, exclusive: Sequence[tuple[str, str]]) -> dict[str, Any]:
    gone = {one for pair in exclusive for one, other in (pair, pair[::-1]) if other in upper and one not in upper}
    result = {**{key: value for key, value in lower.items() if key not in gone}, **upper}
    for table in _TABLES:
        if isinstance(below := lower.get(table), dict) and isinstance(above := upper.get(table), dict):
            result[table] = {**below, **above}
            if table == "prune" and isinstance(below.get("folders"), dict) and isinstance(above.get("folders"), dict):
                result[table]["folders"] = {**below["folders"], **above["folders"]}
    return result


def _rules(prune: object) -> Values:
    rules = prune.get("folders") if isinstance(prune, dict) else None
    return rules if isinstance(rules, dict) else {}


def _filled(layer: Values, name: str, file_name: Callable[[str], str]) -> dict[str, Any]:
    local, at, domain = name.rpartition("@")
    known = {"address": name, **({"local": local, "domain": domain} if at else {})}
    result = dict(layer)
    if "user" in result:
        result["user"] = _text(result["user"], known)
    if result.keys().isdisjoint((*_PATHS, *_COMMANDS, "copies")):
        return result
    paths = partial(_text, known={key: file_name(value) for key, value in known.items()})
    for key in result.keys() & set(_PATHS):
        result[key] = paths(result[key])
    for key in result.keys() & set(_COMMANDS):
        if isinstance(result[key], list):
            result[key] = [_text(word, known, only=True) for word in result[key]]
    if isinstance(copies := result.get("copies"), dict):
        result["copies"] = {
            one: {**at, "path": paths(at["path"])} if isinstance(at, dict) and "path" in at else paths(at)
            for one, at in copies.items()
        }
    return result


def _text(value: Any, known: Mapping[str, str], *, only: bool = False) -> Any:
    """A text with its places filled; with ``only`` what is none stays, because it may mean something to a program."""
    if not isinstance(value, str):
        return value  # whatever it is, who reads it says what it must be

    def fill(found: re.Match[str]) -> str:
        if found[1] in known:
            return known[found[1]]
        if only:
            return found[0]
        raise ValueError(f"{{{found[1]}}} cannot be filled; known here: {', '.join(f'{{{key}}}' for key in known)}")

    return _PLACE.sub(fill, value)
