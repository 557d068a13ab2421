"""A step of all worms by compiled C (step.c): what runs on a processor, equal to Taichi's kernels to rounding.

Worms are stepped one after the other, each until it has converged, so that no number depends on what other worms do or
on the number of threads. Slabs lie side by side in vectors, which needs the same division into tetrahedra in each.
"""

from __future__ import annotations

import ctypes
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from .. import compiler
from ..backend import can_view, view
from ..errors import MechanismError
from . import cuticle, kernel_steps, kernels, observe, tissue
from .arrays import Arrays
from .contact import ContactFinder
from .mesh import SIDES, RingMesh
from .surroundings import Surroundings

log = logging.getLogger(__name__)

_LANES = 8
_SOURCES = [Path(__file__).with_name(f"{name}.c") for name in ("tissue", "banded", "turning", "measures", "step")]
_I, _P, _D = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double


class _Mesh(ctypes.Structure):
    """Constants of the mesh, as in tissue.c."""

    _fields_ = [*((name, _I) for name in ("slabs", "tets", "groups")),
                *((name, _P) for name in ("corner", "element", "slab", "vertex"))]  # fmt: skip


class _Bodies(ctypes.Structure):
    """Arrays of all worms, as in step.c."""

    _fields_ = [(name, _P) for name in ("mesh", "physics", "x", "start", "velocity", "tangent", "flow", "planes",
                                        "count", "grip", "status")]  # fmt: skip


@cache
def library(ring_size: int) -> ctypes.CDLL:
    """The compiled step of bodies with this number of vertices in a ring.

    Raises:
        MechanismError: see compiler.compiled.
    """
    names = (
        "ENERGY RESIDUAL LEAST MOVING SLOPE SHARE CHANGE REJECTED ENERGY_BEFORE RESIDUAL_BEFORE SHIFT SHIFT_UNIT "
        "FORCE_FLOOR FAR STATUS FAR_OFF WEIGHT HEIGHT MASS DT NORMAL TANGENTIAL HOLD GRAVITY FALLOFF BRAKE PUSH MARGIN "
        "SLOWEST TOLERANCE PHYSICS PLANES OFFSET FRICTION COLUMNS RIGID_TOLERANCE ARMIJO"
    )
    values = {name: getattr(kernels, name) for name in names.split()}
    values |= {name: getattr(tissue, name) for name in ("FIBRE", "ELASTIC", "INCREMENTAL", "LEAST_RATIO")}
    values |= {"SLAB_VOLUME": tissue.SLAB_VOLUME, "SPRING": cuticle.SPRING, "REST": cuticle.REST}
    values |= {"CENTRE": observe.SHARE, "SIZE": ring_size, "SIDES": SIDES}
    values |= {name: getattr(kernel_steps, name) for name in ("ITERATIONS", "BACKTRACKS", "HALVINGS")}
    text = "".join(f"#define {name} {value!r}\n" for name, value in values.items())
    loaded = compiler.opened(compiler.compiled("body", {"constants.h": text}, _SOURCES))
    loaded.minimise.restype = loaded.nothing_near.restype = loaded.work_size.restype = _I
    return loaded


def available(ring_size: int) -> bool:
    """Whether the kernels' arrays can be shared with compiled C, and there is a compiler."""
    if not can_view():
        return False
    try:
        library(ring_size)
    except MechanismError as error:
        log.info("the body is stepped by the kernels: %s", error)
        return False
    return True


def _by_lanes(rows: np.ndarray) -> np.ndarray:
    """From one row per slab to W slabs side by side, the last one repeated, shape (groups, ..., W)."""
    padded = np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % _LANES, axis=0)])
    sorted_in = np.moveaxis(padded.reshape(-1, _LANES, *rows.shape[1:]), 1, -1)
    out = compiler.aligned(sorted_in.nbytes).view(rows.dtype).reshape(sorted_in.shape)
    out[...] = sorted_in
    return out


