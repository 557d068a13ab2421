"""Progress of computations that take longer than two seconds: time left and real-time ratio."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from .units import MS_PER_S

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)

_DELAY_S = 2.0
_REFRESH_S = 0.2
_FORMAT = "{desc}: {percentage:3.0f}% |{bar:24}| {n:.1f}/{total:.1f} s, {remaining} left{postfix}"


class Progress:
    """Shows the progress of a simulation, or of a picture of one.

    A progress bar on a terminal; otherwise one log line at the start and one at the end.

    Args:
        total: time to simulate [ms].
        label: description of the computation.
        enabled: False shows nothing.
        doing: what is done with the time, as in "10 s to simulate".
    """

    def __init__(self, total: float, label: str, *, enabled: bool = True, doing: str = "simulate") -> None:
        self._total, self._label, self._enabled, self._doing = total, label, enabled, doing
        self._done = 0.0
        self._bar: tqdm | None = None

    def __enter__(self) -> Progress:
        self._started = self._shown = time.perf_counter()
        if self._enabled:
            log.info("%s: %.1f s to %s", self._label, self._total / MS_PER_S, self._doing)
            if sys.stderr is not None and sys.stderr.isatty():
                self._bar = self._open_bar()
        return self

    def _open_bar(self) -> tqdm:
        from tqdm import tqdm

        return tqdm(
            total=self._total / MS_PER_S, desc=self._label, bar_format=_FORMAT, delay=_DELAY_S,
            file=sys.stderr, mininterval=_REFRESH_S, dynamic_ncols=True, leave=False,
        )  # fmt: skip

    def advance(self, duration: float) -> None:
        """Add simulated time [ms]."""
        self._done += duration
        if self._bar is None:
            return
        # Called a thousand times per second, so the bar is updated only if it may redraw.
        now = time.perf_counter()
        if now - self._shown >= _REFRESH_S:
            self._shown = now
            self._draw()

    def _draw(self) -> None:
        try:
            self._bar.set_postfix_str(f"{self.ratio:.2g} x real time", refresh=False)
            self._bar.update(self._done / MS_PER_S - self._bar.n)
        except OSError:
            # The terminal has been closed: that must not end the computation.
            self._bar.disable, self._bar = True, None

    @property
    def ratio(self) -> float:
        """Simulated over computing time so far [-]; 1 is real time."""
        return self._done / MS_PER_S / max(time.perf_counter() - self._started, 1e-9)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.close()
        if self._enabled:
            took = time.perf_counter() - self._started
            done, total = self._done / MS_PER_S, self._total / MS_PER_S
            log.info("%s: %.1f of %.1f s in %.1f s, %.2g x real time", self._label, done, total, took, self.ratio)
