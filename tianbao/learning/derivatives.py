"""From derivatives by what the engine holds to derivatives by what a nervous system is assembled from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..engine.compiled_brain import CompiledNervousSystem
from ..errors import ConfigError
from ..network.design import NetworkDesign
from ..network.rules import synapse_mechanism
from ..units import US_PER_NS
from .assembled_values import PARTS, SETTINGS, Values, read_by, sign_of, table_rows
from .closed_loop import LoopBars
from .places import Places

_US_PER_UM2_AT_1_S_CM2 = 1e-2
_READ: dict[tuple, dict[Callable, frozenset[str]]] = {}
"""Parameters that each part of the assembly reads, of the nervous system asked for last, by its key."""


@dataclass
class Derivatives:
    """Derivatives of one loss by every number that the nervous system was assembled from.

    Attributes:
        bars: by what the engine holds.
        places: where it has what.
        design: of the worm.
        compiled: its nervous system.
        by_value: by each number of `assembled_values.PARTS` but those of membranes, which are found when asked for.
    """

    bars: LoopBars
    places: Places
    design: NetworkDesign
    compiled: CompiledNervousSystem
    by_value: dict = field(default_factory=dict)

    def read_by(self, part: Callable[[NetworkDesign], Values]) -> frozenset[str]:
        """Parameters that a part of the assembly reads, found out once for a nervous system."""
        if self.design.key not in _READ:
            _READ.clear()
        known = _READ.setdefault(self.design.key, {})
        if part not in known:
            known[part] = read_by(part, self.design)
        return known[part]

    def along(self, moved: Values) -> float:
        """Derivative along a direction in which numbers of the assembly move, by name."""
        total = 0.0
        for name, each in moved.items():
            if np.any(each):
                bar = self._of_membrane(*name[1:]) if name[0] == "membrane" else self.by_value[name]
                total += float(np.sum(bar * each))
        return total

    def _of_membrane(self, cell: str, section: str, mechanism: str, key: str) -> float:
        """By a density or kinetic value that all segments of a section share."""
        where = (cell, section)
        if mechanism != "pas":
            places = self.places.densities[where].get(mechanism, ())
            return sum(self.bars.instances[group][key][place] for group, place in places)
        nodes, areas = self.places.segments[where]
        area = areas * _US_PER_UM2_AT_1_S_CM2
        network = self.compiled.network
        if key == "e":
            return float((network.leak_conductance[nodes] * self.bars.leak_current[nodes]).sum())
        reversal = network.leak_current[nodes] / np.where(network.leak_conductance[nodes] > 0.0,
                                                          network.leak_conductance[nodes], np.inf)  # fmt: skip
        return float((area * (self.bars.leak_conductance[nodes] + reversal * self.bars.leak_current[nodes])).sum())

    def pair(self, pre: str, post: str, gap: bool) -> float | None:
        """By the conductance of a pair of cells [1/nS]; None if they are not connected so."""
        table = self.synapses()
        kind = table["kind"] == "gap"
        here = (table["pre"] == pre) & (table["post"] == post) & (kind if gap else ~kind)
        if gap:
            here |= (table["pre"] == post) & (table["post"] == pre) & kind
        return float(table.loc[here, "derivative"].sum()) if here.any() else None

    def synapses(self) -> pd.DataFrame:
        """By the conductance of every connection.

        Returns:
            One row per connection: pre, post, kind ("excitatory", "inhibitory" or "gap"), rule, conductance [nS],
            derivative [1/nS], and sensitivity, the derivative by the logarithm of the conductance.
        """
        its = self.places.junctions
        weight_bar = its.gather(self.bars.instances, "weight")
        values = [group.values for group in self.compiled.network.groups]
        weight = its.gather(values, "weight")
        frame = pd.DataFrame({"rule": its.rule, "row": its.row, "weight": weight, "bar": weight_bar})
        both = frame.groupby(["rule", "row"], sort=False).agg({"weight": "first", "bar": "sum"}).reset_index()
        rules = [its.rules[k] for k in both.rule]
        gaps = ["gap" in each.label for each in rules]
        return pd.DataFrame({
            "pre": [each.pre[k] for each, k in zip(rules, both.row, strict=True)],
            "post": [each.post[k] for each, k in zip(rules, both.row, strict=True)],
            "kind": ["gap" if gap else sign_of(each) for each, gap in zip(rules, gaps, strict=True)],
            "rule": [each.label for each in rules],
            "conductance": both.weight / US_PER_NS,
            "derivative": both.bar * US_PER_NS,
            "sensitivity": both.bar * both.weight,
        })  # fmt: skip

    def initial_voltage(self) -> pd.Series:
        """By the voltage at which every cell starts [1/mV], neurons before muscles."""
        cell, network = self.compiled.cell, self.compiled.network
        nodes = network.nodes(np.arange(len(cell)))
        there = nodes >= 0
        summed = np.bincount(cell[there], self.bars.start_voltage[nodes[there]])
        return pd.Series(summed, index=[*self.design.neurons, *self.design.muscles.index])


def derivatives_of(
    bars: LoopBars, places: Places, design: NetworkDesign, compiled: CompiledNervousSystem
) -> Derivatives:
    """Gather what belongs to each part of the assembly.

    Raises:
        ConfigError: if the engine's network has other weights than the design says, as after a change in NEURON.
    """
    found = Derivatives(bars, places, design, compiled)
    by_value = found.by_value
    by_value |= _of_synapses(found)
    muscles = bars.instances[compiled.muscle_group]
    by_value |= {("muscle", name): muscles[name][compiled.muscle].sum() for name in ("v_half", "slope", "tau")}
    for name in ("gain", "saturation"):
        each = [sum(bars.instances[group][name][place] for group, place in points) for points in places.receptors]
        by_value["receptor", name] = np.array(each)
    by_value |= {
        "stretch_weights": bars.stretch_weights,
        "stretch_fading": bars.stretch_fading,
        "renewed": bars.renewed,
        "bias": bars.current.sum(axis=0),
        "noise": bars.noise,
        "peak_curvature": bars.peak_curvature,
    }
    return found


def _of_synapses(known: Derivatives) -> dict:
    """By the rows of the tables of weights, and by what the synapses of a rule share."""
    its, design, instances = known.places.junctions, known.design, known.bars.instances
    values = [group.values for group in known.compiled.network.groups]
    parts: Values = {}
    for part in PARTS[:4]:
        parts |= part(design)
    found = {name: np.zeros_like(each) for name, each in parts.items()}
    weight_bar, weight = its.gather(instances, "weight"), its.gather(values, "weight")
    rows = table_rows(its.rules, design)
    for k, (name, table_row) in enumerate(rows):
        here = np.flatnonzero(its.rule == k)
        if name:
            row = table_row[its.row[here]]
            if not np.array_equal(parts[name][row], weight[here]):
                raise ConfigError("gradient: the network was changed in NEURON: change the worm or its parameters")
            np.add.at(found[name], row, weight_bar[here])
    settings = {(sign, name): 0.0 for sign in ("excitatory", "inhibitory") for name in SETTINGS}
    bars = {name: its.gather(instances, name) for name in SETTINGS}
    for k, rule in enumerate(its.rules):
        if "gap" in rule.label:
            continue
        sign = sign_of(rule)
        usual = synapse_mechanism(design.parameters, sign, design.parameters.release_half)
        for name in SETTINGS:
            # A rule with a threshold or a time constant of its own does not follow the parameter.
            own = name == "v_half" and "_release_" in rule.label or name == "tau" and rule.label.startswith("volume")
            settings[sign, name] += 0.0 if own or name not in usual else bars[name][its.rule == k].sum()
    return {**found, **settings}