class CompiledSteps:
    """The same methods as KernelSteps, in C.

    Attributes:
        iterations: taken so far, the most that a worm needed in each step.

    Limitations: on a processor only, and for meshes whose slabs are all divided in the same way.
    """

    def __init__(self, mesh: RingMesh, arrays: Arrays, around: Surroundings, threads: int = 1,
                 turning: bool = False) -> None:  # fmt: skip
        """
        Args:
            mesh: of every worm.
            arrays: of the body.
            around: half-spaces and flow.
            threads: how many worms are stepped at the same time.
            turning: whether moves turn slabs, see turning.c.

        Raises:
            ConfigError: if the kernels' arrays are on another device.
            MechanismError: see library.
        """
        self._library = library(mesh.ring_size)
        self.iterations, self._turning = 0, _I(turning)
        self._worms, self._rings, self._length = arrays.x.shape[0], mesh.rings, mesh.length
        corners = arrays.corners.to_numpy()
        assert (corners == corners[0]).all(), "slabs are divided in different ways"
        its = {name: view(getattr(arrays, name)) for name in ("x", "start", "velocity", "tangent", "section")}
        its |= {name: view(getattr(around, name)) for name in ("flow", "planes", "grip")}
        its |= {"physics": arrays.physics, "status": arrays.status, "count": view(around.contacts)}
        constants = {
            "corner": np.ascontiguousarray(corners[0]),
            "element": _by_lanes(arrays.elements.to_numpy()),
            "slab": _by_lanes(arrays.slabs.to_numpy()),
            "vertex": arrays.vertices.to_numpy(),
        }
        self._kept = its, constants, arrays, around
        slabs, tets = mesh.slabs, mesh.tets.shape[1]
        self._mesh = _Mesh(slabs, tets, -(-slabs // _LANES), *(each.ctypes.data for each in constants.values()))
        self._bodies = _Bodies(
            ctypes.addressof(self._mesh), *(its[name].ctypes.data for name, _ in _Bodies._fields_[1:])
        )
        self._place, self._start, self._velocity = (its[name] for name in ("x", "start", "velocity"))
        self._held = np.zeros_like(self._velocity)
        if around.finder:
            around.finder.compile(arrays.x, arrays.section, around.planes, around.contacts)
        self._x, self._section = _P(its["x"].ctypes.data), _P(its["section"].ctypes.data)
        parts = min(threads, self._worms)
        self._scratch = np.empty((self._worms, self._rings, 3)), np.empty((self._worms, 6))
        size = self._library.work_size(ctypes.byref(self._mesh))
        self._memory = [compiler.aligned(size) for _ in range(parts)]
        self._bounds = [self._worms * part // parts for part in range(parts + 1)]
        self._pool = ThreadPoolExecutor(parts, "body") if parts > 1 else None

    def remember(self) -> None:
        """See KernelSteps.remember."""
        np.copyto(self._held, self._velocity)

    def go_back(self) -> None:
        """See KernelSteps.go_back."""
        np.copyto(self._place, self._start)
        np.copyto(self._velocity, self._held)

    def minimise(self, tension: np.ndarray, predict: float) -> bool:
        """See KernelSteps.minimise."""
        at = _P(tension.ctypes.data)

        def part(k: int) -> int:
            """Steps the worms of one thread."""
            first, end = _I(self._bounds[k]), _I(self._bounds[k + 1])
            memory = _P(self._memory[k].ctypes.data)
            bodies = ctypes.byref(self._bodies)
            return self._library.minimise(bodies, at, _D(predict), self._turning, first, end, memory)

        count = range(len(self._memory))
        taken = list(self._pool.map(part, count) if self._pool else map(part, count))
        self.iterations += max(-1 - each if each < 0 else each for each in taken)
        return min(taken) >= 0

    def midline(self, origin: np.ndarray, out: np.ndarray) -> None:
        """See observe.read_midline."""
        place = _P(origin.ctypes.data)
        self._library.read_midline(self._x, place, self._section, *self._shape(), _P(out.ctypes.data))

    def side(self, side: int, out: np.ndarray) -> None:
        """See observe.read_side."""
        self._library.read_side(self._x, self._section, _I(side), *self._shape(), _P(out.ctypes.data))

    def curvature(self, side: int, out: np.ndarray) -> None:
        """See observe.read_curvature."""
        self._library.read_curvature(
            self._x, self._section, _D(self._length), _I(side), *self._shape(), _P(out.ctypes.data)
        )

    def _shape(self) -> tuple[_I, _I]:
        return _I(self._worms), _I(self._rings)

    def nothing_near(self, origin: np.ndarray, finder: ContactFinder) -> bool:
        """Whether no ring is within reach of anything it could touch: then no half-spaces need to be sought.

        False also where there are obstacles, which are left to the finder; it is told whether worms are apart.

        Args:
            origin: of each worm's frame [mm], shape (worms, 3).
            finder: of the contacts.
        """
        if finder.ghosts:
            finder.apart = False
            return False
        centres, boxes = self._scratch
        finder.apart = bool(
            self._library.nothing_near(
                self._x, _P(origin.ctypes.data), self._section, _P(finder.radii.ctypes.data), *self._shape(),
                _I(finder.own), _D(finder.reach), _P(centres.ctypes.data),
                _P(boxes.ctypes.data) if finder.others else None,
            )
        )  # fmt: skip
        return finder.apart and not finder.obstacles
