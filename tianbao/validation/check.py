"""One check: the measured value, its target, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

PASS, WARN, FAIL, INFO = "pass", "warn", "fail", "info"


@dataclass(frozen=True)
class Result:
    """One result of the validation.

    Attributes:
        id: short name, stable from release to release.
        level: "channel", "cell", "muscle" or "sense".
        test: description of what is compared.
        measured: by this run.
        target: the value to compare with; for an upper bound, the bound.
        unit: of all numbers.
        tolerance: of the difference; 0 with `bound`.
        source: of the target.
        bound: whether measured must be strictly below target.
        predecessor: BAAIWorm's value, None if there is none.
        warns: a miss is a warning, not a failure.
        informs: measured without a target, for information; target is nan.
    """

    id: str
    level: str
    test: str
    measured: float
    target: float
    unit: str
    tolerance: float
    source: str
    bound: bool = False
    predecessor: float | None = None
    warns: bool = False
    informs: bool = False

    @property
    def verdict(self) -> str:
        """"pass", "warn", "fail" or "info"."""
        if self.informs:
            return INFO
        if self.bound:
            good = self.measured < self.target
        else:
            good = abs(self.measured - self.target) <= self.tolerance
        if good and math.isfinite(self.measured):
            return PASS
        return WARN if self.warns else FAIL

    def row(self) -> dict:
        """All attributes, with the verdict."""
        return {**asdict(self), "verdict": self.verdict}


Check = Callable[[], Iterable[Result]]
