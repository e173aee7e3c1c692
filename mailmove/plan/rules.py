"""Which of a policy's rules hold for a folder, and which hold for none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailmove.model import SPECIAL_USE, Folder, NamespaceKind
from mailmove.plan import naming
from mailmove.plan.folders import matches
from mailmove.plan.policy import Asked, Policy
from mailmove.safe import visible
from mailmove.units import Age


@dataclass(frozen=True, slots=True)
class FolderAge:
    """When messages of a folder may go: old enough by their date, and archived for long enough; None asks nothing.

    ``own``: by a rule of the folder's own, or because it was named; not by what holds for every folder.
    """

    age: Age | None
    archived_for: Age | None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """A rule that means none of an account's folders; ``like`` is the folder whose name is most like it.

    ``doubtful``: the folder that it was laid down for may be among those that only have the general age.
    """

    rule: str
    like: Folder | None
    doubtful: bool

    def __str__(self) -> str:
        what = f"the policy's {visible(self.rule, 100)!r} means no folder of this account"
        return f"{what}: did you mean {self.like.shown!r}?" if self.like is not None and self.doubtful else what


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy and what one run was asked for, at ``now``.

    A rule means a folder by its name, its special use, or as a pattern for it. Where it keeps longer than what holds
    without it, it also means one that it names loosely, as :mod:`mailmove.plan.naming` compares; one whose name
    suggests that special use, in ``uses`` (see :func:`mailmove.plan.policy.guess_uses`); and one that it meant under
    an earlier name, in ``renamed``. Both are by wire name.
    """

    policy: Policy
    asked: Asked
    now: datetime
    uses: Mapping[bytes, str] = field(default_factory=dict)
    renamed: Mapping[bytes, Collection[str]] = field(default_factory=dict)

    def age(self, folder: Folder) -> FolderAge | str:
        """The ages that hold for a folder, or why prune leaves it alone.

        An age that was asked for never overrides a folder's own ``never`` or longer age, unless the folder was named.
        """
        if folder.namespace is not NamespaceKind.PERSONAL:
            return (
                "it belongs to another user"
                if folder.namespace is NamespaceKind.OTHER
                else f"it is {folder.namespace.value}"
            )
        named, asked = self._named(folder), self.asked
        if named and (asked.age or asked.archived_for):
            return FolderAge(asked.age, asked.archived_for or self.policy.archived_for, own=True)
        found = self._exactly(folder, named=named)
        for rule, why in self._loose(folder).items():
            age = self.policy.folders[rule]
            if isinstance(found, FolderAge) and self._keeps(age, found):
                never = f"the policy says never ({why})"
                found = never if age is None else FolderAge(age, found.archived_for, own=True)
        return found

    def of(self, folder: Folder) -> list[str]:
        """The rules that mean a folder: those that do so most directly, and loose ones that keep longer than they."""
        rank, without = self._rank(folder), self._exactly(folder, named=False)
        exact = [rule for rule in self.policy.folders if rank and directness(rule, folder) == rank]
        return exact + [rule for rule in self._loose(folder) if self._keeps(self.policy.folders[rule], without)]

    def means(self, rule: str, folder: Folder) -> bool:
        """Whether a rule means a folder, if only as one of several."""
        return directness(rule, folder) > 0 or rule in self.of(folder)

    def missing(self, folders: Collection[Folder], before: Collection[str] = ()) -> list[Missing]:
        """The rules that mean none of these folders; ``before`` have meant one of this account at some time.

        Not doubtful are special uses that no folder is marked as, and what was laid down for many accounts, unless
        they have meant a folder here.
        """
        meant = {rule for rules in self.renamed.values() for rule in rules}
        meant.update(rule for folder in folders for rule in self.of(folder))
        lost = [rule for rule in self.policy.folders if rule not in meant]
        return [
            Missing(rule, naming.nearest(rule, folders), self._is_doubtful(rule, rule in before))
            for rule in lost
            if not any(directness(rule, folder) for folder in folders)
        ]

    def _is_doubtful(self, rule: str, before: bool) -> bool:
        if naming.use(rule) is not None:
            return before and self._keeps(self.policy.folders[rule], FolderAge(self._general, None))
        return before or rule not in self.policy.inherited

    @property
    def _general(self) -> Age | None:
        """The age of every folder without a rule; with a target, only one that was asked for."""
        return self.asked.age or (None if self.asked.target else self.policy.age)

    def _named(self, folder: Folder) -> bool:
        return any(_names(folder, pattern) for pattern in self.asked.folders)

    def _rank(self, folder: Folder) -> int:
        """How directly the rules that name a folder mean it at best."""
        return max((directness(rule, folder) for rule in self.policy.folders), default=0)

    def _exactly(self, folder: Folder, *, named: bool) -> FolderAge | str:
        """What holds by the rules that mean the folder just as they are spelt."""
        rank, policy, asked = self._rank(folder), self.policy, self.asked
        ages = [age for rule, age in policy.folders.items() if rank and directness(rule, folder) == rank]
        archived_for = asked.archived_for or policy.archived_for
        if None in ages:
            return "the policy says never"
        if folder.special_use in _VIEWS and not ages and not named:
            return _VIEWS[folder.special_use]
        if ages:
            return FolderAge(self._strictest((*ages, asked.age)), archived_for, own=True)
        if self._general is None and archived_for is None and not asked.target:
            return "no age is laid down for it"
        return FolderAge(self._general, archived_for)

    def _loose(self, folder: Folder) -> dict[str, str]:
        """The rules that only loosely mean a folder, and no less directly than those that name it; and how they do."""
        rank, found = self._rank(folder), {}
        for rule in self.policy.folders:
            if not directness(rule, folder):
                how, why = self._loosely(rule, folder)
                if how and how >= rank:
                    found[rule] = why
        return found

    def _loosely(self, rule: str, folder: Folder) -> tuple[int, str]:
        """How directly a rule that does not name a folder means it all the same, 0 for not at all; and why."""
        shown, use = repr(visible(rule, 100)), naming.use(rule)
        spelt = f"its rule is spelt {shown}"
        if rule in self.renamed.get(folder.wire, ()):
            return _NAME, f"{shown} meant it before"
        if naming.same(rule, folder):
            return _NAME, spelt
        if use is not None and use == folder.special_use:
            return _USE, spelt
        if use is not None and use == self.uses.get(folder.wire):
            return _USE, f"{use[1:].title()} by its name"
        return (_PATTERN, spelt) if naming.fits(rule, folder) else (0, "")

    def _keeps(self, age: Age | None, other: FolderAge | str) -> bool:
        """Whether a rule of this age, None for never, keeps at least as long as what holds otherwise."""
        if age is None:
            return True
        if isinstance(other, str):
            return False
        return other.age is None or age.cutoff(self.now) <= other.age.cutoff(self.now)

    def _strictest(self, ages: Iterable[Age | None]) -> Age:
        """The one that keeps the most."""
        return min((age for age in ages if age is not None), key=lambda age: age.cutoff(self.now))


