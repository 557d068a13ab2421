"""Every check of every level, and running them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from ..electrophysiology.recordings import Recorded
from ..errors import ConfigError, unknown
from . import cells, channels, muscle, recorded, senses
from .check import Check, Result

log = logging.getLogger(__name__)

_CHECKS = {"channel": channels.CHECKS, "cell": cells.CHECKS, "muscle": muscle.CHECKS, "sense": senses.CHECKS}

LEVELS = tuple(_CHECKS)
"""Every level, in the order in which they are run."""


def checks(level: str) -> dict[str, Check]:
    """Name -> check of one level.

    Raises:
        ConfigError: for an unknown level.
    """
    if level not in _CHECKS:
        raise ConfigError(unknown("level", level, LEVELS))
    return _CHECKS[level]


def run(levels: Iterable[str] = LEVELS, whole: Sequence[Recorded] = ()) -> list[Result]:
    """Every result of some levels, in order.

    Args:
        levels: of `LEVELS`.
        whole: recordings whose every sample level cell compares, see `read_recordings`.

    Raises:
        ConfigError: for an unknown level.
    """
    results: list[Result] = []
    for level, chosen in [(level, checks(level)) for level in levels]:
        for k, (name, check) in enumerate(chosen.items(), start=1):
            log.info("%s %d of %d: %s", level, k, len(chosen), name)
            results += check()
        if level == "cell":
            results += recorded.against(whole)
    return results
