"""What POP3 shows: messages of several directories, each once, the oldest arrival first."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from mailmove.serving.folders import Mailbox
from mailmove.serving.messages import Item, Messages

_AT = (1 << 32) - 1


class Drop:
    """A maildrop (RFC 1939): messages by number, from 0 on."""

    def __init__(self, held: Sequence[tuple[Mailbox, Messages]]) -> None:
        self._held = held
        self._places = array("Q", _once(held))
        self.octets = array("Q", (self._held[place >> 32][1].octets[place & _AT] for place in self._places))
        """How large each of them is."""

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int, /) -> tuple[Mailbox, Item]:
        box, messages, at = self._place(number)
        return box, messages[at]

    def name(self, number: int) -> str:
        """What a message is called for ever: its SHA-256."""
        _, messages, at = self._place(number)
        return messages.sha256(at).hex()

    def _place(self, number: int) -> tuple[Mailbox, Messages, int]:
        place = self._places[number]
        return *self._held[place >> 32], place & _AT


def _once(held: Sequence[tuple[Mailbox, Messages]]) -> Iterator[int]:
    """Where each message is: which of these, and the how manieth there."""
    every = [
        (*messages.age(at), which << 32 | at) for which, (_, messages) in enumerate(held) for at in range(len(messages))
    ]
    every.sort()
    seen: set[bytes] = set()
    for _, sha256, place in every:
        if sha256 not in seen:
            seen.add(sha256)
            yield place
