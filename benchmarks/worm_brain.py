"""The fitted worm's nervous system, open loop, as contestants of engines.py.

302 neurons and 95 muscles feel a prescribed wave of bending, exchanged every 4 ms as in the closed loop.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from race import Contestant, timed

TICK = 4.0  # [ms]
SLABS = 48  # of the default body, whose rings the stretch receptors feel
ENGINES = {
    "NEURON": "neuron",
    "native f64": "native",
    "native f64 tables": "native-tables",
    "native f32": "native-f32",
    "native f32 tables": "native-f32-tables",
}
POSITIONS = np.arange(1, SLABS) / SLABS


def contestants() -> list[Contestant]:
    """What the table compares; NEURON as it comes is the first."""
    one = {"soma": 1}
    second = {"soma": 1, "order": 2}
    coarse = {"soma": 1, "discretisation": "d_lambda"}
    listed = [
        _variant("NEURON"),
        _variant("NEURON, 1-segment soma", **one),
        _variant("NEURON, 1-segment soma, d_lambda", **coarse),
        # Without a correction second order is unstable at 0.1 ms and more, in NEURON as in the native engine.
        _variant("NEURON, 1-segment soma, order 2", **second, dt=0.05),
    ]
    listed += [_variant(name) for name in ("native f64", "native f32")]
    listed += [_variant(f"{name}, 1-segment soma", **one) for name in list(ENGINES)[1:]]
    listed += [_variant(f"{name}, 1-segment soma, d_lambda", **coarse) for name in ("native f32", "native f32 tables")]
    listed.append(_variant("native f64, 1-segment soma, order 2", **second, dt=0.05))
    listed += [
        _variant(f"{name}, 1-segment soma, order 2, 1 correction", **second, corrections=1)
        for name in list(ENGINES)[1:]
    ]
    return listed


def _variant(name: str, dt: float = 0.5, **options) -> Contestant:
    """A contestant, compared with NEURON's answer for the same compartments and order."""
    engine, _, rest_of_name = name.partition(",")
    against = None
    if engine != "NEURON":
        against = ",".join(["NEURON", rest_of_name]).removesuffix(",").removesuffix(", 1 correction")
    options = {"engine": ENGINES[engine], "dt": dt, **options}
    return Contestant(name, brain_run, options, against, dt)


def brain_run(
    engine: str,
    dt: float,
    soma: int = 2,
    order: int = 1,
    corrections: int = 0,
    discretisation: str = "traced",
) -> Callable[[float], tuple[float, np.ndarray]]:
    """Build the brain; the function it gives runs it for a duration [ms]."""
    from tianbao.engine.population import Population

    design = designed(soma, discretisation)
    (integrator,) = Population([design], engine).brains
    stretch = integrator.inputs[design.inputs["stretch"]]

    def run(duration: float) -> tuple[float, np.ndarray]:
        samples = []
        stretch[:] = design.stretch.weights @ bend(0.0)
        integrator.current[:] = 1e-3 * design.bias()
        integrator.start(rest(design), dt, order, corrections)
        ticks = round(duration / TICK)

        def steps() -> None:
            for k in range(ticks):
                stretch[:] = design.stretch.weights @ bend(k * TICK)
                integrator.advance((k + 1) * TICK)
                samples.append(integrator.voltage.copy())

        return timed(steps) / (ticks * round(TICK / dt)), np.array(samples)

    return run


def designed(soma: int, discretisation: str = "traced"):
    """The worm's nervous system, for the rings of its body."""
    import tianbao as tb

    return tb.Worm(soma_compartments=soma, discretisation=discretisation).model().design(POSITIONS)


def bend(time: float) -> np.ndarray:
    """Bending of the body at a time [ms], kappa L at POSITIONS."""
    return 8.0 * np.sin(2 * np.pi * (POSITIONS / 0.65 - 0.5e-3 * time))


def rest(design) -> np.ndarray:
    """Voltages of a run's first moment, the same for every engine [mV], shape (cells,)."""
    offsets = np.random.default_rng(1).normal(-60.0, 2.0, len(design.neurons))
    return np.append(offsets, np.full(len(design.muscles), design.muscle_membrane.leak_reversal))
