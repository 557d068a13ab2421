"""One gradient through brain and body: derivatives of a loss on a simulated run by what the worm is made of.

    tb.gradient(sim, -losses.ForwardSpeed(), ["gap_gain", "AVAL->VA01", "AVB.nca", "current"], duration=2_000.0)

The run is a closed loop, and so is its gradient (closed_loop.py). What is differentiated are the discrete steps that
the simulation takes, with its noise as it was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import anatomy
from ..anatomy.names import padded_muscle, unpadded
from ..errors import ConfigError, shorten, unknown
from ..loop import Simulation
from ..network.design import NetworkDesign
from ..parameters import table
from ..rows import number
from .assembled_values import PARTS, Values, conductance_slopes, renewed_slope, slopes
from .closed_loop import ClosedLoop, Rollout
from .derivatives import Derivatives, derivatives_of
from .places import places_of

_FIXED = {
    "noise_tau": "the noise is the one that was drawn",
    "cultivation_temperature": "only thermal fields tell a worm of it",
}
_WHOLE = {"synapses": "nS", "initial_voltage": "mV", "current": "nA"}
"""What is given as a whole, and the unit of what the derivative is by."""

LossFunction = Callable[[Rollout], tuple[float, Mapping[str, np.ndarray]]]


@dataclass(frozen=True, repr=False)
class Gradient(Mapping[str, "float | pd.Series | pd.DataFrame"]):
    """A loss and its derivatives, by name.

    Attributes:
        value: of the loss.
        rollout: the run that it was taken on.
        units: of every derivative, such as "mm/s per nS".
    """

    value: float
    rollout: Rollout
    units: Mapping[str, str]
    found: Mapping[str, float | pd.Series | pd.DataFrame]

    def __getitem__(self, name: str) -> float | pd.Series | pd.DataFrame:
        if name not in self.found:
            raise ConfigError(unknown("derivative", name, self.found))
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __repr__(self) -> str:
        lines = [f"value {self.value:.6g}"]
        for name, each in self.found.items():
            shown = f"{each:.6g}" if isinstance(each, float) else f"{type(each).__name__} of shape {each.shape}"
            lines.append(f"{name:24s}{shown} {self.units[name]}")
        return "\n".join(lines)


def gradient(
    sim: Simulation,
    loss: LossFunction,
    wrt: Sequence[str],
    duration: float = 2_000.0,
    *,
    current: np.ndarray | None = None,
    tolerance: float | None = None,
) -> Gradient:
    """Derivatives of a loss on a run from the simulation's seed.

    Args:
        sim: of one worm on the native engine, without fields, obstacles or flow. Afterwards it is where the run ended.
        loss: a function of the recorded `Rollout` that returns its value and its derivatives with respect to any of
            midline [1/mm], curvature, voltage [1/mV] and activation, such as those of `tianbao.learning.losses`.
        wrt: names of what the derivatives are by: a class-level parameter ("gap_gain"); a conductance of a class or a
            neuron ("RIM.egl19", "AVAL.leak") [nS]; the chemical synapses of a pair, muscles included ("AVAL->VA01"),
            or its gap junction ("AVBL--VB02") [nS]; "synapses" for all of them, "initial_voltage" for every cell's
            [mV], "current" for a current into every soma in every tick [nA].
        duration: of the run [ms], a whole number of ticks.
        current: into every soma in each tick, beside what the worm itself says [nA], shape (ticks, neurons).
        tolerance: of the body's steps meanwhile [-]; as it is when None. A step that is solved to 1e-3, as by
            default, has a derivative of about that accuracy.

    Returns:
        The loss, and a number, Series or frame per name.

    Raises:
        ConfigError: for an unknown name, a loss without derivatives, or a simulation that cannot be differentiated.
        AnatomyError: for an unknown neuron.
        DivergedError: if the worm diverges, or a step of its body has no derivative.
    """
    return jacobian(sim, [loss], wrt, duration, current=current, tolerance=tolerance)[0]


def jacobian(
    sim: Simulation,
    losses: Sequence[LossFunction],
    wrt: Sequence[str],
    duration: float = 2_000.0,
    *,
    current: np.ndarray | None = None,
    tolerance: float | None = None,
) -> list[Gradient]:
    """Derivatives of several losses on one run, which is simulated once and gone through backwards for each of them.

    Args:
        sim, wrt, duration, current, tolerance: see `gradient`.
        losses: as `loss` of `gradient`. One that stops to count early in the run costs less.

    Returns:
        What `gradient` returns, for each loss.

    Raises:
        ConfigError, AnatomyError, DivergedError: as `gradient`.
    """
    if isinstance(wrt, str) or not wrt:
        raise ConfigError("gradient: wrt takes a list of names, such as ['gap_gain', 'AVAL->VA01']")
    body = sim.body if isinstance(sim, Simulation) else None
    before, answers = None if body is None else body.tolerance, []
    try:
        if body is not None and tolerance is not None:
            body.tolerance = number(tolerance, "gradient", "tolerance", low=1e-14, high=0.5)
        loop = ClosedLoop(sim, duration, current)
        design, compiled = sim.loop.design(), loop.brain.compiled
        resolved = [_Name(name, design) for name in wrt]
        evaluated = [_evaluated(loss, loop.rollout) for loss in losses]
        places = places_of(sim, compiled.network)
        for loss, (value, weights) in zip(losses, evaluated, strict=True):
            known, unit = derivatives_of(loop.back(dict(weights)), places, design, compiled), getattr(loss, "unit", "-")
            found = {each.text: each.derivative(known, design, sim.clock.tick) for each in resolved}
            units = {each.text: f"{unit} per {each.unit}" for each in resolved}
            answers.append(Gradient(value, loop.rollout, units, found))
    finally:
        if body is not None:
            body.tolerance = before
    return answers


def _evaluated(loss: LossFunction, rollout: Rollout) -> tuple[float, Mapping[str, np.ndarray]]:
    """The loss and its derivatives, checked."""
    found = loss(rollout)
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping)):
        raise ConfigError(
            "gradient: the loss returned no derivatives: return a number and a mapping such as "
            "{'midline': dL/dmidline}, or use one of tianbao.learning.losses"
        )
    value = float(found[0])
    if not np.isfinite(value):
        raise ConfigError(f"gradient: the loss of this run is {value}: choose one that is finite")
    return value, found[1]


class _Name:
    """A name of what a derivative is by, resolved before anything is differentiated.

    Attributes:
        text: as given.
        unit: of what the derivative is by.
    """

    def __init__(self, text: str, design: NetworkDesign) -> None:
        if not isinstance(text, str):
            raise ConfigError(f"gradient: wrt holds {shorten(repr(text))}: give names")
        self.text, self.unit = text, "nS"
        self._neurons: tuple[str, ...] = ()
        if text in _WHOLE:
            self.unit, self._derivative = _WHOLE[text], self._of_all
        elif "->" in text or "--" in text:
            self._mark = "->" if "->" in text else "--"
            self._ends = [self._cell(each, design) for each in text.split(self._mark, 1)]
            self._derivative = self._of_pair
        elif "." in text:
            self._neurons, self._conductance = self._membranes(text, design)
            self._derivative = self._of_conductance
        else:
            if text not in table():
                raise ConfigError(unknown("parameter", text, [*table(), *_WHOLE]))
            if text in _FIXED:
                raise ConfigError(f"gradient: there is none by '{text}': {_FIXED[text]}")
            self.unit, self._derivative = table()[text].unit, self._of_parameter
            self.unit = "1" if self.unit == "-" else self.unit

    @staticmethod
    def _cell(name: str, design: NetworkDesign) -> str:
        name = padded_muscle(unpadded(name))
        if name not in design.membranes and name not in design.muscles.index:
            raise ConfigError(unknown("cell", name, [*design.neurons, *design.muscles.index]))
        return name

    @staticmethod
    def _membranes(text: str, design: NetworkDesign) -> tuple[tuple[str, ...], str]:
        cls, conductance = text.split(".", 1)
        neurons = tuple(each for each in design.neurons if cls in (each, anatomy.neuron_class(each)))
        if not neurons:
            raise ConfigError(unknown("class", cls, sorted({anatomy.neuron_class(each) for each in design.neurons})))
        carried = {name for each in neurons for name in ("leak", *design.membranes[each].conductances)}
        having = tuple(each for each in neurons if design.membrane_of(each).has(conductance))
        if not having:
            raise ConfigError(unknown(f"conductance of {cls}", conductance, sorted(carried)))
        return having, conductance

    def derivative(self, known: Derivatives, design: NetworkDesign, tick: float) -> float | pd.Series | pd.DataFrame:
        """The derivative by it.

        Raises:
            ConfigError: if the pair of cells is not connected.
        """
        return self._derivative(known, design, tick)

    def _of_all(self, known: Derivatives, design: NetworkDesign, tick: float):
        if self.text == "synapses":
            return known.synapses()
        if self.text == "initial_voltage":
            return known.initial_voltage()
        return pd.DataFrame(known.bars.current, columns=list(design.neurons))

    def _of_pair(self, known: Derivatives, design: NetworkDesign, tick: float) -> float:
        found = known.pair(*self._ends, gap=self._mark == "--")
        if found is None:
            what = "gap junction" if self._mark == "--" else "chemical synapse"
            raise ConfigError(f"gradient: there is no {what} '{self.text}' in this worm")
        return found

    def _of_conductance(self, known: Derivatives, design: NetworkDesign, tick: float) -> float:
        return sum(known.along(conductance_slopes(design, each, self._conductance)) for each in self._neurons)

    def _of_parameter(self, known: Derivatives, design: NetworkDesign, tick: float) -> float:
        total = 0.0
        for part in PARTS:
            if self.text in known.read_by(part):
                moved: Values = slopes(part, design, self.text)
                if "stretch_tau" in moved:
                    tau = moved.pop("stretch_tau")
                    moved["renewed"] = tau * renewed_slope(design.stretch.tau, tick)
                total += known.along(moved)
        return total
