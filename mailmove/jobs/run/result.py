"""What a run came to, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailmove.errors import Exit, MailmoveError, most_serious
from mailmove.jobs.audit.result import AuditResult
from mailmove.jobs.copy.result import CopyResult
from mailmove.jobs.export.result import ExportResult
from mailmove.jobs.prune.result import PruneResult
from mailmove.plan.steps import Step


@dataclass(slots=True)
class RunResult:
    """The outcome of one account's run; a step is in ``failed``, in ``held`` with the reason, or has its result.

    ``consent`` says why prune may act while nobody watches; empty: nobody has agreed to that, and its plan is only
    shown.
    """

    account: str
    path: str
    at: datetime
    consent: str = ""
    export: ExportResult | None = None
    copy: CopyResult | None = None
    prune: PruneResult | None = None
    audit: AuditResult | None = None
    failed: dict[Step, MailmoveError] = field(default_factory=dict)
    held: dict[Step, str] = field(default_factory=dict)

    @property
    def steps(self) -> Mapping[Step, Exit]:
        """The exit code of each step that was taken."""
        results = {step: getattr(self, step.value) for step in Step}
        codes = {step: result.exit for step, result in results.items() if result is not None}
        if self.unagreed:
            codes[Step.PRUNE] = most_serious((codes[Step.PRUNE], Exit.REFUSED))
        return codes | {step: error.exit for step, error in self.failed.items()}

    @property
    def unagreed(self) -> bool:
        """Whether there is something to prune, and nobody has agreed to that."""
        return bool(self.prune is not None and self.prune.plan.messages and not self.consent)

    @property
    def exit(self) -> Exit:
        """The exit code of this account."""
        return most_serious(self.steps.values())
