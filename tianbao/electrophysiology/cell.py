"""Single-cell electrophysiology: one NEURON cell outside any network, patched at its soma."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Real

import numpy as np

from .. import anatomy, mechanisms
from ..arguments import NamedAttributes, named_arguments
from ..cells import calcium, published
from ..cells.declared import class_row
from ..cells.ensembles import member as ensemble_member
from ..cells.geometry import constants, geometry
from ..cells.membrane import insert_membrane
from ..cells.temperature import rate_factor, set_rates
from ..cells.templates import Membrane, recorded_neurons
from ..errors import AnatomyError, ConfigError, DivergedError, shorten, unknown
from ..muscles import ActiveMembrane, MuscleMembrane
from ..network.assembly import Network, neuron_sections
from ..parameters import defaults
from ..progress import Progress
from ..rows import number
from ..units import NA_PER_PA, PF_PER_UM2_AT_1_UF_CM2
from ..worm import Worm
from ..worm_model import WormModel
from .protocols import Epoch, Protocol, current_steps, voltage_steps
from .sections import build
from .sweeps import Sweeps

log = logging.getLogger(__name__)

# [ms] In which every cell of the worm settles from -60 mV.
_SETTLING = 5000.0
_START = -60.0  # mV
_CHARGING = 200.0  # ms after which every cell of the worm is charged
_SHOWN = 60_000.0  # ms of biology that take longer than two seconds
_MOST = 1000.0  # mV, beyond which a run has diverged
_MOST_SAMPLES = 1e8  # of one sweep
_MOST_CURRENT, _LEAST_CURRENT = 1000.0, 0.1  # pA, beyond which another unit was meant
_NEAR_ZERO = 0.2  # mV, as above
_LONGEST_STEP = 10.0  # ms, also how far NEURON goes at once


@named_arguments
class PatchedCell(NamedAttributes):
    """An isolated neuron under a patch pipette.

    Running one initialises and advances everything else in this NEURON process: do not run it in the middle
    of a simulation of the worm. Create one with `of_neuron`, `of_template`, `of_muscle` or `of_published`.

    Args:
        sections: as `CellGeometry.netpyne_sections` with `insert_membrane`, or `published.sections`.
        name: of the cell.
        celsius: temperature [degC]; it affects gating as in a worm, see cells/temperature.py.
    """

    def __init__(self, sections: dict[str, dict], name: str = "cell", *, celsius: float = 20.0) -> None:
        if not isinstance(sections, Mapping):
            todo = "PatchedCell.of_neuron('AWCL') patches a neuron"
            raise ConfigError(f"a PatchedCell is made of sections, not of {shorten(repr(sections))}: {todo}")
        self._gating = rate_factor(celsius)
        mechanisms.load()
        self.name, self.celsius = name, celsius
        # Read by NEURON's Nernst equation only: the gates follow `_gating`.
        self._nernst_celsius = celsius
        self.sections = build(sections, name)
        self._bare = {key: {**section, "mechs": {}, "ions": {}} for key, section in sections.items()}
        self._charged: dict[float, np.ndarray] = {}
        self._rest: dict[float, float] = {}

    @classmethod
    def of_neuron(
        cls,
        neuron: str,
        worm: Worm | WormModel | None = None,
        *,
        knock_out: str | Iterable[str] = (),
        celsius: float = 20.0,
        e_ca: float | str | None = None,
    ) -> PatchedCell:
        """A neuron as it runs in a worm: tracing, size rule, expression, declared changes, interventions.

        Only what acts on its membrane is missing: synapses, gap junctions, receptors, tonic currents, and what an
        experimenter injects, opens or modulates.

        Args:
            neuron: name.
            worm: whose neuron it is, as it is now; an intact `Worm()` if None.
            knock_out: further channel genes, such as "egl-19".
            celsius: temperature.
            e_ca: reversal potential of calcium [mV], or "nernst" for that of its calcium pool; 60 mV, as in the
                worm, if None (`reversal_calcium` in cells/cell.csv).

        Raises:
            AnatomyError: for an unknown neuron.
            ConfigError: for an unknown channel, a worm that is none, or an `e_ca` that is neither.
        """
        neuron = anatomy.neuron_name(neuron)
        if not isinstance(worm, Worm | WormModel | None):
            raise ConfigError(
                f"a patched neuron is one of a tianbao.Worm, not of {shorten(repr(worm))}: give worm=Worm()"
            )
        design = (worm or Worm()).design(np.empty(0))
        carried = _without(design.membranes[neuron], knock_out)
        design = replace(design, membranes={**design.membranes, neuron: carried})
        sections = neuron_sections(design, neuron)
        calcium.set_reversal(sections, e_ca, celsius)
        return cls(sections, neuron, celsius=celsius)

    @classmethod
    def of_template(
        cls,
        name: str,
        of: Membrane | None = None,
        *,
        member: int = 0,
        knock_out: str | Iterable[str] = (),
        channel_set: str = "C19",
        discretisation: str = "traced",
        celsius: float = 20.0,
        e_ca: float | str | None = None,
    ) -> PatchedCell:
        """The recorded cell as fitted, on its own tracing: what recordings are compared with.

        Under the pipette it was recorded with, which adds a capacitance that slows current steps.

        Args:
            name: template of cells/recorded.csv, such as "aiy", or a neuron, which stands for the recorded cell of its
                class or of the nearest one.
            of: membrane in place of the template, such as another fit to the same recording; its totals are used as
                they are.
            member: of the ensemble of the template (`cells.ensembles`); 0 is the best fit.
            knock_out: channel genes, such as "egl-19".
            channel_set: "C19" or "H".
            discretisation: "traced" or "d_lambda".
            celsius: temperature.
            e_ca: reversal potential of calcium [mV], or "nernst" for that of its calcium pool; 60 mV, as in the
                worm, if None (`reversal_calcium` in cells/cell.csv).

        Raises:
            AnatomyError: for a name that is neither.
            ConfigError: for an unknown member, channel, set or discretisation, or an `e_ca` that is neither.
        """
        if not isinstance(of, Membrane | None):
            raise ConfigError(f"of_template: 'of' is a Membrane, such as membrane('AWCL'), not {shorten(repr(of))}")
        recorded = recorded_neurons()
        template = name.lower() if isinstance(name, str) else None
        if template not in recorded:
            template = class_row(anatomy.neuron_name(name))["recorded"]
        neuron = recorded[template]
        carried = _without(of or ensemble_member(template, member), knock_out)
        cell = geometry(anatomy.morphology(neuron), discretisation, soma_compartments=1)
        sections = cell.netpyne_sections()
        # The totals are those of this very tracing, so that nothing is left to scale with size.
        insert_membrane(sections, cell, carried, exponent=0.0, channel_set=channel_set)
        calcium.set_reversal(sections, e_ca, celsius)
        soma = cell.cables[0].lateral_area() * PF_PER_UM2_AT_1_UF_CM2
        sections["soma"]["geom"]["cm"] += carried.pipette / soma
        return cls(sections, neuron, celsius=celsius)

    @classmethod
    def of_published(
        cls,
        cell: str,
        *,
        knock_out: str | Iterable[str] = (),
        celsius: float = 20.0,
        e_ca: float | str | None = None,
    ) -> PatchedCell:
        """A model cell as published: one compartment, its own conductances (`cells.published`).

        Args:
            cell: one of `cells.published.names()`.
            knock_out: channel genes, such as "egl-19".
            celsius: temperature of the gates [degC].
            e_ca: reversal potential of calcium [mV], or "nernst" at the source's 6.3 degC; as in its source if None.

        Raises:
            ConfigError: for an unknown cell or channel, or an `e_ca` that is neither.
        """
        patched = cls(published.sections(cell, knock_out, e_ca), cell, celsius=celsius)
        patched._nernst_celsius = constants()["nernst_celsius"]
        return patched

    @classmethod
    def of_muscle(
        cls,
        muscle: str,
        *,
        knock_out: str | Iterable[str] = (),
        celsius: float = 20.0,
    ) -> PatchedCell:
        """An active body wall muscle cell, the same for all 95 (`Worm(muscle="active")`), without its gap junctions.

        Args:
            muscle: name, such as "MDL08".
            knock_out: genes of its channels: "egl-19", "shk-1", "slo-1" and "slo-2".
            celsius: temperature.

        Raises:
            AnatomyError: for an unknown muscle.
            ConfigError: for a channel that muscle does not have.
        """
        known = anatomy.muscles().index
        if not isinstance(muscle, str) or muscle not in known:
            raise AnatomyError(unknown("muscle", muscle, known))
        carried = ActiveMembrane.standard()
        for gene in published.genes(knock_out):
            carried = carried.without(gene)
        section = carried.section(MuscleMembrane.standard(), defaults())
        return cls({"soma": section}, muscle, celsius=celsius)

    @property
    def soma(self):
        """Middle of the soma (NEURON Segment)."""
        return self.sections["soma"](0.5)

    @property
    def compartments(self) -> int:
        """Number of compartments."""
        return sum(section.nseg for section in self.sections.values())

    def rest(self, dt: float = 0.1) -> float:
        """Voltage to which the cell settles from -60 mV [mV], computed once.

        Raises:
            ConfigError: for a step that is not positive or too long.
        """
        _check_step(dt)
        if dt not in self._rest:
            settling = Protocol("current", (Epoch(_SETTLING, (0.0,)),), measured=0)
            self._rest[dt] = float(self._sweep(settling, 0, dt, _START)[0][-1])
        return self._rest[dt]

    def input_resistance(self, step: float = -2.0, dt: float = 0.1) -> float:
        """Change of steady voltage over a small current step [GOhm].

        Args:
            step: [pA]
            dt: [ms]

        Raises:
            ConfigError: for a step that is 0 or not a number.
        """
        if not number(step, "input resistance", "step", "pA"):
            raise ConfigError(f"an input resistance over a step of {step} pA: the step must be a number other than 0")
        found = self.run(current_steps([0.0, step], duration=2000.0), dt).measure()
        return float((found.steady[1] - found.steady[0]) / step)

    def run(self, protocol: Protocol, dt: float = 0.1) -> Sweeps:
        """Run a protocol; every sweep starts from rest, or from the first level of a voltage clamp.

        The capacitive current is subtracted from that of a voltage clamp, as by an amplifier with capacitance
        compensation.

        Args:
            protocol: to run.
            dt: step [ms].

        Raises:
            ConfigError: for a step that is not positive or too long.
            DivergedError: if the voltage leaves the physiological range.
        """
        _check_step(dt)
        if not isinstance(protocol, Protocol):
            raise ConfigError(f"a cell runs a Protocol, such as current_steps([5.0]), not {shorten(repr(protocol))}")
        if protocol.duration / dt > _MOST_SAMPLES:
            raise ConfigError(f"{protocol.duration:g} ms at dt {dt:g} ms are more than {_MOST_SAMPLES:g} samples")
        _check_levels(protocol)
        voltages, currents = [], []
        biology, label = protocol.duration * protocol.sweeps, f"{self.name} under {protocol.mode} clamp"
        with Progress(biology, label, enabled=biology > _SHOWN) as bar:
            for sweep in range(protocol.sweeps):
                start = self.rest(dt) if protocol.mode == "current" else protocol.levels(0)[sweep]
                voltage, current = self._sweep(protocol, sweep, dt, start)
                if protocol.mode == "voltage":
                    current -= self._charging(protocol, sweep, dt, len(current))
                bar.advance(protocol.duration)
                voltages.append(voltage)
                currents.append(current)
        time = np.arange(len(voltages[0])) * dt
        return Sweeps(self.name, protocol, time, np.stack(voltages, axis=1), np.stack(currents, axis=1))

    def _sweep(self, protocol: Protocol, sweep: int, dt: float, start: float) -> tuple[np.ndarray, np.ndarray]:
        from neuron import h

        if Network.release():
            log.info("%s: the worm's network is removed from NEURON; it is rebuilt when the worm runs", self.name)
        if protocol.mode == "current":
            clamp = h.IClamp(self.soma)
            clamp.delay, clamp.dur = 0.0, 1e12
            command, unit = clamp._ref_amp, NA_PER_PA
        else:
            clamp = h.SEClamp(self.soma)
            clamp.dur1, clamp.rs = 1e12, 0.01  # MOhm: 1 nA moves the soma by 0.01 mV
            command, unit = clamp._ref_amp1, 1.0
        levels = [protocol.levels(k)[sweep] * unit for k in range(len(protocol.epochs))]
        begins = np.cumsum([0.0, *(each.duration for each in protocol.epochs[:-1])])
        # NEURON keeps no reference to played vectors.
        played = h.Vector(levels), h.Vector(begins)
        played[0].play(command, played[1])
        if protocol.mode == "current":
            clamp.amp = levels[0]
        else:
            clamp.amp1 = levels[0]
        voltage = h.Vector().record(self.soma._ref_v)
        current = h.Vector().record(clamp._ref_i)
        set_rates(h, self._gating)
        h.celsius, h.dt, h.secondorder = self._nernst_celsius, dt, 0
        h.finitialize(start)
        h.ParallelContext().set_maxstep(_LONGEST_STEP)
        h.ParallelContext().psolve(protocol.duration)
        found = voltage.as_numpy().copy(), current.as_numpy() / NA_PER_PA
        if not np.abs(found[0]).max() < _MOST:
            raise DivergedError(
                f"the voltage of {self.name} left {_MOST:g} mV in sweep {sweep + 1} at dt {dt:g} ms: make dt smaller"
            )
        return found

    def _charging(self, protocol: Protocol, sweep: int, dt: float, samples: int) -> np.ndarray:
        """Capacitive current, which would flow without any channel [pA], shape (samples,)."""
        if dt not in self._charged:
            bare = PatchedCell(self._bare, f"{self.name}_bare", celsius=self.celsius)
            step = voltage_steps([1.0], hold=0.0, delay=_LONGEST_STEP, duration=_CHARGING, after=dt)
            _, response = bare._sweep(step, 0, dt, 0.0)
            self._charged[dt] = response[round(_LONGEST_STEP / dt) : round((_LONGEST_STEP + _CHARGING) / dt)]
        per_mv, total, begin = self._charged[dt], np.zeros(samples), 0.0
        for k in range(1, len(protocol.epochs)):
            begin += protocol.epochs[k - 1].duration
            first = round(begin / dt)
            size = min(len(per_mv), samples - first)
            jump = protocol.levels(k)[sweep] - protocol.levels(k - 1)[sweep]
            total[first : first + size] += jump * per_mv[:size]
        return total


def _without(membrane: Membrane, genes: str | Iterable[str]) -> Membrane:
    """A membrane without the channels of these genes."""
    for gene in published.genes(genes):
        membrane = membrane.without(gene)
    return membrane


def _check_levels(protocol: Protocol) -> None:
    """Refuse a current that is one in another unit than pA, and warn of levels that are likely to be."""
    most = max((abs(each) for epoch in protocol.epochs for each in epoch.levels), default=0.0)
    if protocol.mode == "current" and most > _MOST_CURRENT:
        said = f"a current of {most:g} pA is too large to mean anything"
        raise ConfigError(f"{said}: give at most {_MOST_CURRENT:g} pA (1 nA = 1000 pA)")
    if protocol.mode == "current" and 0.0 < most < _LEAST_CURRENT:
        log.warning("currents of up to %g pA change next to nothing: give pA, 20 for 0.02 nA", most)
    measured = protocol.epochs[protocol.measured].levels
    if protocol.mode == "voltage" and 0.0 < max(map(abs, measured)) < _NEAR_ZERO:
        log.warning("steps to %s mV all lie next to 0: give mV, -80 for -0.08 V", shorten(list(measured)))


def _check_step(dt: float) -> None:
    if isinstance(dt, bool) or not isinstance(dt, Real) or not 0 < dt <= _LONGEST_STEP:
        raise ConfigError(f"a step of {shorten(dt)} ms: it must be positive and at most {_LONGEST_STEP:g} ms")
