"""Processes, or actors of Ray, that hold a share of the worms each, and answer to one that deals them out."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

from ..errors import ConfigError, TianbaoError
from ..orphans import end_with
from ..ray_cluster import joined
from .share import Share

_PATIENCE_S = 2.0


class LostError(TianbaoError):
    """A process that held a share of the worms has ended."""


class Crew(Protocol):
    """Holders of shares."""

    def begin(self, shares: Sequence[tuple]) -> None:
        """Give every member a new share, by the arguments of `Share`.

        Raises:
            LostError: for a member that has ended.
        """

    def all(self, method: str, arguments: Sequence[tuple]) -> list[Any]:
        """Call a method of every share at the same time; what each returns, in order.

        Raises:
            LostError: for a member that has ended.
        """

    def renew(self) -> None:
        """Replace all members, whose shares are lost."""

    def close(self) -> None:
        """End all members."""


class Processes:
    """Members in processes of this machine.

    Args:
        count: of members.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._members: list[tuple[Any, Connection]] = []
        self.renew()

    def begin(self, shares: Sequence[tuple]) -> None:
        """See `Crew.begin`."""
        self._ask([("", each) for each in shares])

    def all(self, method: str, arguments: Sequence[tuple]) -> list[Any]:
        """See `Crew.all`."""
        return self._ask([(method, each) for each in arguments])

    def _ask(self, messages: Sequence[tuple]) -> list[Any]:
        answers = []
        try:
            for (_, pipe), message in zip(self._members, messages, strict=True):
                pipe.send(message)
            # Everyone's answer is taken before one is raised: the next question must not meet an old answer.
            answers = [pipe.recv() for _, pipe in self._members]
        except (EOFError, ConnectionError, BrokenPipeError) as error:
            raise LostError(self._ending()) from error
        return _results(answers)

    def _ending(self) -> str:
        for number, (process, _) in enumerate(self._members):
            process.join(1.0)
            if process.exitcode is not None:
                how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"exit status {process.exitcode}"
                return f"process {number + 1} of {self._count} that hold the worms has ended ({how})"
        return "a process that held worms does not answer"

    def renew(self) -> None:
        """See `Crew.renew`."""
        self.close()
        context = multiprocessing.get_context("spawn")
        for _ in range(self._count):
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, os.getpid()), daemon=True)
            process.start()
            theirs.close()
            self._members.append((process, mine))

    def close(self) -> None:
        """See `Crew.close`."""
        for _, pipe in self._members:
            pipe.close()  # who waits for a question ends by itself
        for process, _ in self._members:
            process.join(_PATIENCE_S)
            if process.is_alive():
                process.kill()
                process.join()
        self._members = []


def _results(answers: Sequence[tuple[bool, Any]]) -> list[Any]:
    """What members have answered; the first error among it is raised."""
    for good, answer in answers:
        if not good:
            raise answer
    return [answer for _, answer in answers]


def _serve(pipe: Connection, parent: int) -> None:
    """Answer until nobody asks any more."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks
    holder = Holder()
    while True:
        try:
            method, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(holder.answer(method, arguments))


class Holder:
    """Holds a share, and does with it what it is asked to."""

    def __init__(self) -> None:
        self._share: Share | None = None

    def answer(self, method: str, arguments: tuple) -> tuple[bool, Any]:
        """Whether it went well, and what came of it: the result, or the error."""
        try:
            if not method:
                self._share = None  # its memory goes before that of the next is taken
                self._share = Share(*arguments)
                return True, None
            return True, getattr(self._share, method)(*arguments)
        except TianbaoError as error:
            return False, error
        except Exception as error:  # noqa: BLE001 an error of any kind belongs to whoever asked
            said = "".join(traceback.format_exception(error))
            return False, RuntimeError(f"a process that holds worms failed:\n{said}")


class RayActors:
    """Members as actors of Ray, one core each, on whatever machine has room.

    Args:
        count: of members.
        address: of a running cluster, such as "auto"; None starts Ray on this machine.

    Raises:
        ConfigError: if Ray is missing or no cluster answers.
    """

    def __init__(self, count: int, address: str | None = None) -> None:
        self._count, self._stack = count, contextlib.ExitStack()
        self._ray = self._stack.enter_context(joined(count, address))
        self._holder = self._ray.remote(num_cpus=1, max_restarts=0)(Holder)
        self._members: list[Any] = []
        self.renew()

    def begin(self, shares: Sequence[tuple]) -> None:
        """See `Crew.begin`."""
        self._ask("", shares)

    def all(self, method: str, arguments: Sequence[tuple]) -> list[Any]:
        """See `Crew.all`."""
        return self._ask(method, arguments)

    def _ask(self, method: str, arguments: Sequence[tuple]) -> list[Any]:
        asked = [each.answer.remote(method, given) for each, given in zip(self._members, arguments, strict=True)]
        try:
            answers = self._ray.get(asked)
        except self._ray.exceptions.RayError as error:
            raise LostError(f"Ray lost an actor that held worms ({type(error).__name__})") from error
        return _results(answers)

    def renew(self) -> None:
        """See `Crew.renew`."""
        for each in self._members:
            self._ray.kill(each)
        self._members = [self._holder.remote() for _ in range(self._count)]

    def close(self) -> None:
        """See `Crew.close`."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            for each in self._members:
                self._ray.kill(each)
        self._members = []
        self._stack.close()


def crew(backend: str, count: int, address: str | None = None) -> Crew:
    """Members of one kind.

    Raises:
        ConfigError: for an unknown kind, or an address where there is none.
    """
    if backend == "ray":
        return RayActors(count, address)
    if backend != "processes":
        raise ConfigError(f"there is no backend '{backend}' for parts of a crowd: choose processes or ray")
    if address is not None:
        raise ConfigError("an address is that of a Ray cluster: choose backend 'ray', or leave it out")
    return Processes(count)
