"""Connection rules: one per kind of synapse, with a weight and a site for every pair."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from ..anatomy import CellSource
from ..parameters import Parameters
from ..units import US_PER_NS
from .design import NetworkDesign, cell_geometry
from .placement import Placer, Sites
from .wiring import chemical_weights, gap_weights, nmj_weights, of_tyramine, turning_weights, tyramine, volume_weights

MUSCLE_SECTION = "muscle"


@dataclass(frozen=True)
class Rule:
    """All connections of one kind.

    Attributes:
        label: name of the NetPyNE rule and of its synaptic mechanism.
        mechanism: NetPyNE synMechParams entry.
        pre, post: names of the partners, length n.
        sites: where each connection sits.
        weights: [uS], shape (n,).
    """

    label: str
    mechanism: dict
    pre: list[str]
    post: list[str]
    sites: Sites
    weights: np.ndarray


def connection_rules(design: NetworkDesign) -> list[Rule]:
    """Every rule of a design, in the order in which NetPyNE builds them."""
    placer = _placer(design.neurons, design.discretisation, design.soma_compartments, design.cell_source)
    return [
        *_chemical(design, placer),
        *_diffusing(design),
        *_turning(design),
        _gap(design, placer),
        *_neuromuscular(design, placer),
        _muscle_gap(design),
        *([_neuromuscular_gap(design, placer)] if design.muscle == "active" else []),
    ]


@cache
def _placer(neurons: tuple[str, ...], discretisation: str, soma_compartments: int, source: CellSource) -> Placer:
    return Placer({name: cell_geometry(name, discretisation, soma_compartments, source) for name in neurons})


def _chemical(design: NetworkDesign, placer: Placer) -> list[Rule]:
    table = design.tables.chemical
    weights = chemical_weights(table, design.capacitance, design.parameters, design.decision)
    sites = placer.between(table.pre, table.post)
    along = of_tyramine(table) if design.decision.on else np.zeros(len(table), dtype=bool)
    usual, spread = np.flatnonzero(~along), np.flatnonzero(along)
    rules = _by_mechanism(
        design, "synapse", table.iloc[usual], table.post.iloc[usual], _take(sites, usual), weights[usual]
    )  # fmt: skip
    return [*rules, *_tyraminergic(design, table.iloc[spread], _take(sites, spread), weights[spread])]


def _tyraminergic(design: NetworkDesign, table: pd.DataFrame, sites: Sites, weights: np.ndarray) -> list[Rule]:
    """LGC-55 that RIM opens all along the cells which it contacts: one synapse per compartment, shared out by area.

    In the ring alone it would not reach the axon of AVB, whose drive lies along the cord (docs/decision.md).
    """
    if table.empty:
        return []
    pre, post, from_section, from_loc, places, shared = [], [], [], [], [], []
    for k, (source, target) in enumerate(zip(table.pre, table.post, strict=True)):
        cell = design.cells[target]
        count = len(cell.sites)
        pre += [source] * count
        post += [target] * count
        from_section += [sites.pre_section[k]] * count
        from_loc += [sites.pre_loc[k]] * count
        places += cell.sites
        shared += list(weights[k] * cell.compartment_areas / cell.area)
    to_section, to_loc = zip(*places, strict=True)
    along = Sites(from_section, np.array(from_loc), list(to_section), np.array(to_loc), np.zeros(len(post)))
    mechanism = synapse_mechanism(design.parameters, "inhibitory", design.decision["tyramine_release_half"])
    mechanism["tau"] = design.decision["tyramine_tau"]
    return [Rule("tyramine", mechanism, pre, post, along, np.array(shared))]


def _neuromuscular(design: NetworkDesign, placer: Placer) -> list[Rule]:
    table = design.tables.nmj
    leak = design.muscle_membrane.leak
    weights = nmj_weights(table, design.tables.intact_nmj, design.muscles, leak, design.parameters)
    sites = placer.onto_muscles(table.pre, table.muscle, design.muscles)
    return _by_mechanism(design, "nmj", table, table.muscle, sites, weights)


def _diffusing(design: NetworkDesign) -> list[Rule]:
    """Tyramine that reaches LGC-55 far from its release: slow, from soma to soma."""
    table, p = design.tables.volume, design.parameters
    if table.empty:
        return []
    n, middle = len(table), np.full(len(table), 0.5)
    sites = Sites(["soma"] * n, middle, ["soma"] * n, middle, np.zeros(n))
    mechanism = {**synapse_mechanism(p, "inhibitory", p.release_half), "tau": tyramine()["tau"]}
    weights = volume_weights(table, design.capacitance, p)
    return [Rule("volume_inhibitory", mechanism, list(table.pre), list(table.post), sites, weights)]


def _turning(design: NetworkDesign) -> list[Rule]:
    """Tyramine on the neurons of the ventral turn: LGC-55 ends with a reversal, what TYRA-3 opens outlasts it."""
    table, p, decision = design.tables.turning, design.parameters, design.decision
    if table.empty:
        return []
    weights = turning_weights(table, design.capacitance, p, decision)
    rules = []
    steep = {"slope": decision["turn_release_slope"]}
    for receptor, sign, tau, half, kinetics in (
        ("lgc-55", "inhibitory", "tyramine_tau", "tyramine_release_half", {}),
        ("tyra-3", "excitatory", "turn_tau", "turn_release_half", steep),
    ):
        rows = np.flatnonzero((table.receptor == receptor).to_numpy())
        pre, post = (list(table[end].iloc[rows]) for end in ("pre", "post"))
        n, middle = len(rows), np.full(len(rows), 0.5)
        sites = Sites(["soma"] * n, middle, ["soma"] * n, middle, np.zeros(n))
        mechanism = {**synapse_mechanism(p, sign, decision[half]), "tau": decision[tau], **kinetics}
        rules.append(Rule(f"turning_{sign}", mechanism, pre, post, sites, weights[rows]))
    return rules


def _gap(design: NetworkDesign, placer: Placer) -> Rule:
    table = design.tables.gap
    weights = gap_weights(table, design.tables.gap_totals, design.capacitance, design.parameters)
    return Rule("gap", gap_mechanism(), list(table.a), list(table.b), placer.between(table.a, table.b), weights)


def _muscle_gap(design: NetworkDesign) -> Rule:
    table = design.tables.gap_muscle
    weights = design.muscle_membrane.gap_conductance * table.em_sections.to_numpy() * US_PER_NS
    n, middle = len(table), np.full(len(table), 0.5)
    sites = Sites([MUSCLE_SECTION] * n, middle, [MUSCLE_SECTION] * n, middle, np.zeros(n))
    return Rule("muscle_gap", gap_mechanism(), list(table.a), list(table.b), sites, weights)


def _neuromuscular_gap(design: NetworkDesign, placer: Placer) -> Rule:
    """Junctions between neurons and muscles, as strong per EM section as those between muscles."""
    table = design.tables.gap_neuromuscular
    weights = design.muscle_membrane.gap_conductance * table.em_sections.to_numpy() * US_PER_NS
    sites = placer.onto_muscles(table.neuron, table.muscle, design.muscles)
    return Rule("neuromuscular_gap", gap_mechanism(), list(table.neuron), list(table.muscle), sites, weights)


def _by_mechanism(
    design: NetworkDesign, kind: str, table: pd.DataFrame, post: pd.Series, sites: Sites, weights: np.ndarray
) -> list[Rule]:
    """Split a table by sign, by the release threshold of the presynaptic class, and by classes that tire."""
    # Grouped by what a class declares, never by the value of a parameter: the order must survive re-tuning.
    declared = [(design.release_half(name), design.fatigue.tiring(name)) for name in table.pre]
    rules = []
    for sign in ("excitatory", "inhibitory"):
        for own_half, tiring in sorted(set(declared), key=_by_threshold):
            chosen = np.array([each == (own_half, tiring) for each in declared])
            rows = np.flatnonzero((table.sign == sign).to_numpy() & chosen)
            if len(rows) == 0:
                continue
            own = "" if own_half is None else f"_release_{own_half:g}"
            threshold = design.parameters.release_half if own_half is None else own_half
            mechanism = synapse_mechanism(design.parameters, sign, threshold)
            if tiring is not None:
                own += f"_tiring_{tiring}"
                mechanism |= {"mod": "TiringSynapse", **design.fatigue.pools_of(tiring).mechanism_parameters()}
            rules.append(
                Rule(
                    f"{kind}_{sign}{own}",
                    mechanism,
                    list(table.pre.iloc[rows]),
                    list(post.iloc[rows]),
                    _take(sites, rows),
                    weights[rows],
                )
            )
    return rules


def _by_threshold(each: tuple[float | None, str | None]) -> tuple:
    """Order of the rules of one sign: the general threshold first, what does not tire before what does."""
    half, tiring = each
    return half is not None, half or 0.0, tiring is not None, tiring or ""


def _take(sites: Sites, rows: np.ndarray) -> Sites:
    return Sites(
        [sites.pre_section[k] for k in rows],
        sites.pre_loc[rows],
        [sites.post_section[k] for k in rows],
        sites.post_loc[rows],
        sites.distance[rows],
    )


def synapse_mechanism(p: Parameters, sign: str, release_half: float) -> dict:
    """A graded synapse as NetPyNE expects it."""
    return {
        "mod": "GradedSynapse",
        "e": p.reversal_inhibitory if sign == "inhibitory" else p.reversal_excitatory,
        "v_half": release_half,
        "slope": p.release_slope,
        "tau": p.synapse_tau,
        "pointerParams": {"target_var": "vpre", "source_var": "v", "bidirectional": False},
    }


def gap_mechanism() -> dict:
    """A reciprocal gap junction as NetPyNE expects it; `weight` is set per connection."""
    return {
        "mod": "GapJunction",
        "weight": 0.0,
        "pointerParams": {"target_var": "vpre", "source_var": "v", "bidirectional": True},
    }
