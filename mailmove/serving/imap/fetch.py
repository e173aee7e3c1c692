"""FETCH (RFC 3501 6.4.5): what is told of each message, made one by one as it is received."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mailmove.errors import ArchiveError
from mailmove.serving import octets
from mailmove.serving.channel import Closed
from mailmove.serving.imap import structure
from mailmove.serving.imap.parser import Item, Section
from mailmove.serving.imap.sections import Body
from mailmove.serving.imap.selected import Selected


class Fetch:
    """One FETCH. ``failed`` are the messages that could not be served, in words."""

    def __init__(self, selected: Selected, items: Sequence[Item], *, by_uid: bool) -> None:
        wanted = list(dict.fromkeys(items))
        if by_uid and "UID" not in wanted:
            wanted.insert(0, "UID")
        self._selected = selected
        self._sees = not selected.examined and any(isinstance(one, Section) and not one.peek for one in wanted)
        self._wanted = wanted
        self._record: dict[str, Callable[[int], bytes]] = {
            "UID": lambda at: b"UID %d" % selected.items.uids[at],
            "FLAGS": lambda at: b"FLAGS (%b)" % selected.flags(at),
            "RFC822.SIZE": lambda at: b"RFC822.SIZE %d" % selected.items.octets[at],
            "INTERNALDATE": lambda at: b'INTERNALDATE "%b"' % selected.items.date(at),
        }
        self.failed: list[str] = []

    def responses(self, chosen: Sequence[int]) -> Iterator[bytes]:
        """The responses for these messages.

        :raises Closed: when a message turns out to be damaged in the middle of its literal.
        """
        if all(one in self._record for one in self._wanted):
            return self._records(chosen)
        return self._bodies(chosen)

    def _records(self, chosen: Sequence[int]) -> Iterator[bytes]:
        told = [self._record[str(one)] for one in self._wanted]
        for index in chosen:
            yield b"* %d FETCH (%b)\r\n" % (index + 1, b" ".join([tell(index) for tell in told]))

    def _bodies(self, chosen: Sequence[int]) -> Iterator[bytes]:
        selected = self._selected
        for index in chosen:
            begun = False
            try:
                stored = selected.snapshot.stored(selected.mailbox, selected.items[index])
                with octets.opened(selected.snapshot, stored) as found:
                    pieces = self._pieces(index, Body(found))
                    yield b"* %d FETCH (%b" % (index + 1, next(pieces))
                    begun = True
                    yield from pieces
            except ArchiveError as error:
                if begun:
                    raise Closed("a message changed while it was sent") from error
                self.failed.append(error.what)

    def _pieces(self, index: int, body: Body) -> Iterator[bytes]:
        """The items of a message; nothing comes before all that is not a long literal was made."""
        changes = self._sees and self._selected.see(index)
        wanted = self._wanted if not changes or "FLAGS" in self._wanted else [*self._wanted, "FLAGS"]
        held: list[bytes] = []
        for number, one in enumerate(wanted):
            held.append(b" " if number else b"")
            if not isinstance(one, Section):
                held.append(self._told(one, index, body))
                continue
            held.append(one.label + b" ")
            literal = body.section(one)
            if literal is None:
                held.append(b"NIL")
                continue
            for piece in literal:
                held.append(piece)
                if sum(map(len, held)) > octets.PIECE:
                    yield b"".join(held)
                    held = []
        yield b"%b)\r\n" % b"".join(held)

    def _told(self, one: str, index: int, body: Body) -> bytes:
        if one in self._record:
            return self._record[one](index)
        if one == "ENVELOPE":
            return b"ENVELOPE " + structure.envelope(body.root)
        extended = one == "BODYSTRUCTURE"
        return one.encode() + b" " + structure.bodystructure(body.octets, body.root, extended=extended)
