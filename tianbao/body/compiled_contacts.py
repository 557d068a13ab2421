"""Contacts with obstacles by compiled C (contact.c): what runs on a processor, equal to Taichi's kernels to rounding.

A kernel takes longer to start than the few rings of a worm take to be looked at.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np

from .. import compiler
from ..anatomy.sides import SIDES as LOADED
from ..backend import ti, view
from ..environment.lattice import MIX, TURN
from ..environment.lengths import LARGEST
from . import contact_kernels, kernels, lattice_kernels, observe
from .mesh import SIDES

_SOURCE = Path(__file__).with_name("contact.c")
_I, _P, _D = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double


class _Touch(ctypes.Structure):
    """Arrays, as in contact.c."""

    _fields_ = [*((name, _P) for name in ("x", "section", "facts", "obstacles", "index", "planes", "partners",
                                          "count")), ("worms", _I), ("rings", _I)]  # fmt: skip


@cache
def _library(ring_size: int) -> ctypes.CDLL:
    """The compiled search for bodies with this number of vertices in a ring."""
    names = {
        contact_kernels: "KIND POINT NORMAL RADIUS SLIDING PLANE PILLAR DISH LATTICE LIMIT STONES RADII EVERYWHERE "
        "BUCKETS HEAD NOBODY GROUND LEVEL NOWHERE ROW",
        lattice_kernels: "PITCH RISE SHIFT SIDE SEED WITHIN FREE WIDTH CIRCLE SPARE",
        kernels: "PLANES OFFSET FRICTION COLUMNS",
        observe: "DORSAL RIGHT",
    }
    values = {name: repr(getattr(home, name)) for home, each in names.items() for name in each.split()}
    values |= {"SIZE": ring_size, "SIDES": SIDES, "LOADS": len(LOADED), "LARGEST": LARGEST}
    values |= {"FIRST_MIX": f"{MIX[0]}u", "SECOND_MIX": f"{MIX[1]}u", "TURN": f"{TURN}u"}
    text = "".join(f"#define {name} ({value})\n" for name, value in values.items())
    return compiler.opened(compiler.compiled("contact", {"constants.h": text}, [_SOURCE]))


class CompiledContacts:
    """The part of a search that concerns obstacles, and the load of contacts, in C.

    Limitations: on a processor only.
    """

    def __init__(self, ring_size: int, **arrays: ti.ndarray) -> None:
        """
        Args:
            ring_size: vertices of a ring.
            arrays: x, section, facts, obstacles, index, planes, partners and count, see contact.py.

        Raises:
            ConfigError: if the arrays are on another device.
            MechanismError: see compiler.compiled.
        """
        self._library = _library(ring_size)
        views = {name: view(each) for name, each in arrays.items()}
        self._kept = arrays, views
        worms, rings = len(views["x"]), views["count"].shape[1]  # ghosts come after them
        places = (views[name].ctypes.data for name, _ in _Touch._fields_[:-2])
        self._touch = _Touch(*places, worms, rings)
        self._address = ctypes.byref(self._touch)

    def find(self, origin: np.ndarray) -> None:
        """Writes the half-spaces of every ring among obstacles but solids, in world coordinates.

        Args:
            origin: of each worm's frame [mm], shape (worms, 3).
        """
        self._library.find_obstacles(self._address, _P(origin.ctypes.data))

    def localise(self, origin: np.ndarray) -> None:
        """Makes the offsets of half-spaces relative to the origin of each worm's frame."""
        self._library.localise(self._address, _P(origin.ctypes.data))

    def weigh(self, physics: np.ndarray, out: np.ndarray) -> None:
        """See ContactFinder.weigh."""
        push, margin = _D(physics[kernels.PUSH]), _D(physics[kernels.MARGIN])
        self._library.weigh(self._address, push, margin, _P(out.ctypes.data))
