"""Standard streams that are closed, full, broken or know ASCII only: a program does its work all the same.

A closed descriptor would be given to the next file that is opened, a results file for instance, and what NEURON or
Taichi print from C would then be written into it.
"""

from __future__ import annotations

import errno
import io
import os
import sys

# Nobody is left to read, or ever was: the reader of a pipe has seen enough, the terminal is gone.
_NOBODY = (errno.EPIPE, errno.EIO, errno.EBADF)


class _Output(io.TextIOWrapper):
    """A stream that drops what it cannot deliver.

    Args:
        stream: that it takes the place of.

    Attributes:
        failure: the first error of the system, None if all was delivered.
    """

    failure: OSError | None = None

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )  # fmt: skip
        self._kept = stream  # it would close the buffer that both share

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Deliver what is buffered, or drop it."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.failure = self.failure or error
        # Python tries once more when it ends, and would report the failure by its exit status.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def steady() -> None:
    """Make the standard streams ones that can be written to; streams that a host program has put there stay."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Takes the lowest free number, which is this one; programs that are started from here need it as well.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if isinstance(stream, _Output) or stream is not getattr(sys, f"__{name}__"):
            continue
        if stream is None:
            stream = open(descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        made = _Output(stream)
        # Both names: Taichi takes a program in which they differ for a notebook.
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)


def undelivered() -> str:
    """Why standard output could not be written, where a reader has missed something; otherwise ""."""
    if sys.stdout is not None:
        sys.stdout.flush()
    failure = getattr(sys.stdout, "failure", None)
    return "" if failure is None or failure.errno in _NOBODY else failure.strerror or str(failure)
