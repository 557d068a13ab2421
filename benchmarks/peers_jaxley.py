"""The model of peers.py in Jaxley, which is no dependency: pip install jaxley."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import peers
from race import timed


def jaxley_run(site: str | None, single: bool = False) -> Callable[[float], tuple[float, np.ndarray]]:
    """Build the model; the function it gives runs it for a duration [ms], after compiling outside the clock."""
    peers.look_in(site)
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import jaxley

    jax.config.update("jax_enable_x64", not single)
    network = _network(jaxley)
    known: dict[int, Callable] = {}

    def run(duration: float) -> tuple[float, np.ndarray]:
        steps = round(min(duration, peers.LONGEST) / peers.DT)
        current = np.full(steps + 1, peers.DRIVE)
        if steps not in known:
            known[steps] = jax.jit(lambda given: _integrated(jaxley, network, given))
            known[steps](current).block_until_ready()
        found = []
        spent = timed(lambda: found.append(np.asarray(known[steps](current))))
        every = round(peers.SAMPLE / peers.DT)
        return spent / steps, found[0][:, every : steps + 1 : every].T

    return run


def _integrated(jaxley, network, current):
    """Soma voltages at every step, shape (cells, steps)."""
    stimuli = None
    for number in peers.DRIVEN:
        stimuli = network.cell(number).branch(0).comp(0).data_stimulate(current, stimuli)
    return jaxley.integrate(network, data_stimuli=stimuli, delta_t=peers.DT)


def _network(jaxley):
    from jaxley.channels import HH, Leak
    from jaxley.connect import connect

    (soma_length, soma_width), (length, width) = peers.SOMA, peers.NEURITE
    cell = jaxley.Cell([jaxley.Branch(ncomp=1), jaxley.Branch(ncomp=peers.COMPARTMENTS)], parents=[-1, 0])
    for branch, long, wide in (
        (cell.branch(0), soma_length, soma_width),
        (cell.branch(1), length / peers.COMPARTMENTS, width),
    ):
        branch.set("length", long)
        branch.set("radius", wide / 2)
    cell.set("axial_resistivity", peers.RESISTIVITY)
    cell.set("capacitance", peers.CAPACITANCE)
    cell.set("v", peers.REST)
    cell.branch(0).insert(HH())
    cell.branch(1).insert(Leak())
    cell.branch(1).set("Leak_gLeak", peers.LEAK)
    cell.branch(1).set("Leak_eLeak", peers.REST)
    network = jaxley.Network([cell] * peers.CELLS)
    network.init_states(delta_t=peers.DT)
    rows = dict(zip(network.nodes["global_comp_index"], network.nodes.index, strict=True))
    place = lambda cell, k: rows[cell * (peers.COMPARTMENTS + 1) + 1 + k]  # noqa: E731
    ends = [(place(a, x), place(b, y)) for a, x, b, y in peers.junctions()]
    ends += [(there, here) for here, there in ends]
    for here, there in _rising(ends):
        connect(network.select(nodes=there), network.select(nodes=here), _junction()())
    network.cell("all").branch(0).comp(0).record("v", verbose=False)
    return network


def _rising(ends: list[tuple[int, int]]) -> Iterator[tuple[list[int], list[int]]]:
    """Pairs in groups in which both members rise: a call connects many, but sorts each side and drops repeats."""
    groups: list[list[tuple[int, int]]] = []
    for here, there in sorted(ends):
        fitting = (each for each in groups if each[-1][0] < here and each[-1][1] < there)
        group = next(fitting, None)
        if group is None:
            groups.append([])
            group = groups[-1]
        group.append((here, there))
    for group in groups:
        yield [here for here, _ in group], [there for _, there in group]


def _junction():
    """The class of a gap junction, which Jaxley lacks."""
    from jaxley.synapses import Synapse

    class Junction(Synapse):
        def __init__(self, name: str | None = None) -> None:
            super().__init__(name)
            self.synapse_params = {f"{self._name}_g": peers.CONDUCTANCE}
            self.synapse_states = {}

        def update_states(self, states, delta_t, pre_voltage, post_voltage, params):
            return {}

        def compute_current(self, states, pre_voltage, post_voltage, params):
            return params[f"{self._name}_g"] * (post_voltage - pre_voltage)

    return Junction
