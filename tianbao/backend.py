"""The only module that imports Taichi (or its fork Quadrants) and starts it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from . import forks, paths
from .errors import ConfigError, unknown

BACKEND_VARIABLE = "TIANBAO_BACKEND"
BACKENDS = ("taichi", "quadrants")
_CACHE_VARIABLE = "TI_OFFLINE_CACHE_FILE_PATH"
DEVICES = ("cpu", "cuda", "metal", "vulkan")

_running: dict[str, str] = {}

# Whether loops run on the calling thread: for one worm they take tens of microseconds, no longer than
# waking another thread. Read when a kernel is compiled, which is after start.
serial = False


def _import_backend() -> ModuleType:
    """The kernel language given by the environment variable, by default Taichi."""
    name = os.environ.get(BACKEND_VARIABLE, "taichi")
    if name not in BACKENDS:
        raise ConfigError(f"{BACKEND_VARIABLE}: {unknown('backend', name, BACKENDS)}")
    os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")
    # At every start it would ask its makers, over the network, for a newer release.
    os.environ.setdefault("TI_SKIP_VERSION_CHECK", "ON")
    try:
        # Where print goes to a notebook, Taichi would say so, and that it takes note of it for kernels that print.
        with _a_home(), contextlib.redirect_stdout(sys.__stdout__):
            module = importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"{BACKEND_VARIABLE}: '{name}' is not installed, run pip install {name}") from error
    core = module._lib.core
    if hasattr(core, "DebugInfo"):
        core.DebugInfo = functools.partial(_noted, core.DebugInfo)
    return module


def _noted(note: type, where: str = "") -> object:
    """Taichi's note of the files and lines that call it; it fails where a path is not text in the locale's encoding."""
    return note(where.encode(errors="backslashreplace").decode())


@contextlib.contextmanager
def _a_home() -> Iterator[None]:
    """Taichi aborts where HOME is not set, even if it is told to keep nothing there."""
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(paths.home() or tempfile.gettempdir())
    try:
        yield
    finally:
        if before is None:
            del os.environ["HOME"]
        else:
            os.environ["HOME"] = before


def kernel_cache() -> Path | None:
    """Folder that keeps compiled kernels, None if no folder can: Taichi crashes at the end where it cannot write."""
    given, home = os.environ.get(_CACHE_VARIABLE), paths.home()
    own = Path(given) if given else home and home / ".cache" / ti.__name__ / "ticache"
    user, checkout = paths.user_cache(), paths.checkout()
    others = (user and user / "kernels", checkout and checkout / "build" / "kernels")
    return next(filter(paths.can_write, (own, *others)), None)


ti = _import_backend()

# Arguments of kernels: arrays of float64 and int32 by their number of axes, templates, vectors.
R1, R2, R3, R4 = (ti.types.ndarray(dtype=ti.f64, ndim=axes) for axes in (1, 2, 3, 4))
I1, I2, I3 = (ti.types.ndarray(dtype=ti.i32, ndim=axes) for axes in (1, 2, 3))
T = ti.template()
Vec3 = ti.types.vector(3, ti.f64)


def start(device: str = "cpu", threads: int = 1) -> None:
    """Starts the device for the kernels, once per process; a second call for the same device does nothing.

    Results are bit-identical for any number of threads: no two iterations add to the same number.

    Args:
        device: "cpu", "cuda", "metal" or "vulkan"; it must compute in double precision.
        threads: CPU threads, fixed by the first call [-]; more than one is worthwhile for many worms.

    Raises:
        ConfigError: for an unknown or missing device, or if another one is already running.
        TianbaoError: in a process that was forked from one where it runs.
    """
    if isinstance(ti.lang.impl.get_runtime().prog, _Lost):
        raise forks.refusal()
    if device not in DEVICES:
        raise ConfigError(unknown("device", device, DEVICES))
    if _running.get("device", device) != device:
        raise ConfigError(
            f"device '{device}' cannot start while '{_running['device']}' runs: use one device per process"
        )
    if _running:
        return
    global serial
    serial = device == "cpu" and threads <= 1
    kept = kernel_cache()
    place = {"offline_cache_file_path": str(kept or tempfile.gettempdir())}
    if kept and str(kept) == os.environ.get(_CACHE_VARIABLE):
        place = {}  # Taichi would warn of an argument that is in the environment, too
    try:
        # The banner of init would appear in the output of every command.
        with contextlib.redirect_stdout(io.StringIO()), _a_home():
            ti.init(
                arch=getattr(ti, device),
                enable_fallback=False,
                default_fp=ti.f64,
                # Otherwise a loop that is run by one thread is rounded differently from one that is shared by several.
                fast_math=False,
                offline_cache=kept is not None,
                **place,
                log_level=ti.WARN,
                cpu_max_num_threads=max(int(threads), 1),
            )
    except RuntimeError as error:
        raise ConfigError(f"device '{device}' was not found on this machine: use device='cpu'") from error
    _running["device"] = device
    os.register_at_fork(after_in_child=_lose)


class _Lost:
    """Takes the place of Taichi's program in a forked process, where everyone would wait for its threads for ever."""

    def delete_ndarray(self, array: object) -> None:
        """Nothing: the memory is the parent's."""

    def __getattr__(self, name: str) -> object:
        raise forks.refusal()


def _lose() -> None:
    runtime = ti.lang.impl.get_runtime()
    # Never freed: that waits for the threads as well.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(runtime.prog))
    runtime.prog = _Lost()


def zeros(*shape: int) -> ti.ndarray:
    """An array of zeros on the device, float64."""
    array = ti.ndarray(ti.f64, shape=shape)
    array.fill(0.0)
    return array


def array(values: np.ndarray) -> ti.ndarray:
    """A copy of values on the device, int32 or float64."""
    values = np.ascontiguousarray(values)
    out = ti.ndarray(ti.i32 if values.dtype == np.int32 else ti.f64, shape=values.shape)
    out.from_numpy(values)
    return out


def can_view() -> bool:
    """Whether arrays of the kernels are in memory of this process, and tell where."""
    program = ti.lang.impl.get_runtime().prog
    return _running.get("device") == "cpu" and hasattr(program, "get_ndarray_data_ptr_as_int")


def view(array: ti.ndarray) -> np.ndarray:
    """The memory of an array on the processor, as long as it lives.

    Raises:
        ConfigError: on another device, or with a backend that does not tell where its arrays lie.
    """
    if not can_view():
        raise ConfigError("arrays of the kernels cannot be shared with compiled C here: use device='cpu' and taichi")
    kind = ctypes.c_int32 if array.dtype == ti.i32 else ctypes.c_double
    shape = tuple(array.shape)
    place = ti.lang.impl.get_runtime().prog.get_ndarray_data_ptr_as_int(array.arr)
    return np.ctypeslib.as_array((kind * int(np.prod(shape))).from_address(place)).reshape(shape)


def copied(array: ti.ndarray) -> np.ndarray:
    """Copy of an array, without a kernel where its memory can be seen."""
    return view(array).copy() if can_view() else array.to_numpy()
