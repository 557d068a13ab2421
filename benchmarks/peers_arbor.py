"""The model of peers.py in Arbor, which is no dependency: pip install arbor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import peers
from race import timed


def arbor_run(site: str | None) -> Callable[[float], tuple[float, np.ndarray]]:
    """Build the model; the function it gives runs it for a duration [ms]."""
    peers.look_in(site)
    import arbor

    simulation = arbor.simulation(_recipe(arbor)(), arbor.context(threads=1))
    every = arbor.regular_schedule(peers.SAMPLE * arbor.units.ms)
    handles = [simulation.sample((number, "soma"), every) for number in range(peers.CELLS)]

    def run(duration: float) -> tuple[float, np.ndarray]:
        until = min(duration, peers.LONGEST)
        simulation.reset()
        # A sample at the end itself comes only with a further step.
        spent = timed(lambda: simulation.run((until + peers.DT) * arbor.units.ms, peers.DT * arbor.units.ms))
        traces = [simulation.samples(handle)[0][0] for handle in handles]
        count = round(until / peers.SAMPLE)
        return spent / round(until / peers.DT), np.array([trace[1 : count + 1, 1] for trace in traces]).T

    return run


def _recipe(arbor):
    """The class of the model; made here because its base is known only once Arbor is imported."""
    sides = [[] for _ in range(peers.CELLS)]
    for k, (a, x, b, y) in enumerate(peers.junctions()):
        sides[a].append((f"{k}a", x, (b, f"{k}b")))
        sides[b].append((f"{k}b", y, (a, f"{k}a")))

    class Cells(arbor.recipe):
        def __init__(self) -> None:
            arbor.recipe.__init__(self)
            self.properties = arbor.neuron_cable_properties()
            self.properties.catalogue = arbor.default_catalogue()

        def num_cells(self):
            return peers.CELLS

        def cell_kind(self, gid):
            return arbor.cell_kind.cable

        def global_properties(self, kind):
            return self.properties

        def probes(self, gid):
            return [arbor.cable_probe_membrane_voltage('(on-components 0.5 (region "soma"))', "soma")]

        def cell_description(self, gid):
            return _cell(arbor, gid, sides[gid])

        def gap_junctions_on(self, gid):
            # Arbor counts the weight of a gap junction in uS.
            return [arbor.gap_junction_connection(there, here, peers.CONDUCTANCE) for here, _, there in sides[gid]]

    return Cells


def _cell(arbor, gid: int, sides: list):
    units = arbor.units
    (soma_length, soma_width), (length, width) = peers.SOMA, peers.NEURITE
    tree = arbor.segment_tree()
    first = tree.append(
        arbor.mnpos,
        arbor.mpoint(0, 0, 0, soma_width / 2),
        arbor.mpoint(soma_length, 0, 0, soma_width / 2),
        tag=1,
    )
    tree.append(
        first,
        arbor.mpoint(soma_length, 0, 0, width / 2),
        arbor.mpoint(soma_length + length, 0, 0, width / 2),
        tag=3,
    )
    decor = arbor.decor()
    decor.set_property(
        Vm=peers.REST * units.mV, cm=0.01 * peers.CAPACITANCE * units.F / units.m2,
        rL=peers.RESISTIVITY * units.Ohm * units.cm, tempK=(273.15 + 6.3) * units.Kelvin,
    )  # fmt: skip
    decor.paint('"soma"', arbor.density("hh"))
    decor.paint('"neurite"', arbor.density(f"pas/e={peers.REST}", {"g": peers.LEAK}))
    if gid in peers.DRIVEN:
        clamp = arbor.i_clamp(0 * units.ms, 1e9 * units.ms, peers.DRIVE * units.nA)
        decor.place('(on-components 0.5 (region "soma"))', clamp)
    for label, compartment, _ in sides:
        where = (compartment + 0.5) / peers.COMPARTMENTS
        decor.place(f'(on-components {where} (region "neurite"))', arbor.junction("gj", {"g": 1.0}), label)
    compartments = arbor.cv_policy(
        f'(join (fixed-per-branch 1 (region "soma")) (fixed-per-branch {peers.COMPARTMENTS} (region "neurite")))'
    )
    labels = arbor.label_dict({"soma": "(tag 1)", "neurite": "(tag 3)"})
    return arbor.cable_cell(tree, decor, labels, compartments)
