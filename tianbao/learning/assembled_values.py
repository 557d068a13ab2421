"""The numbers that a nervous system is assembled from, part by part, as functions of its parameters.

What a gradient needs of the assembly is how each number moves with a class-level parameter. Most move in proportion;
windows of stretch and clipped counts do not. All are differenced alike, in the assembly alone and never in a
simulation: exact to rounding where a number is proportional to a parameter, to about 1e-8 elsewhere. Which parts a
parameter reaches is not declared but seen: each part is computed once with parameters that note who reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..cells.membrane import insert_membrane
from ..cells.templates import Membrane
from ..network.assembly import neuron_sections
from ..network.design import NetworkDesign
from ..network.drives import drives
from ..network.rules import Rule, synapse_mechanism
from ..network.wiring import chemical_weights, gap_weights, input_scale, nmj_weights, volume_weights
from ..parameters import Parameters, table
from ..units import NA_PER_PA

Values = dict[object, np.ndarray]
_STEP = 1e-4  # of a difference in the assembly, as a share of the parameter
SETTINGS = ("e", "v_half", "slope", "tau")
"""What the synapses of a rule share."""


def _chemical(design: NetworkDesign) -> Values:
    tables, p = design.tables, design.parameters
    return {"chemical": chemical_weights(tables.chemical, design.capacitance, p, design.decision)}


def _gap(design: NetworkDesign) -> Values:
    tables, p = design.tables, design.parameters
    return {"gap": gap_weights(tables.gap, tables.gap_totals, design.capacitance, p)}


def _nmj(design: NetworkDesign) -> Values:
    tables, leak = design.tables, design.muscle_membrane.leak
    return {"nmj": nmj_weights(tables.nmj, tables.intact_nmj, design.muscles, leak, design.parameters)}


def _volume(design: NetworkDesign) -> Values:
    return {"volume": volume_weights(design.tables.volume, design.capacitance, design.parameters)}


def _release(design: NetworkDesign) -> Values:
    found = {}
    for sign in ("excitatory", "inhibitory"):
        mechanism = synapse_mechanism(design.parameters, sign, design.parameters.release_half)
        found |= {(sign, name): np.array([mechanism[name]]) for name in SETTINGS}
    return found


def _muscle(design: NetworkDesign) -> Values:
    (activation,) = (
        each for name, each in design.muscle_section()["mechs"].items() if name.startswith("muscle_activation")
    )
    return {("muscle", name): np.array([activation[name]]) for name in ("v_half", "slope", "tau")}


def _stretch(design: NetworkDesign) -> Values:
    p, field = design.parameters, design.stretch
    scale = np.array([input_scale(design.capacitance[each.neuron], p) for each in field.receptors]) * NA_PER_PA
    return {
        ("receptor", "gain"): np.array([each.gain for each in field.receptors]) * scale,
        ("receptor", "saturation"): p.stretch_saturation * scale,
        "stretch_weights": field.weights,
        "stretch_fading": field.fading,
        "stretch_tau": np.array([field.tau]),
    }


def _currents(design: NetworkDesign) -> Values:
    return {"bias": design.bias() * NA_PER_PA, "noise": design.noise_amplitude() * NA_PER_PA}


def _tension(design: NetworkDesign) -> Values:
    return {"peak_curvature": np.array([design.parameters.peak_curvature])}


def _membranes(design: NetworkDesign) -> Values:
    return _sections(design, [name for name in design.neurons if not _is_driven(design, name)])


def _driven(design: NetworkDesign) -> Values:
    return _sections(design, [name for name in design.neurons if _is_driven(design, name)])


def _is_driven(design: NetworkDesign, neuron: str) -> bool:
    """Whether a class-level parameter sets a conductance of its membrane."""
    return design.membranes[neuron].template in drives().conductances


def _sections(design: NetworkDesign, neurons: list[str]) -> Values:
    return {
        ("membrane", name, *where): np.array([value])
        for name in neurons
        for where, value in _of_sections(neuron_sections(design, name)).items()
    }


PARTS: tuple[Callable[[NetworkDesign], Values], ...] = (
    _chemical, _gap, _nmj, _volume, _release, _muscle, _stretch, _currents, _tension, _membranes,
    _driven,
)  # fmt: skip
"""Functions of a design that together give every number on which a run depends and that parameters reach."""


def _of_sections(sections: dict[str, dict]) -> dict[tuple[str, str, str], float]:
    """(section, mechanism, parameter) -> value."""
    return {
        (section, mechanism, key): value
        for section, each in sections.items()
        for mechanism, values in each["mechs"].items()
        for key, value in values.items()
    }


def read_by(part: Callable[[NetworkDesign], Values], design: NetworkDesign) -> frozenset[str]:
    """Names of the parameters that a part of the assembly reads."""
    names, read = set(table()), set()

    class Noted(Parameters):
        """Parameters that note what is read."""

        def __getattribute__(self, name: str) -> object:
            if name in names:
                read.add(name)
            return super().__getattribute__(name)

        def __getitem__(self, name: str) -> float:
            return getattr(self, name)

    part(replace(design, parameters=Noted(dict(design.parameters)), key=None))
    return frozenset(read)


def slopes(part: Callable[[NetworkDesign], Values], design: NetworkDesign, name: str) -> Values:
    """Derivative of every number of a part with respect to a parameter, per its unit."""
    row, value = table()[name], design.parameters[name]
    step = _STEP * max(abs(value), 1e-3 * (row.high - row.low))

    def at(offset: float) -> Values:
        """The part with the parameter moved."""
        return part(replace(design, parameters=design.parameters.replace(**{name: value + offset}), key=None))

    # At a bound of its range a parameter can only move inwards.
    if value - step < row.low or value + step > row.high:
        inward = step if value + step <= row.high else -step
        here, near, far = at(0.0), at(inward), at(2.0 * inward)
        return {each: (4.0 * near[each] - 3.0 * here[each] - far[each]) / (2.0 * inward) for each in here}
    above, below = at(step), at(-step)
    return {each: (above[each] - below[each]) / (2.0 * step) for each in above}


def conductance_slopes(design: NetworkDesign, neuron: str, conductance: str) -> Values:
    """As `_membranes`, of one neuron, per nS of one of its total conductances.

    Args:
        design: of the worm.
        neuron: name.
        conductance: of `Membrane.conductances`, or "leak".
    """
    base, cell = design.membrane_of(neuron), design.cell(neuron)
    total = base.leak if conductance == "leak" else base.conductances[conductance]

    def at(value: float) -> dict[tuple[str, str, str], float]:
        """Densities with this total conductance."""
        moved: Membrane = (
            replace(base, leak=value)
            if conductance == "leak"
            else replace(base, conductances={**base.conductances, conductance: value})
        )
        sections = cell.netpyne_sections()
        insert_membrane(sections, cell, moved, design.parameters.capacitance_exponent, design.channel_set)
        return _of_sections(sections)

    step = 0.5 * max(abs(total), 1e-3)  # any: densities are proportional to totals
    above, below = at(total + step), at(total - step)
    return {("membrane", neuron, *where): np.array([(above[where] - below[where]) / (2.0 * step)]) for where in above}


def table_rows(rules: tuple[Rule, ...], design: NetworkDesign) -> list[tuple[str, np.ndarray]]:
    """Of each rule, the part that gives its weights ("" for none that parameters reach) and its rows there."""
    tables = design.tables
    ends = {
        "synapse": ("chemical", tables.chemical.pre, tables.chemical.post, tables.chemical.sign),
        "nmj": ("nmj", tables.nmj.pre, tables.nmj.muscle, tables.nmj.sign),
        "gap": ("gap", tables.gap.a, tables.gap.b, [""] * len(tables.gap)),
        "volume": ("volume", tables.volume.pre, tables.volume.post, ["inhibitory"] * len(tables.volume)),
    }
    left = {kind: _queues(*columns) for kind, (_, *columns) in ends.items()}
    found = []
    for rule in rules:
        kind = rule.label.split("_")[0]
        if kind not in ends:
            found.append(("", np.zeros(len(rule.weights), int)))
            continue
        sign = sign_of(rule) if kind != "gap" else ""
        rows = [left[kind][pre, post, sign].pop(0) for pre, post in zip(rule.pre, rule.post, strict=True)]
        found.append((ends[kind][0], np.array(rows, int)))
    return found


def sign_of(rule: Rule) -> str:
    """ "excitatory" or "inhibitory", by a rule's own label."""
    return "inhibitory" if "_inhibitory" in rule.label else "excitatory"


def _queues(pre, post, sign) -> dict[tuple[str, str, str], list[int]]:
    """Rows of a table by their ends and sign, in order."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for k, key in enumerate(zip(pre, post, sign, strict=True)):
        found.setdefault(key, []).append(k)
    return found


def renewed_slope(tau: float, tick: float) -> float:
    """Derivative of the share by which a receptor adapts in a tick, 1 - exp(-tick / tau), by tau [1/ms]."""
    return -tick / tau**2 * math.exp(-tick / tau)
