"""Everything that defines one worm's nervous system, before any NEURON object exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from .. import anatomy
from ..anatomy import STANDARD, TRACED, CellSource, Connectome
from ..anatomy.signs import HEAD_CROSS
from ..cells.declared import class_row
from ..cells.geometry import CellGeometry, constants, geometry
from ..cells.membrane import declared_release_half, membrane
from ..cells.templates import Membrane
from ..errors import ConfigError
from ..muscles import ActiveMembrane, MuscleMembrane, muscle_section
from ..parameters import Parameters
from ..sensing import Ending, FoodSense, StretchField, TouchReceptor, endings, stretch_field
from ..sensing.stretch import nmj_centroids
from .amines import Amines, Reached
from .decision import Decision
from .drives import drives
from .fatigue import Fatigue
from .inputs import AMINES, InputLayout
from .modulation import Modulator
from .signs import DEFAULT, Signs, families, signed, volume
from .tools import SwitchedConductance
from .wiring import Tables, extrapolated, gap_totals, input_scale, on_both_sides, turning_pairs


@dataclass(frozen=True)
class NetworkDesign:
    """Cells, membranes, connections and receptors of one worm.

    Attributes:
        parameters: the class-level free parameters.
        tables: the connectome after perturbations.
        membranes: neuron -> membrane.
        decision: whether the command neurons decide, and by which values.
        fatigue: which synapses tire.
        discretisation: "traced" or "d_lambda".
        channel_set: kinetic parameter set, "C19" or "H".
        stretch_positions: body coordinates at which kappa L is reported.
        silenced: neurons whose stretch receptors are silenced.
        soma_compartments: 1 or 2.
        muscle: membrane of the muscle cells, one of `MUSCLES`.
        conductances: what the experimenter opens in single cells.
        cell_source: where the morphologies come from.
        modulators: what multiplies conductances slowly.
        amines: whether they act beyond synapses, and how strongly.
        touchable: neuron -> factor on its touch conductance; 1 for all others.
        key: equal for equal designs, so that what was compiled of one serves the others; None for a design of its own.
    """

    parameters: Parameters
    tables: Tables
    membranes: dict[str, Membrane]
    discretisation: str
    channel_set: str
    stretch_positions: np.ndarray = field(repr=False)
    decision: Decision = Decision()
    fatigue: Fatigue = Fatigue()
    silenced: frozenset[str] = frozenset()
    soma_compartments: int = 2
    muscle: str = "passive"
    conductances: tuple[SwitchedConductance, ...] = ()
    cell_source: CellSource = TRACED
    modulators: tuple[Modulator, ...] = ()
    amines: Amines = Amines()
    touchable: Mapping[str, float] = field(default_factory=dict)
    key: tuple | None = None

    @cached_property
    def neurons(self) -> tuple[str, ...]:
        """The 302 neurons, in the order of every array."""
        return tuple(self.membranes)

    @cached_property
    def muscles(self) -> pd.DataFrame:
        """The 95 muscles, in the order of every array."""
        return anatomy.muscles()

    @cached_property
    def cells(self) -> dict[str, CellGeometry]:
        """Geometry of every neuron."""
        return {name: self.cell(name) for name in self.neurons}

    def cell(self, neuron: str) -> CellGeometry:
        """Geometry of one neuron."""
        return cell_geometry(neuron, self.discretisation, self.soma_compartments, self.cell_source)

    @cached_property
    def capacitance(self) -> dict[str, float]:
        """Whole-cell capacitance [pF] of every neuron."""
        return {name: cell.capacitance for name, cell in self.cells.items()}

    @cached_property
    def stretch(self) -> StretchField:
        """Stretch receptors; silenced ones sense nothing."""
        centroids = nmj_centroids(self.tables.intact_nmj, self.muscles)
        felt = stretch_field(self.cells, centroids, self.stretch_positions, self.parameters)
        heard = np.array([[each.neuron not in self.silenced] for each in felt.receptors], dtype=float)
        return replace(felt, weights=felt.weights * heard, fading=felt.fading * heard)

    @cached_property
    def endings(self) -> dict[str, tuple[Ending, ...]]:
        """Sense -> its endings that are point processes of their own, with the touch conductances of this worm."""

        def own(each: Ending) -> Ending:
            """The ending with the conductance that it has in this worm."""
            factor = self.touchable.get(each.neuron, 1.0) if isinstance(each, TouchReceptor) else 1.0
            return each if factor == 1.0 else replace(each, g=each.g * factor)

        # Whoever feels food gives off amines, and little else is known of what follows.
        felt = {sense: rows if sense != FoodSense.name or self.amines.on else () for sense, rows in endings().items()}
        return {sense: tuple(map(own, rows)) for sense, rows in felt.items()}

    @cached_property
    def inputs(self) -> InputLayout:
        """Where each kind of input lies in the vector that the network's POINTERs read."""
        return InputLayout(
            {
                "stretch": len(self.stretch.receptors),
                **{sense: len(rows) for sense, rows in self.endings.items()},
                "modulation": len(self.modulated),
                "light": len(self.driven),
                AMINES: len(self.amines.ligands),
            }
        )

    @property
    def modulated(self) -> tuple[Modulator | Reached, ...]:
        """What multiplies conductances: modulators, then groups of cells that amines reach."""
        return (*self.modulators, *self.amines.reached)

    @cached_property
    def gated(self) -> tuple[tuple[str, SwitchedConductance], ...]:
        """Chloride channels that amines open, each with its amine."""
        return tuple(self.amines.gated(self.capacitance, self.parameters))

    @property
    def driven(self) -> tuple[str, ...]:
        """Neurons with a channel that the light of `Simulation.step` opens, one per channel."""
        return tuple(each.neuron for each in self.conductances if each.driven)

    def check_exportable(self) -> None:
        """Refuse to write what needs a number from Tianbao's loop at every moment.

        Raises:
            ConfigError: for a modulator, or a channel that waits for the light of `Simulation.step`; for
                active muscles; for a worm that decides, whose synapses tire, or with amines.
        """
        what = "modulators" if self.modulators else "channels that wait for the light of a step" if self.driven else ""
        if what:
            raise ConfigError(f"{what} live in Tianbao's loop and cannot be exported: export the worm without them")
        if self.decision.on:
            raise ConfigError("a worm that decides cannot be exported yet: export it with decision = off")
        if self.fatigue.on:
            raise ConfigError("synapses that tire cannot be exported yet: export the worm with fatigue = off")
        if self.amines.on:
            raise ConfigError("levels of amines live in Tianbao's loop: export the worm with amines = off")
        if self.muscle == "active":
            raise ConfigError("active muscles cannot be exported: export the worm with muscle = passive")

    @cached_property
    def muscle_membrane(self) -> MuscleMembrane:
        """Passive membrane of the muscle cells; an active one has its capacitance, synapses and gap junctions."""
        return MuscleMembrane.standard()

    def muscle_section(self) -> dict:
        """One muscle cell as a NetPyNE section dictionary."""
        if self.muscle == "active":
            return ActiveMembrane.standard().section(self.muscle_membrane, self.parameters)
        return muscle_section(self.muscle_membrane, self.parameters)

    def membrane_of(self, neuron: str) -> Membrane:
        """Membrane of a neuron, with the declared conductance of AVB and the plateau of neurons that decide."""
        driven = with_avb_drive(self.membranes[neuron], self.cell(neuron).capacitance, self.parameters, self.decision)
        return self.decision.with_plateau(driven, neuron)

    def release_half(self, neuron: str) -> float | None:
        """Voltage of half-maximal release that a neuron has of its own [mV]; None if the general value applies."""
        own = self.decision.release_half(neuron)
        return declared_release_half(neuron) if own is None else own

    def bias(self) -> np.ndarray:
        """Tonic current into every neuron [pA], shape (302,)."""
        return np.array([self._bias(name) for name in self.neurons])

    def _bias(self, neuron: str) -> float:
        p = self.parameters
        current = sum((p[name] for name in drives().currents.get(anatomy.neuron_class(neuron), ())), 0.0)
        return current * input_scale(self.capacitance[neuron], p)

    def noise_amplitude(self) -> np.ndarray:
        """Standard deviation of the fluctuating membrane current [pA], shape (302,); like conductances, of any size."""
        p = self.parameters
        return p.noise * np.array([input_scale(self.capacitance[name], p) for name in self.neurons])


