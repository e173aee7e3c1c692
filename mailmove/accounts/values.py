"""Values of the configuration: a table of TOML, and for each key a function that reads it or says what it must be."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mailmove.errors import UsageError
from mailmove.model import Security
from mailmove.safe import visible
from mailmove.units import Age, parse_age, parse_size

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BARE = re.compile(r"[A-Za-z0-9_-]+")  # a key that TOML takes without quotes


@dataclass
class Table:
    """A table being read: every key is taken once, and none may be left over."""

    data: Mapping[str, Any]
    path: str
    name: str
    given: bool = True
    allowed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.data, dict):
            raise self.error("must be a table")

    def take(self, key: str, read: Callable[[Any], Any], default: Any = ...) -> Any:
        """The value of a key, read; the default where the key is missing.

        :raises UsageError: when it is not as it must be, or missing without a default.
        """
        self.allowed.append(key)
        if key not in self.data:
            if default is ...:
                raise self.error(f"{key} is missing")
            return default
        try:
            return read(self.data[key])
        except (TypeError, ValueError) as error:
            raise self.error(f"{key}: {error}") from None
        except UsageError as error:
            raise UsageError(f"{self._where()}{key}: {error.what}", error.next_step) from None

    def table(self, key: str) -> Table:
        """The table of this key; false, and without keys of its own, when it is missing."""
        self.allowed.append(key)
        shown = key if _BARE.fullmatch(key) else f'"{visible(key)}"'
        name = f"{self.name}.{shown}" if self.name else shown
        return Table(self.data.get(key, {}), self.path, name, given=key in self.data)

    def __bool__(self) -> bool:
        return self.given

    def end(self) -> None:
        """See to it that every key of the table was asked for.

        :raises UsageError: for one that was not.
        """
        for key in self.data.keys() - set(self.allowed):
            close = difflib.get_close_matches(key, self.allowed, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Allowed here: {', '.join(sorted(self.allowed))}."
            raise UsageError(f"{self._where()}unknown key {visible(key)!r}", hint)

    def error(self, what: str, next_step: str = "") -> UsageError:
        """The error for this table."""
        return UsageError(f"{self._where()}{what}", next_step)

    def _where(self) -> str:
        return f"{self.path}: [{self.name}] " if self.name else f"{self.path}: "


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError("must be a text in quotes")
    return value


def word(value: Any) -> str:
    """A text of one line that is not empty."""
    found = text(value)
    refuse_controls(found, "it")
    if not found.strip():
        raise ValueError("must not be empty")
    return found


def path(value: Any) -> str:
    """A path; ``~`` is the home directory."""
    return os.path.expanduser(word(value))


def directory(value: Any) -> str:
    """A path from the root or from ``~``, and no URL."""
    found = path(value)
    if not os.path.isabs(found):
        raise ValueError("must be a directory by its whole path, as in /mnt/nas/mail/rossi")
    return found


def port(value: Any) -> int:
    """A TCP port."""
    if type(value) is not int or not 0 < value < 65536:
        raise ValueError("must be a number from 1 to 65535")
    return value


def timeout(value: Any) -> float:
    """Seconds to wait, more than none."""
    if not (found := seconds(value)):
        raise ValueError("must not be 0")
    return found


def waits(value: Any) -> tuple[float, ...]:
    """Seconds to wait before each further attempt."""
    if not isinstance(value, list) or len(value) > 20:
        raise TypeError("must be a list of at most 20 numbers of seconds, as in [0, 2, 5]")
    return tuple(map(seconds, value))


def seconds(value: Any) -> float:
    """Seconds, at most an hour."""
    if type(value) not in (int, float) or not 0 <= value <= 3600:
        raise ValueError("must be seconds, a number up to 3600")
    return float(value)


def https(value: Any) -> str:
    """An https URL."""
    if urlsplit(found := word(value)).scheme != "https":
        raise ValueError("must be an https URL")
    return found


def url(value: Any) -> str:
    """A URL of http or https. It may be a secret, and is not in the error."""
    parts = urlsplit(found := word(value))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL that begins with https://")
    return found


def days(value: Any) -> int:
    """An age in days or weeks, as seconds."""
    found = parse_age(text(value))
    if not found.days:
        raise ValueError("must be days or weeks, as in 14d")
    return found.days * 86_400


def size(value: Any) -> int:
    """A size, in octets."""
    return parse_size(text(value))


def age(value: Any) -> Age:
    """An age."""
    return parse_age(text(value))


def span(value: Any) -> Age:
    """An age that is no date."""
    found = age(value)
    if found.on is not None:
        raise ValueError("must be a time such as 7d")
    return found


def mapping(value: Any) -> Mapping[str, Any]:
    """A table."""
    if not isinstance(value, dict):
        raise TypeError("must be a table")
    return value


def words(value: Any) -> tuple[str, ...]:
    """A list of words."""
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise TypeError('must be a list of words, as in ["flagged", "drafts"]')
    return tuple(value)


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def count(value: Any) -> int:
    """A number of messages."""
    if type(value) is not int or not 0 <= value < 10**9:
        raise ValueError("must be a number of messages")
    return value


def argv(value: Any) -> tuple[str, ...]:
    """A program and its arguments."""
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise TypeError('must be a list of words, as in ["pass", "show", "mail"]')
    return tuple(value)


def patterns(value: Any) -> tuple[str, ...]:
    """Folder names or patterns."""
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise TypeError('must be a list of folder names or patterns, as in ["Newsletter/*"]')
    return tuple(value)


def security(value: Any) -> Security:
    """How a connection is secured."""
    known = {"implicit": Security.TLS, "starttls": Security.STARTTLS, "none": Security.NONE}
    if value not in known:
        raise UsageError(
            f"{visible(str(value))!r} is not a way to protect a connection", f"Allowed: {', '.join(known)}."
        )
    return known[value]


def refuse_controls(text: str, what: str) -> None:
    """See to it that a text holds no control characters.

    :raises UsageError: when it does.
    """
    if _CONTROL.search(text):
        raise UsageError(f"{what} holds a control character", "Leave it out.")
