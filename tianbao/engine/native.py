"""A native brain that stays attached to NEURON: it is addressed by NEURON's segments and point processes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from ..mechanisms import neuron_h
from . import library
from .flat import FlatBrain, NativeNetwork
from .kinds import Kind
from .reader import Partner, Pointer, extract, shared_values

h = neuron_h()


class NativeBrain(FlatBrain):
    """A network taken from NEURON whose parameters, start and records are addressed by NEURON's objects.

    Args:
        sections: every section of the network.
        partners: what each point process with `vpre` reads.
        pointers: what each point process with a POINTER reads from `external`.
        external: length of the `external` vector.
        precision: see `NativeNetwork`.
        given: kinds to use; those of mod/ when None.

    Attributes:
        clamp_objects: the IClamps, in the order of `clamp_current`.
        leak_conductance, leak_current: those of `NativeNetwork`.

    Raises:
        ConfigError: for an unknown precision.
        MechanismError: for something in the network that the engine has no code for.
    """

    def __init__(
        self,
        sections: Sequence,
        partners: Sequence[Partner] = (),
        pointers: Sequence[Pointer] = (),
        external: int = 0,
        precision: str = "f64",
        given: tuple[Kind, ...] | None = None,
    ) -> None:
        kinds = given if given is not None else library.all_kinds()
        found, self._handles = extract(sections, kinds, partners, pointers, external)
        super().__init__(NativeNetwork(found, precision, given))
        self.clamp_objects = self._handles.clamps
        self.leak_conductance, self.leak_current = self.network.leak_conductance, self.network.leak_current
        used = [objects for each, objects in zip(found.instances, self._handles.objects, strict=True) if len(each.node)]
        self._objects = [
            [objects[row] for row in group.rows] for group, objects in zip(self.network.groups, used, strict=True)
        ]
        self._sources = h.PtrVector(len(self._handles.segments))
        for k, segment in enumerate(self._handles.segments):
            self._sources.pset(k, segment._ref_v)
        self._node_of = {each: k for k, each in enumerate(self._handles.segments)}

    def start(self, dt: float, order: int = 1, corrections: int = 0, rate: float | None = 1.0) -> None:
        """Begin a run at time 0 from the voltages of NEURON's segments, with NEURON's current GLOBAL parameters.

        Args:
            dt: step [ms].
            order, corrections, rate: see `FlatBrain.start`.
        """
        voltage = h.Vector(len(self._handles.segments))
        self._sources.gather(voltage)
        super().start(voltage.as_numpy(), dt, order, corrections, rate, shared_values(self.network.kinds))

    def nodes(self, segments: Sequence) -> np.ndarray:
        """Index in `voltage` of NEURON segments, shape (n,)."""
        return self.network.nodes([self._node_of[each] for each in segments])

    def watch(self, segments: Sequence, steps: int) -> np.ndarray:
        """Record voltages at every step of the next calls of `advance`; see `FlatBrain.watch`.

        Args:
            segments: NEURON segments.
            steps: the most steps that one call will take.
        """
        return super().watch(self.nodes(segments), steps)

    def objects(self, group: int) -> list:
        """NEURON's objects (point processes or segments) of a group of `NativeNetwork.groups`, in its order."""
        return self._objects[group]

    def values(self, mechanism: str, name: str) -> tuple[list, list[np.ndarray]]:
        """One state or parameter of all instances of a mechanism.

        Returns:
            The NEURON objects (point processes or segments), and the engine's own arrays, which change as it
            runs; together they have one value per object.

        Raises:
            ConfigError: if no instance has that state.
        """
        objects: list = []
        arrays: list[np.ndarray] = []
        for k, (group, fields) in enumerate(zip(self.network.groups, self.fields, strict=True)):
            if group.kind.mechanism.name == mechanism and name in fields:
                objects += self._objects[k]
                arrays.append(fields[name])
        if not objects:
            raise ConfigError(f"the network holds no '{name}' of mechanism '{mechanism}'")
        return objects, arrays
