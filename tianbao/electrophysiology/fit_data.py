"""What a fit of one neuron is given: recorded sweeps, and what may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Spikes:
    """Spikes of a sweep.

    Attributes:
        count: least number; one more is not counted against a candidate, three more are.
        peak: of the lower ones [mV].
        height: from the higher of the two neighbouring troughs [mV].
        latency: of the first [ms since the start of the step].
        trough: lowest voltage after the onset [mV].
    """

    count: int
    peak: float
    height: float
    latency: float
    trough: float


@dataclass(frozen=True)
class Sweep:
    """One recorded sweep.

    Attributes:
        level: of the step [pA under current clamp, mV under voltage clamp].
        windows: start and end [ms since the start of the step] and mean [mV or pA], shape (n, 3).
        peak, steady: [mV or pA]; nan if not measured.
        spikes: None if there are none.
    """

    level: float
    windows: np.ndarray = field(repr=False)
    peak: float
    steady: float
    spikes: Spikes | None = None


@dataclass(frozen=True)
class Described:
    """What a fit may change and what it is held to.

    Attributes:
        neuron: name.
        mode: "CC" or "VC".
        free: conductances that are searched; a complex counts in units of its calcium channel.
        fixed: conductances [nS] and leak reversal [mV] that are not searched.
        published: conductances [nS] and leak reversal [mV] of a published model: the centres of the priors.
        kinetics: as `Membrane.kinetics`.
        free_kinetics: "channel.parameter" -> lower and upper bound of a kinetic constant that is searched.
        states: stable states that the cell may have without current; 0 for any number.
        duration: of the step [ms].
        after: recorded time after it [ms].
        rest: measured elsewhere [mV]; None leaves it to the sweeps.
        start: voltage from which cells and gates start [mV].
        lowest_egl19_shift: lower bound of the shift of EGL-19 [mV]; 0 does not fit it.
        pipette: whether the capacitance that the pipette adds is fitted.
        least_leak: [nS].
        step: of the search [ms].
    """

    neuron: str
    mode: str
    free: tuple[str, ...]
    fixed: Mapping[str, float]
    published: Mapping[str, float]
    kinetics: Mapping[str, Mapping[str, float]]
    free_kinetics: Mapping[str, tuple[float, float]]
    states: int
    duration: float
    after: float
    rest: float | None
    start: float
    lowest_egl19_shift: float
    pipette: bool
    least_leak: float
    step: float
