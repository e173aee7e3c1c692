"""What became of one account of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from mailmove.cli.options import Place
from mailmove.errors import Exit, MailmoveError


class Result(Protocol):
    """What a job returns."""

    @property
    def exit(self) -> Exit:
        """Its exit code."""


R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one account: a result, an error for the user, or a bug."""

    place: Place
    result: R | None = None
    error: BaseException | None = None

    @property
    def exit(self) -> Exit:
        """Its exit code: the result's own or the error's."""
        if self.error is not None:
            return self.error.exit if isinstance(self.error, MailmoveError) else Exit.BUG
        return Exit.BUG if self.result is None else self.result.exit

    def as_json(self) -> dict[str, Any]:
        """Its error, for a program."""
        kind = self.error.kind if isinstance(self.error, MailmoveError) else "bug"
        return {"account": self.place.name, "exit": int(self.exit), "error": str(self.error), "kind": kind}
