"""Threads do not survive a fork: a process that was forked from one that has simulated is refused, or it would hang."""

from __future__ import annotations

from .errors import TianbaoError


def refusal() -> TianbaoError:
    """The error of a simulation in such a process."""
    return TianbaoError(
        "this process was forked from one that has already set up a simulation, whose threads it lacks: "
        "start processes with multiprocessing.get_context('spawn'), or use tianbao.sweep"
    )
