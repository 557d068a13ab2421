"""A graphics card through NVIDIA's driver library, as a device for batches of brains.

Only what a batch needs: memory, copies, one module, launches one after another. Nothing but the driver is required.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import ConfigError, MechanismError
from ..mechanisms import cache as libraries
from . import nvrtc
from .device import ENTRIES

LIBRARY = "libcuda.so.1"
"""The driver's library."""

THREADS = 128
"""Of a block, when none is given; assumed, never tuned on a card."""

_MAJOR, _MINOR, _OUT_OF_MEMORY = 75, 76, 2  # as in the driver's cuda.h
_ADDRESS, _SIZE, _UINT = ctypes.c_uint64, ctypes.c_size_t, ctypes.c_uint


@cache
def _opened(path: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ConfigError(
            f"no driver of a graphics card was found ({path}): run on a machine with an NVIDIA card, or on the "
            "processor with engine 'native'"
        ) from error


class CudaDevice:
    """One graphics card; it serves one batch of brains.

    Args:
        number: which card.
        threads: of a block, at most `nvrtc.THREADS`.

    Attributes:
        name: of the card.
        architecture: its compute capability, such as 90 for 9.0.

    Raises:
        ConfigError: without a driver or that card, or for a number of threads that is not possible.
    """

    def __init__(self, number: int = 0, threads: int = THREADS) -> None:
        if not 1 <= threads <= nvrtc.THREADS:
            raise ConfigError(f"{threads} threads in a block: choose 1 to {nvrtc.THREADS}")
        self._threads = threads
        self._driver, self._device = _opened(LIBRARY), ctypes.c_int()
        self._allocated: list[int] = []
        self._module, self._context = ctypes.c_void_p(), ctypes.c_void_p()
        self._functions: dict[str, ctypes.c_void_p] = {}
        count = ctypes.c_int()
        if self._driver.cuInit(_UINT(0)) or self._driver.cuDeviceGetCount(ctypes.byref(count)):
            raise ConfigError("the driver finds no graphics card: run on a machine with an NVIDIA card")
        if not 0 <= number < count.value:
            raise ConfigError(f"there is no graphics card {number}: this machine has {count.value}, counted from 0")
        self._call("cuDeviceGet", ctypes.byref(self._device), ctypes.c_int(number))
        text = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", text, ctypes.c_int(256), self._device)
        self.name = text.value.decode(errors="replace")
        self.architecture = 10 * self._attribute(_MAJOR) + self._attribute(_MINOR)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)

    def _attribute(self, which: int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(which), self._device)
        return value.value

    def _call(self, function: str, *arguments) -> None:
        """Call the driver.

        Raises:
            ConfigError: with the driver's words for what has failed.
        """
        if self._context.value:
            self._driver.cuCtxSetCurrent(self._context)  # a thread has its own current context
        status = getattr(self._driver, function)(*arguments)
        if status:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(ctypes.c_int(status), ctypes.byref(text))
            said = text.value.decode() if text.value else f"error {status}"
            hint = ": take fewer worms at a time" if status == _OUT_OF_MEMORY else ""
            raise ConfigError(f"the graphics card's driver reports in {function}: {said}{hint}")

    # --- as a device

    def load(self, sources: Mapping[str, str], real: str) -> None:
        """See `Device`.

        Raises:
            ConfigError: without NVRTC.
            MechanismError: if it does not compile.
        """
        known = nvrtc.architectures()
        # Machine code for a card that NVRTC knows; for a newer one PTX, which the driver translates.
        kind = "sm" if self.architecture in known else "compute"
        below = [each for each in known if each <= self.architecture]
        if not below:
            raise MechanismError(f"this NVRTC has no code for {self.name} (compute capability {self.architecture})")
        image = _compiled(sources, real, f"{kind}_{below[-1]}").read_bytes() + b"\0"
        self._call("cuModuleLoadData", ctypes.byref(self._module), image)
        for entry in ENTRIES:
            function = self._functions[entry] = ctypes.c_void_p()
            self._call("cuModuleGetFunction", ctypes.byref(function), self._module, entry.encode())

    def free(self) -> int:
        """See `Device`."""
        left, whole = _SIZE(), _SIZE()
        self._call("cuMemGetInfo_v2", ctypes.byref(left), ctypes.byref(whole))
        return left.value

    def allocate(self, size: int) -> int:
        """See `Device`."""
        address = _ADDRESS()
        self._call("cuMemAlloc_v2", ctypes.byref(address), _SIZE(size))
        self._allocated.append(address.value)
        return address.value

    def upload(self, address: int, array: np.ndarray) -> None:
        """See `Device`."""
        if array.nbytes:
            self._call("cuMemcpyHtoD_v2", _ADDRESS(address), ctypes.c_void_p(array.ctypes.data), _SIZE(array.nbytes))

    def download(self, array: np.ndarray, address: int) -> None:
        """See `Device`."""
        if array.nbytes:  # this copy waits for all launches before it
            self._call("cuMemcpyDtoH_v2", ctypes.c_void_p(array.ctypes.data), _ADDRESS(address), _SIZE(array.nbytes))

    def launch(self, entry: str, blocks: int, brains: int, steps: int = 0) -> None:
        """See `Device`."""
        given = _ADDRESS(brains), ctypes.c_int64(steps)
        pointers = (ctypes.c_void_p * len(given))(*(ctypes.addressof(each) for each in given))
        one, none = _UINT(1), ctypes.c_void_p()
        grid, block = (_UINT(blocks), one, one), (_UINT(self._threads), one, one)
        self._call("cuLaunchKernel", self._functions[entry], *grid, *block, _UINT(0), none, pointers, none)

    def close(self) -> None:
        """See `Device`; the card is left as it was found."""
        if not self._context.value:
            return
        for address in self._allocated:
            self._call("cuMemFree_v2", _ADDRESS(address))
        self._allocated.clear()
        if self._module.value:
            self._call("cuModuleUnload", self._module)
        self._driver.cuDevicePrimaryCtxRelease_v2(self._device)
        self._context, self._module = ctypes.c_void_p(), ctypes.c_void_p()


def _compiled(sources: Mapping[str, str], real: str, architecture: str) -> Path:
    """Code for a card, compiled once per content."""
    digest = hashlib.sha256("\0".join([*sources.values(), *nvrtc.OPTIONS, str(nvrtc.version())]).encode()).hexdigest()

    def make(folder: Path) -> Path:
        """Compile in an empty folder."""
        code, _ = nvrtc.compiled(sources, "block.c", [f"REAL={real}"], architecture)
        (folder / "block.bin").write_bytes(code)
        return folder / "block.bin"

    return libraries.obtain(f"block-{real}-{architecture}-{digest[:12]}.bin", make)[0]