_UNDECIDED = Decision()

# One geometry per tracing and way of cutting it serves every worm and every re-tuning of a process.
_GEOMETRIES: dict[tuple[str, str, str, int], CellGeometry] = {}


def cell_geometry(name: str, discretisation: str, soma_compartments: int, source: CellSource = TRACED) -> CellGeometry:
    """Geometry of one neuron, built once per process and contents of its tracing."""
    key = (name, source.digest(name), discretisation, soma_compartments)
    if key not in _GEOMETRIES:
        _GEOMETRIES[key] = geometry(source.morphology(name), discretisation, soma_compartments)
    return _GEOMETRIES[key]


def with_avb_drive(base: Membrane, capacitance: float, p: Parameters, decision: Decision = _UNDECIDED) -> Membrane:
    """A driven membrane (AVB's, see drives.csv) is held depolarised all along by NCA and leak in a declared mixture.

    Args:
        base: membrane of the class.
        capacitance: of the cell [pF]; the declared total does not grow with it.
        p: conductance and reversal of the drive.
        decision: shifts the reversal if the command neurons decide.
    """
    if base.template not in drives().conductances:
        return base
    total, reversal = (p[name] for name in drives().conductances[base.template])
    reversal += decision["avb_reversal_shift"] if decision.on else 0.0
    e_nca, e_leak = constants()["reversal_nca"], constants()["reversal_leak"]
    nca = total * (reversal - e_leak) / (e_nca - e_leak)
    leak = (total - nca) / base.scale(capacitance, p.capacitance_exponent)
    return replace(base, leak=leak, leak_reversal=e_leak, axonal_nca=nca * base.factor("nca"))


