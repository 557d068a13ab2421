"""Reads an assembled network out of NEURON: trees, membranes, synapses, clamps.

NEURON stays the only place where a network is built; what it would integrate is read from its
sections, so that anything a user adds to them is either read as well or refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import MechanismError
from ..mechanisms import neuron_h
from ..network.assembly import Network
from . import library
from .blocks import TRANSFERRED
from .extract import Extract, Instances, NervousSystem, evaluate
from .kinds import PER_AREA, SCALE, Kind
from .layout import Forest
from .mechanism import Mechanism

h = neuron_h()
_NF_PER_UM2_AT_1_UF_CM2 = 1e-5
_NA_PER_UM2_AT_1_MA_CM2 = 1e-2
_NERNST_AT_START = 32  # in the number that ion_style gives
_BUILT_IN = {"pas", "capacitance", "morphology"}


@dataclass(frozen=True)
class Partner:
    """A point process that reads the voltage of a segment elsewhere."""

    point: object
    segment: object


@dataclass(frozen=True)
class Pointer:
    """A mechanism whose POINTER reads one number of the engine's `external` vector.

    Attributes:
        point: the point process, or (segment, name) of a density mechanism.
        index: where it reads.
    """

    point: object
    index: int


@dataclass(frozen=True)
class Handles:
    """NEURON's own objects behind an extract, in its order.

    Attributes:
        segments: of each node, the ends of sections among them.
        objects: point processes or segments of each entry of `Extract.instances`.
        clamps: the IClamps.
    """

    segments: list
    objects: list[list]
    clamps: list


class _Nodes:
    """Numbers the nodes of sections: one per segment, one per end."""

    def __init__(self, sections: Iterable) -> None:
        self.segments: list = []
        self.first: dict = {}
        self._start: dict = {}
        sections = list(sections)
        for section in sections:
            if section.parentseg() is None:
                self._start[section] = len(self.segments)
                self.segments.append(section(0))
            self.first[section] = len(self.segments)
            self.segments += [*section, section(1)]
        # A second pass: a section may come before its parent.
        parent, axial = np.full(len(self.segments), -1), np.zeros(len(self.segments))
        for section in sections:
            first = self.first[section]
            where = section.parentseg()
            parent[first] = self._start[section] if where is None else self.at(where)
            for k, segment in enumerate([*section, section(1)]):
                if k:
                    parent[first + k] = first + k - 1
                axial[first + k] = 1.0 / segment.ri()
        self.parent, self.axial = parent, axial

    def at(self, segment) -> int:
        """Node of a NEURON segment."""
        section = segment.sec
        if section not in self.first:
            raise MechanismError(f"section {section} is not among those given to the native engine")
        first = self.first[section]
        if segment.x <= 0.0:
            if section in self._start:
                return self._start[section]
            return self.at(section.parentseg())
        inside = min(int(segment.x * section.nseg), section.nseg - 1)
        return first + (section.nseg if segment.x >= 1.0 else inside)


def extract(
    sections: Sequence,
    kinds: Sequence[Kind],
    partners: Iterable[Partner] = (),
    pointers: Iterable[Pointer] = (),
    external: int = 0,
) -> tuple[Extract, Handles]:
    """Read a network.

    Args:
        sections: every section of it.
        kinds: what the engine has code for.
        partners: what each `vpre` reads.
        pointers: what each POINTER reads.
        external: length of the vector that POINTERs read.

    Returns:
        The network as arrays, and the objects of NEURON that it was read from.

    Raises:
        MechanismError: for something in the network that the engine has no code for.
    """
    reader = _Reader(sections, kinds, partners, pointers)
    reader.read()
    return reader.result(external)


def shared_values(kinds: Iterable[Kind]) -> dict[str, float]:
    """What all instances of a mechanism share, as NEURON holds it now, by "name_SUFFIX", and `celsius`.

    Raises:
        MechanismError: for a parameter that was changed in NEURON and is compiled in.
    """
    found: dict[str, float] = {}
    for mechanism in {id(kind.mechanism): kind.mechanism for kind in kinds}.values():
        for name in mechanism.uniform:
            if name != "dt":
                full = name if name == "celsius" else f"{name}_{mechanism.name}"
                found[full] = float(getattr(h, full))
        for name, value in mechanism.folded.items():
            now = getattr(h, f"{name}_{mechanism.name}", value)
            if now != value:
                raise MechanismError(
                    f"{name} of {mechanism.name} is {now:g} in NEURON and {value:g} in its file: the native "
                    "engine compiles it in; declare it GLOBAL, change the file, or run with engine 'neuron'"
                )
    return found


class _Reader:
    def __init__(self, sections, kinds, partners, pointers) -> None:
        self._sections, self._kinds = list(sections), list(kinds)
        self._nodes = _Nodes(self._sections)
        self._mechanisms: dict[str, Mechanism] = {kind.mechanism.name: kind.mechanism for kind in kinds}
        self._partner = {each.point: self._nodes.at(each.segment) for each in partners}
        self._external = {each.point: each.index for each in pointers}
        self._found: dict[str, list[tuple[int, object, object]]] = {name: [] for name in self._mechanisms}
        count = len(self._nodes.segments)
        self._area, self._capacitance = np.zeros(count), np.zeros(count)
        self._leak, self._leak_current = np.zeros(count), np.zeros(count)
        self._wanted = np.zeros(count, bool)
        self._clamps: list[tuple[int, float, float, float]] = []
        self._clamp_objects: list = []
        self._seen: set = set()

    def read(self) -> None:
        """Visit every section, segment and point process.

        Raises:
            MechanismError: for something that the engine has no code for.
        """
        for section in self._sections:
            if section.orientation() != 0.0:
                raise MechanismError(f"section {section} hangs on its parent by its end 1; the native engine wants 0")
            # Not psection(): it reads all that a mechanism holds, also a POINTER that points to nothing.
            inserted = [each.name() for each in section(0.5) if not each.name().endswith("_ion")]
            for name in inserted:
                if name not in self._mechanisms and name not in _BUILT_IN:
                    raise MechanismError(
                        f"section {section} carries '{name}', which is not in mod/: run with engine 'neuron'"
                    )
            for k, segment in enumerate(section):
                self._segment(self._nodes.first[section] + k, segment, inserted)
            for end in (section(0), section(1)):
                for point in end.point_processes():
                    self._point(point)

    def _segment(self, node: int, segment, inserted: list[str]) -> None:
        area = self._area[node] = segment.area()
        self._capacitance[node] = segment.cm * area * _NF_PER_UM2_AT_1_UF_CM2
        for name in inserted:
            if name == "pas":
                conductance = segment.pas.g * area * _NA_PER_UM2_AT_1_MA_CM2
                self._leak[node] += conductance
                self._leak_current[node] += conductance * segment.pas.e
            elif name in self._mechanisms:
                self._found[name].append((node, getattr(segment, name), segment))
        for point in segment.point_processes():
            self._point(point)

    def _point(self, point) -> None:
        # The end of a section may be a compartment of its parent, which is visited on its own.
        if point in self._seen:
            return
        self._seen.add(point)
        name = point.hname().split("[")[0]
        segment = point.get_segment()
        node = self._nodes.at(segment)
        self._wanted[node] = True
        if name == "IClamp":
            self._clamps.append((node, point.amp, point.delay, point.delay + point.dur))
            self._clamp_objects.append(point)
        elif name in self._mechanisms:
            self._found[name].append((node, point, segment))
        else:
            raise MechanismError(f"{segment} carries a '{name}', which is not in mod/: run with engine 'neuron'")

    def result(self, external: int) -> tuple[Extract, Handles]:
        """The network as arrays, and NEURON's objects."""
        for node in self._partner.values():
            self._wanted[node] = True
        forest = Forest(self._nodes.parent, self._nodes.axial, self._capacitance, self._wanted)
        order = {kind.name: k for k, kind in enumerate(self._kinds)}
        found = [each for name in self._mechanisms for each in self._sorted(name)]
        found.sort(key=lambda each: order[each[0].kind])
        extract = Extract(
            forest, self._leak, self._leak_current, tuple(each for each, _ in found),
            np.array(self._clamps, float).reshape(-1, 4), shared_values(self._kinds), external,
        )  # fmt: skip
        return extract, Handles(self._nodes.segments, [objects for _, objects in found], self._clamp_objects)

    def _sorted(self, name: str) -> list[tuple[Instances, list]]:
        """Instances of a mechanism, each in the variant that its parameters choose."""
        mechanism, found = self._mechanisms[name], self._found[name]
        self._check_ions(mechanism, found)
        node = np.array([each[0] for each in found], int)
        values = {key: np.array([self._value(mechanism, key, *each) for each in found]) for key in mechanism.instance}
        # A density is multiplied by the area; a point process already gives a current.
        area = self._area[node] if len(node) else np.zeros(0)
        values[SCALE] = np.ones(len(node)) if mechanism.source.point else area * _NA_PER_UM2_AT_1_MA_CM2
        with np.errstate(divide="ignore"):
            per_area = 1.0 / (area * _NA_PER_UM2_AT_1_MA_CM2)
        values[PER_AREA] = per_area if mechanism.source.point else np.ones(len(node))
        kinds = [kind for kind in self._kinds if kind.mechanism is mechanism]
        chosen = np.zeros(len(node), int)
        outcomes = [evaluate(mechanism.decisions, each, values, len(node)) != 0.0 for each in mechanism.conditions]
        for k, kind in enumerate(kinds):
            match = np.ones(len(node), bool)
            for outcome, decided in zip(outcomes, kind.variant.decided, strict=True):
                match &= outcome == decided
            chosen[match] = k
        return [self._instances(kind, values, node, np.flatnonzero(chosen == k), found) for k, kind in enumerate(kinds)]

    def _instances(
        self, kind: Kind, values: Mapping, node: np.ndarray, rows: np.ndarray, found: list
    ) -> tuple[Instances, list]:
        mechanism = kind.mechanism
        objects = [found[k][1] if mechanism.source.point else found[k][2] for k in rows]
        partner = [self._partner_of(each) for each in objects] if mechanism.reads_partner else []
        keys = objects if mechanism.source.point else [(each, mechanism.name) for each in objects]
        external = [self._pointer_of(each) for each in keys] if kind.reads_pointer else []
        initial = {
            name: np.array([getattr(each, name) for each in objects], float) for name in mechanism.concentrations_read
        }
        instances = Instances(
            kind.name, {key: each[rows] for key, each in values.items()}, node[rows],
            np.array(partner, int), np.array(external, int), initial,
        )  # fmt: skip
        return instances, objects

    def _partner_of(self, point) -> int:
        if point not in self._partner:
            raise MechanismError(f"{point} reads '{TRANSFERRED}', and nothing was connected to it")
        return self._partner[point]

    def _pointer_of(self, point) -> int:
        if point not in self._external:
            who = f"'{point[1]}' in {point[0]}" if isinstance(point, tuple) else point
            raise MechanismError(f"{who} reads a POINTER, and nothing was connected to it")
        return self._external[point]

    def _check_ions(self, mechanism: Mechanism, found: list) -> None:
        """Reversal potentials must not follow the concentrations: the engine keeps them constant."""
        for ion in mechanism.source.ions:
            writes = any(ion.roles[name] == "concentration" for name in ion.write)
            reads = any(ion.roles[name] == "reversal" for name in ion.read)
            for section in dict.fromkeys(segment.sec for _, _, segment in found) if writes or reads else ():
                style = int(h.ion_style(f"{ion.name}_ion", sec=section))
                follows = style >> 3 & 3 in (2, 3)
                if (writes and follows) or (reads and style & _NERNST_AT_START):
                    raise MechanismError(
                        f"{section}: the reversal of {ion.name} is computed from concentrations, which the native "
                        f'engine does not; call h.ion_style("{ion.name}_ion", 3, 1, 0, 0, 0, sec=section) or run with '
                        "engine 'neuron'"
                    )

    def _value(self, mechanism: Mechanism, key: str, node: int, holder, segment) -> float:
        reversals = mechanism.source.ion_names("reversal", written=False)
        if key == "area":
            return self._area[node]
        if key == "diam":
            return segment.diam
        return getattr(segment if key in reversals else holder, key)


