"""A model that every simulator can build, as contestants of engines.py.

302 cells, each a Hodgkin-Huxley soma of 10 x 10 um and a passive neurite of 204 x 0.5 um in 51 compartments
(15,704 in all); 1,100 gap junctions of 20 pS between random compartments of neurites; 10 cells driven by 30 pA;
backward Euler at 0.05 ms. Arbor and Jaxley run where they can be imported.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import core_neuron
import numpy as np
from race import Contestant, timed

CELLS, COMPARTMENTS, JUNCTIONS = 302, 51, 1_100
CONDUCTANCE = 2e-5  # [uS]
DRIVEN, DRIVE = tuple(range(0, CELLS, 31)), 0.03  # [nA]
SOMA, NEURITE = (10.0, 10.0), (204.0, 0.5)  # length, diameter [um]
RESISTIVITY, CAPACITANCE, LEAK, REST = 100.0, 1.0, 1e-4, -65.0  # [ohm cm], [uF/cm2], [S/cm2], [mV]
DT, SAMPLE, LONGEST = 0.05, 4.0, 200.0  # [ms]
_HERE = Path(__file__).parent


def contestants(extra_site: str | None = None) -> list[Contestant]:
    """NEURON first; Arbor and Jaxley only if they are installed."""
    sources = _sources()
    plain, fast = core_neuron.compiled(sources, core=False), core_neuron.compiled(sources)
    listed = [Contestant("NEURON", neuron_run, {"folder": plain}, dt=DT)]
    for precision in ("f64", "f32"):
        options = {"folder": plain, "precision": precision}
        listed.append(Contestant(f"native {precision}", native_run, options, "NEURON", DT))
    options = {"folder": fast, "core": True}
    listed.append(Contestant("CoreNEURON, one long call", neuron_run, options, "NEURON", DT))
    look_in(extra_site)
    if importlib.util.find_spec("arbor"):
        import peers_arbor

        listed.append(Contestant("Arbor", peers_arbor.arbor_run, {"site": extra_site}, "NEURON", DT))
    if importlib.util.find_spec("jaxley"):
        import peers_jaxley

        for name, single in (("Jaxley f64", False), ("Jaxley f32", True)):
            options = {"site": extra_site, "single": single}
            listed.append(Contestant(name, peers_jaxley.jaxley_run, options, "NEURON", DT))
    return listed


def look_in(site: str | None) -> None:
    """Find further packages after our own."""
    if site and site not in sys.path:
        sys.path.append(site)


def junctions() -> list[tuple[int, int, int, int]]:
    """Cell and compartment of the neurite of one side and of the other."""
    rng = np.random.default_rng(1)
    cells = [rng.choice(CELLS, 2, replace=False) for _ in range(JUNCTIONS)]
    places = rng.integers(0, COMPARTMENTS, (JUNCTIONS, 2))
    return [(int(a), int(x), int(b), int(y)) for (a, b), (x, y) in zip(cells, places, strict=True)]


def _sources() -> list[Path]:
    from tianbao import mechanisms

    return [_HERE / "mod" / "hodgkin_huxley.mod", *(p for p in mechanisms.sources() if p.stem == "gap_junction")]


class Cells:
    """The model in NEURON."""

    def __init__(self, folder: Path) -> None:
        core_neuron.use(folder)
        os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
        from neuron import h

        h.nrn_load_dll(str(next(folder.glob("libnrnmech.*"))))
        self.parallel = h.ParallelContext()
        self.somas, self.neurites, self.points, self.partners, self._kept = [], [], [], [], []
        for number in range(CELLS):
            self._cell(h, number)
        for a, x, b, y in junctions():
            ends = [self.neurites[cell]((k + 0.5) / COMPARTMENTS) for cell, k in ((a, x), (b, y))]
            for here, there in (ends, ends[::-1]):
                self._half_junction(h, here, there)

    def _cell(self, h, number: int) -> None:
        soma, neurite = h.Section(name=f"soma_{number}"), h.Section(name=f"neurite_{number}")
        neurite.connect(soma(1))
        for section, (length, diameter) in ((soma, SOMA), (neurite, NEURITE)):
            section.L, section.diam, section.Ra, section.cm = length, diameter, RESISTIVITY, CAPACITANCE
        neurite.nseg = COMPARTMENTS
        soma.insert("hodgkin_huxley")
        neurite.insert("pas")
        neurite.g_pas, neurite.e_pas = LEAK, REST
        if number in DRIVEN:
            clamp = h.IClamp(soma(0.5))
            clamp.delay, clamp.dur, clamp.amp = 0.0, 1e9, DRIVE
            self._kept.append(clamp)
        # CoreNEURON takes only cells that are known by a number.
        self.parallel.set_gid2node(number, 0)
        self._kept.append(h.NetCon(soma(0.5)._ref_v, None, sec=soma))
        self.parallel.cell(number, self._kept[-1])
        self.somas.append(soma)
        self.neurites.append(neurite)

    def _half_junction(self, h, here, there) -> None:
        point = h.GapJunction(here)
        point.weight = CONDUCTANCE
        number = CELLS + len(self.points)
        self.parallel.source_var(there._ref_v, number, sec=there.sec)
        self.parallel.target_var(point, point._ref_vpre, number)
        self.points.append(point)
        self.partners.append(there)

    def rest(self) -> None:
        """Set the voltages of a run's first moment."""
        for section in (*self.somas, *self.neurites):
            section.v = REST


