"""A limit on the time of a sweep: runs that would pass it are not started."""

from __future__ import annotations

import math
import re
import time

from ..errors import ConfigError, shorten

_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "min": 60.0, "s": 1.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(min|[dhms])")
_LONGEST_S = 366 * 86_400.0


def limit_of(text: str | float) -> float:
    """Seconds of a limit such as "2h", "30m", "90s" or "1h30m".

    Args:
        text: numbers with the units d, h, m or s; a number alone is in seconds.

    Raises:
        ConfigError: if it is not a time above 0 and below a year.
    """
    seconds = math.nan
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        seconds = float(text) if abs(text) <= _LONGEST_S else math.inf
    elif isinstance(text, str) and re.fullmatch(rf"\s*(?:{_PART.pattern}\s*)+", text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not 0.0 < seconds <= _LONGEST_S:
        raise ConfigError(f"time limit '{shorten(text)}': give a time such as 2h, 30m, 90s or 1h30m")
    return seconds


class TimeLimit:
    """Says whether a run may still start; the clock runs from now on.

    Args:
        seconds: from now [s]; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def given(self) -> bool:
        """Whether there is a limit."""
        return self._end < math.inf

    def allows(self, seconds: float) -> bool:
        """Whether a run that takes so long would end in time; one of unknown length may start before the end.

        Args:
            seconds: expected time of the run [s]; NaN if unknown.
        """
        return time.monotonic() + (0.0 if math.isnan(seconds) else seconds) <= self._end