def intact_tables(signs: str | Mapping[str, str] | Signs = DEFAULT, connectome: str | Connectome = STANDARD) -> Tables:
    """The wild-type connectome.

    Args:
        signs: "transmitter" (inhibitory are GABA neurons and head cross-inhibition); "predicted", which adds every
            edge that Fenyves et al. 2020 predict negative; "published", which corrects these by the published signs of
            signs.csv; "deciding", which adds contested families; or a table of families, see `Signs.of`.
        connectome: name, path of a CSV, or what `anatomy.connectome` returned.

    Raises:
        AnatomyError: for an unknown connectome or a malformed file.
        ConfigError: for unknown signs.
    """
    signs = Signs.of(signs)
    wired = anatomy.connectome(connectome)
    chemical = wired.chemical.assign(head_cross=wired.chemical.sign_source == HEAD_CROSS)
    if signs.others != "transmitter":
        negative = (chemical.sign_predicted == "-") & (chemical.sign == "excitatory")
        chemical = chemical.assign(
            sign=chemical.sign.where(~negative, "inhibitory"),
            sign_source=chemical.sign_source.where(~negative, "predicted: Fenyves 2020"),
        )
    # Other tables are taken as they are; only Cook 2019 fills rows of muscles with extrapolated constants.
    counted = wired.nmj_from == STANDARD
    nmj = on_both_sides(wired.nmj) if counted else wired.nmj
    nmj = nmj.assign(extrapolated=extrapolated(nmj, anatomy.muscles()) & counted)
    diffusing = volume(chemical, signs)
    chemical, nmj = signed(chemical, "neurons", signs), signed(nmj, "muscles", signs)
    chemical, gap, nmj, diffusing = (table.assign(strength=1.0) for table in (chemical, wired.gap, nmj, diffusing))
    muscles, neuromuscular, totals = anatomy.gap_muscle(), anatomy.gap_neuromuscular(), gap_totals(gap)
    more = {"intact_nmj": nmj, "gap_totals": totals, "volume": diffusing, "turning": turning_pairs()}
    return Tables(chemical, gap, nmj, muscles, neuromuscular, **more)


def sign_sources(*patterns: str, signs: str | Mapping[str, str] | Signs = DEFAULT) -> pd.DataFrame:
    """Families of synapses whose sign has a source of its own or is contested; printed by `tianbao sources --signs`.

    Args:
        patterns: names or globs of neurons ("AIY*") to which families are limited; all families if none is given.
        signs: see `intact_tables`.

    Returns:
        One row per row of network/signs.csv: see `network.signs.families`.

    Raises:
        AnatomyError: when a pattern matches no neuron.
        ConfigError: for unknown signs.
    """
    tables = intact_tables(signs)
    cells = anatomy.match_neurons(*(patterns or ("*",)))
    found = families({"neurons": tables.chemical, "muscles": tables.nmj, "volume": tables.volume}, cells)
    return found if len(cells) == len(anatomy.neurons()) else found[found.pairs > 0].reset_index(drop=True)


def intact_membranes(members: Mapping[str, int] | None = None) -> dict[str, Membrane]:
    """Wild-type membrane of every neuron, in the order of the neuron table.

    Args:
        members: recorded cell -> member of its ensemble, for all neurons that have its template; the best fit
            of all others.
    """
    chosen = {cell.lower(): number for cell, number in (members or {}).items()}
    used = {name: chosen.get(class_row(name)["template"], 0) for name in anatomy.neurons().index}
    return {name: membrane(name, member=number) for name, number in used.items()}