def neuron_run(folder: Path, core: bool = False) -> Callable[[float], tuple[float, np.ndarray]]:
    """The model in NEURON, or in CoreNEURON, whose answer is that at the end of its longer call."""
    cells = Cells(folder)
    from neuron import h

    places = [soma(0.5) for soma in cells.somas]
    if core:
        return lambda duration: core_neuron.marginal(
            cells.parallel, places, True, DT, cells.rest, min(duration, LONGEST)
        )

    def run(duration: float) -> tuple[float, np.ndarray]:
        samples, count = [], round(min(duration, LONGEST) / SAMPLE)
        cells.rest()
        h.dt, h.secondorder = DT, 0
        cells.parallel.set_maxstep(10.0)
        cells.parallel.setup_transfer()
        h.finitialize()

        def steps() -> None:
            for k in range(count):
                cells.parallel.psolve((k + 1) * SAMPLE)
                samples.append([place.v for place in places])

        return timed(steps) / (count * round(SAMPLE / DT)), np.array(samples)

    return run


def native_run(folder: Path, precision: str) -> Callable[[float], tuple[float, np.ndarray]]:
    """The same network taken out of NEURON, its mechanisms compiled by the native engine."""
    cells = Cells(folder)
    from tianbao.engine.kinds import kinds
    from tianbao.engine.mechanism import understand
    from tianbao.engine.native import NativeBrain
    from tianbao.engine.nmodl import parse
    from tianbao.engine.reader import Partner

    known = [understand(parse(path.read_text(encoding="utf-8"), path.name)) for path in _sources()]
    partners = [Partner(*each) for each in zip(cells.points, cells.partners, strict=True)]
    sections = [*cells.somas, *cells.neurites]
    brain = NativeBrain(sections, partners, precision=precision, given=tuple(kinds(known)))
    places = brain.nodes([soma(0.5) for soma in cells.somas])

    def run(duration: float) -> tuple[float, np.ndarray]:
        samples, count = [], round(min(duration, LONGEST) / SAMPLE)
        cells.rest()
        brain.start(DT)

        def steps() -> None:
            for _ in range(count):
                brain.advance(round(SAMPLE / DT))
                samples.append(brain.voltage[places].copy())

        return timed(steps) / (count * round(SAMPLE / DT)), np.array(samples, float)

    return run
