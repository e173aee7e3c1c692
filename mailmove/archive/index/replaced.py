"""Messages that left the server and were put back, in the index: two UIDs of one folder, and one file for both."""

from __future__ import annotations

from collections.abc import Iterator

from mailmove.archive.index.lacking import Lacking
from mailmove.archive.index.messages import Messages, Stored
from mailmove.archive.record import records


class Replaced(Messages, Lacking):
    """What is told of the archive with each such message told once."""

    def replaced(self, wire: bytes, uidvalidity: int) -> dict[Stored, Stored]:
        """Messages of a folder that the server let go of, each with the latest restored copy of it that is archived
        there, of the same octets and arrival: the file of that one serves both.
        """
        families = self._families(wire, uidvalidity)
        if not families:
            return {}
        files = self.current(wire, uidvalidity, families)
        latest = {(families[uid], files[uid].base.arrival, files[uid].sha256): files[uid] for uid in sorted(files)}
        gone = [uid for uid, away in self._rows("uid, gone IS NOT NULL", wire, uidvalidity, families) if away]
        found = {files[uid]: latest[families[uid], files[uid].base.arrival, files[uid].sha256] for uid in gone}
        return {stored: copy for stored, copy in found.items() if stored != copy}

    def stored(self, wire: bytes, uidvalidity: int) -> Iterator[Stored]:
        """Every message of a folder, superseded ones included, and those that are :meth:`replaced` not."""
        spare = self.replaced(wire, uidvalidity)
        return (stored for stored in self._files(wire, uidvalidity) if stored not in spare)

    def count(self) -> tuple[int, int]:
        """Messages in the archive and the sum of their octets, without those that are :meth:`replaced`."""
        messages, octets = self._db.execute("SELECT count(*), coalesce(sum(octets), 0) FROM message").fetchone()
        folders = self._db.execute("SELECT DISTINCT folder, uidvalidity FROM restored WHERE login = ''").fetchall()
        spare = [stored.base.octets for key in folders for stored in self.replaced(*key)]
        return int(messages) - len(spare), int(octets) - sum(spare)

    def remembered(self) -> list[records.Remembered]:
        """Messages that nothing but a lost index knew, and that have not come back, not even as a restored copy."""
        return [line for line in super().remembered() if line.gone is None or not self._has_copy(line)]

    def _has_copy(self, line: records.Remembered) -> bool:
        families = self._families(line.folder, line.uidvalidity)
        family = {uid for uid, first in families.items() if first == families.get(line.uid)}
        wanted = (line.arrival, bytes.fromhex(line.sha256))
        copies = self.current(line.folder, line.uidvalidity, family).values()
        return any((stored.base.arrival, stored.sha256) == wanted for stored in copies)

    def _families(self, wire: bytes, uidvalidity: int) -> dict[int, int]:
        """UIDs of a folder that are restored copies of one another, each with the one that came first."""
        rows = self._db.execute(
            "SELECT uid, source_uid FROM restored WHERE login = '' AND folder = ?1 AND uidvalidity = ?2"
            " AND source_folder = ?1 AND source_uidvalidity = ?2 AND source_uid < uid ORDER BY uid",
            (wire, uidvalidity),
        )
        first: dict[int, int] = {}
        for uid, source in rows:
            first[uid] = first.setdefault(source, source)
        return first