_VIEWS = {
    "\\all": "it shows the messages of other folders",
    "\\flagged": "it shows the messages of other folders",
    "\\important": "it shows the messages of other folders",
    "\\archive": "it is the provider's archive",
}
_PATTERN, _USE, _NAME = 1, 2, 3


def directness(rule: str, folder: Folder) -> int:
    """How directly a rule means a folder just as it is spelt: by name, by special use, as a pattern, or (0) not."""
    if _names(folder, rule) and not rule.startswith("\\"):
        return _NAME
    if folder.special_use is not None and _use(rule) == folder.special_use:
        return _USE
    return _PATTERN if matches(folder, rule) else 0


def _names(folder: Folder, pattern: str) -> bool:
    r"""Whether this is the folder's very name, or its special use written as ``\Trash``; not a pattern for several."""
    if pattern.startswith("\\"):
        return folder.special_use == pattern.lower()
    if pattern.upper() == "INBOX":
        return folder.wire == b"INBOX"
    return pattern in (folder.name, folder.wire.decode("utf-8", "surrogateescape"))


def _use(rule: str) -> str | None:
    r"""The special use that ``Trash`` or ``\Trash`` stands for."""
    use = "\\" + rule.removeprefix("\\").lower()
    return use if use in SPECIAL_USE else None
