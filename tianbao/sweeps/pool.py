"""Processes that do runs, and the pool that hands them out."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from .folder import LOG, OPEN, outcome
from .work import Order, fail

log = logging.getLogger(__name__)

# A process grows by some megabytes with every network it builds.
_MOST_RUNS = 50
_TRIES = 2
_GRACE_S = 5.0

Settled = Callable[[Order], None]


class Hand:
    """A process that does one run after the other.

    It is a fresh interpreter, since neither NEURON nor Taichi survives a fork, and it does not import the caller's
    script, so that a sweep may be called anywhere. It ends when this end of its connection closes.
    """

    def __init__(self, first: Order) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        folder = Path(first.folder)
        folder.mkdir(parents=True, exist_ok=True)
        # Its own session: Ctrl-C at the terminal is ours to handle.
        with open(folder / LOG, "ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tianbao.sweeps.work", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env=_environment(), start_new_session=True,
            )  # fmt: skip
        theirs.close()
        self.group = first.group
        self.runs, self.good = 0, True
        self.give(first)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def give(self, order: Order) -> None:
        """Hand over a run."""
        self.order = order
        self.runs += 1
        try:
            self.connection.send(dataclasses.asdict(order))
        except OSError:
            # It is gone already; taking its answer tells how.
            log.debug("process %d took no order", self.pid)

    def answered(self) -> bool:
        """Whether the run ended in its process, well or not; False if the process died under it. Waits for either."""
        try:
            self.good = bool(self.connection.recv())
        except (EOFError, OSError):
            self.good = False
            self.stop()
            return False
        return True

    def fits(self, order: Order) -> bool:
        """Whether the process may do this run next."""
        return self.good and self.runs < _MOST_RUNS and self.group == order.group

    def stop(self) -> None:
        """End the process, in the middle of a run or not."""
        self.connection.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ending(self) -> str:
        """How a process that died went, in words."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"its process ended with exit status {code}"
        return f"its process was killed ({signal.Signals(-code).name})"


def _environment() -> dict[str, str]:
    """Ours, with our import path, and one thread each: the sweep is what is parallel."""
    path = os.pathsep.join(os.path.abspath(each) for each in sys.path)
    return {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}


def pool(orders: Iterable[Order], settled: Settled, workers: int) -> None:
    """Do all orders, at most `workers` at a time; a run whose process dies is tried once more.

    Args:
        orders: the runs to do.
        settled: called after each run that is finished or failed.
        workers: processes at a time [-].
    """
    pending = list(orders)
    tries: dict[int, int] = {}
    hands: list[Hand] = []
    try:
        while pending or hands:
            while pending and len(hands) < workers:
                hands.append(Hand(pending.pop(0)))
            waiting = {hand.connection: hand for hand in hands}
            for connection in multiprocessing.connection.wait(list(waiting)):
                _next(waiting[connection], hands, pending, tries, settled)
    finally:
        # After Ctrl-C as well: none outlives the sweep.
        for hand in hands:
            hand.stop()


def _next(hand: Hand, hands: list[Hand], pending: list[Order], tries: dict[int, int], settled: Settled) -> None:
    """Take a hand's answer and give it its next run, or let it go."""
    order = hand.order
    if hand.answered() or outcome(Path(order.folder), order).status != OPEN:
        settled(order)
    else:
        tries[order.number] = tries.get(order.number, 0) + 1
        if once_more(order, tries[order.number], hand.ending()):
            pending.insert(0, order)
        else:
            settled(order)
    following = next((each for each in pending if hand.fits(each)), None)
    if following is None:
        hands.remove(hand)
        hand.stop()
    else:
        pending.remove(following)
        hand.give(following)


def once_more(order: Order, tries: int, ending: str) -> bool:
    """Whether a run whose process died is tried again; its error is left when it is not."""
    if tries < _TRIES:
        log.warning("run %d: %s; trying it once more", order.number, ending)
        return True
    fail(Path(order.folder), f"{ending}, {_TRIES} times; if memory is short, use fewer workers; see {LOG}")
    return False