def nervous_system(network: Network) -> NervousSystem:
    """Take an assembled network out of NEURON.

    Raises:
        MechanismError: if the native engine has no code for something in the network.
    """
    design = network.design
    found, handles = extract(
        network.sections,
        library.all_kinds(),
        [Partner(point, segment) for point, segment in network.partners()],
        [Pointer(point, index) for point, index in network.pointers()],
        design.inputs.size,
    )
    cell_of = {section: k for k, cell in enumerate(network.cells_in_order()) for section in cell}
    node_of = {segment: k for k, segment in enumerate(handles.segments)}
    clamp_of = {clamp: k for k, clamp in enumerate(handles.clamps)}
    (muscles,) = (
        objects
        for each, objects in zip(found.instances, handles.objects, strict=True)
        if len(objects) and each.kind.startswith("muscle_activation")
    )
    muscle_of = {segment: k for k, segment in enumerate(muscles)}
    return NervousSystem(
        found,
        np.array([cell_of[segment.sec] for segment in handles.segments], int),
        np.array([node_of[network.soma(name)(0.5)] for name in design.neurons], int),
        np.array([clamp_of[network.current_clamp(name)] for name in design.neurons], int),
        np.array([muscle_of[network.muscle(name)(0.5)] for name in design.muscles.index], int),
    )
