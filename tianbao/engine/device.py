"""What a batch of brains needs of the machine it runs on, and the processor itself as such a machine.

`HostDevice` runs the source of the graphics card's kernel, compiled by the C compiler: it is there to check all but
the launch without a card, not for speed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from .. import compiler
from . import library

ENTRIES = ("prepare_shared", "start_each", "advance_each", "fetch_each")
"""Functions of block.c that a host calls."""

_I, _P = ctypes.c_int64, ctypes.c_void_p


class Device(Protocol):
    """A machine with memory of its own.

    Attributes:
        name: what it is.
    """

    name: str

    def load(self, sources: Mapping[str, str], real: str) -> None:
        """Compile block.c with what it includes, for reals of C's type `real`."""

    def free(self) -> int:
        """Memory that can be allocated [bytes]."""

    def allocate(self, size: int) -> int:
        """Address of new memory of so many bytes."""

    def upload(self, address: int, array: np.ndarray) -> None:
        """Copy a contiguous array to the device."""

    def download(self, array: np.ndarray, address: int) -> None:
        """Fill a contiguous array from the device, after all launches before."""

    def launch(self, entry: str, blocks: int, brains: int, steps: int = 0) -> None:
        """Call one of `ENTRIES`, a block per brain of an array of structs."""

    def close(self) -> None:
        """Give all memory back."""


class HostDevice:
    """The processor as a device: blocks one after another, the threads of a block in turns from barrier to barrier.

    Args:
        threads: of a block.
        last_first: whether the last thread has the first turn.
    """

    def __init__(self, threads: int = 1, last_first: bool = False) -> None:
        self.name = f"processor, {threads} threads in turns"
        self._threads, self._last_first = threads, last_first
        self._kept: list[np.ndarray] = []
        self._library: ctypes.CDLL | None = None

    def load(self, sources: Mapping[str, str], real: str) -> None:
        """See `Device`.

        Raises:
            MechanismError: without a C compiler, or when it fails.
        """
        generated = {name: text for name, text in sources.items() if not name.endswith(".c")}
        files = [*library.SOURCES[-1:], library.BLOCK]
        self._library = compiler.opened(compiler.compiled(f"block-{real}", generated, files, [f"REAL={real}"]))

    def free(self) -> int:
        """See `Device`; not asked of the processor, whose system gives what it has."""
        return 1 << 62

    def allocate(self, size: int) -> int:
        """See `Device`."""
        self._kept.append(compiler.aligned(size))
        return self._kept[-1].ctypes.data

    def upload(self, address: int, array: np.ndarray) -> None:
        """See `Device`."""
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, array: np.ndarray, address: int) -> None:
        """See `Device`."""
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def launch(self, entry: str, blocks: int, brains: int, steps: int = 0) -> None:
        """See `Device`.

        Raises:
            AssertionError: where the threads of a block do not meet at the same barriers.
        """
        call = getattr(self._library, entry)
        if call(_P(brains), _I(steps), _I(blocks), _I(self._threads), _I(self._last_first)):
            raise AssertionError(f"block.c: the threads of a block part in {entry}")

    def close(self) -> None:
        """See `Device`."""
        self._kept.clear()
