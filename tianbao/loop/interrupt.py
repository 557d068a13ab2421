"""Ctrl-C, SIGTERM and a closed terminal end a run between two ticks, never inside one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """Notes a request to stop while a run lasts; a second Ctrl-C stops at once.

    A terminal that closes hangs up more than once. After the first time it is ignored for good, where it would end the
    process before the results are written.

    Attributes:
        asked: whether someone has asked to stop.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interrupt:
        # Python lets only the main thread handle signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._note) for each in _heard(_SIGNALS)}
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        if number == signal.SIGHUP and self._before[number] == signal.SIG_DFL:
            self._before[number] = signal.SIG_IGN

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)


@contextlib.contextmanager
def as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and a closed terminal raise KeyboardInterrupt, once, while the block lasts."""
    before: dict[int, object] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        """Stop, and let nothing disturb what is done on the way out."""
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        before = {each: signal.signal(each, stop) for each in _heard((signal.SIGTERM, signal.SIGHUP))}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _heard(signals: tuple[int, ...]) -> list[int]:
    """Those to handle: under nohup hangups are ignored, and stay so."""
    nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [each for each in signals if not (nohup and each == signal.SIGHUP)]
