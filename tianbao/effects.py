"""What interventions change in a worm: pure functions from its state before to that after.

An intervention that is refused raises before anything has changed, and the same record of interventions always gives
the same worm.
"""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import anatomy
from .apparatus import Hold, Place, Poke, Pulse, check_current, ends_of
from .cells.channels import CHANNELS, EXTRA_CHANNELS
from .cells.templates import Membrane, channel_of, conductance_of
from .errors import ConfigError, shorten
from .network import perturbations, tools
from .network.amines import Amines, amine_genes
from .network.modulation import Modulator
from .network.wiring import Tables
from .ranges import ranges
from .rows import number
from .sensing.touch import touch_constants, touch_genes

log = logging.getLogger(__name__)

_MOST_FACTOR = 1e3  # [-] on a conductance


@dataclass(frozen=True)
class Effects:
    """A worm's nervous system and what surrounds it, after its interventions.

    Attributes:
        tables: its connectome.
        membranes: neuron -> membrane.
        silenced: neurons whose stretch receptors are silenced.
        conductances: what the experimenter opens in single cells.
        pulses: currents into somas: neuron and pulse.
        holds: walls around parts of the body.
        pokes: touches and taps.
        touchable: neuron -> factor on its touch conductance, where its genes were changed.
        modulators: what multiplies conductances slowly.
        amines: whether they act beyond synapses, how strongly, and what is left of their genes.
    """

    tables: Tables
    membranes: dict[str, Membrane]
    silenced: frozenset[str] = frozenset()
    conductances: tuple[tools.SwitchedConductance, ...] = ()
    pulses: tuple[tuple[str, Pulse], ...] = ()
    holds: tuple[Hold, ...] = ()
    pokes: tuple[Poke, ...] = ()
    touchable: Mapping[str, float] = field(default_factory=dict)
    modulators: tuple[Modulator, ...] = ()
    amines: Amines = Amines()


def after(intact: Effects, interventions: Iterable[Mapping[str, Any]]) -> Effects:
    """What a worm becomes by a record of interventions, in order.

    Args:
        intact: before the first.
        interventions: tables of `verb` and its arguments, as `tianbao.Worm` keeps them.
    """
    for each in interventions:
        arguments = dict(each)
        intact = EFFECTS[arguments.pop("verb")](intact, **arguments)
    return intact


def _ablate(worm: Effects, neurons: Iterable[str]) -> Effects:
    gone = anatomy.match_neurons(*neurons)
    tables = perturbations.ablate(worm.tables, gone)
    return replace(worm, tables=tables, silenced=worm.silenced.union(gone), amines=worm.amines.without(set(gone)))


def _silence(
    worm: Effects, neurons: Iterable[str], start: float, stop: float, conductance: float | None = None
) -> Effects:
    return _illuminate(worm, neurons, "chloride", start, stop, conductance)


def _illuminate(
    worm: Effects,
    neurons: Iterable[str],
    channel: str,
    start: float,
    stop: float,
    conductance: float | None = None,
) -> Effects:
    opened = (tools.channel(channel, name, conductance, start, stop) for name in anatomy.match_neurons(*neurons))
    return replace(worm, conductances=(*worm.conductances, *opened))


def _express(worm: Effects, channel: str, neurons: Iterable[str], conductance: float | None = None) -> Effects:
    carried = (tools.channel(channel, name, conductance, driven=True) for name in anatomy.match_neurons(*neurons))
    return replace(worm, conductances=(*worm.conductances, *carried))


def _modulate(worm: Effects, gene: str, factor: float, cells: str, start: float, stop: float, tau: float) -> Effects:
    _known_gene(gene)
    if gene in touch_genes():
        raise ConfigError(f"modulate {gene}: channels of touch cannot be modulated; use knock_down or over_express")
    if gene in perturbations.aminergic():
        raise ConfigError(f"modulate {gene}: amines and peptides follow their neurons; use knock_down or over_express")
    chosen, releases = anatomy.match_neurons(cells), tools.release_genes()
    synaptic = gene in releases
    if synaptic:
        made = anatomy.neurons().transmitter
        found = [name for name in chosen if releases[gene] in ("*", made[name])]
    else:
        found = [name for name in chosen if worm.membranes[name].carries(gene)]
    if not found:
        raise ConfigError(f"modulate {gene}: no neuron of '{cells}' carries it, so there is nothing to change")
    name = gene if synaptic else channel_of(gene)
    modulator = Modulator(name, tuple(found), factor, start, stop, tau, synaptic)
    for each in (*worm.modulators, *worm.amines.reached):
        modulator.check_beside(each)
    return replace(worm, modulators=(*worm.modulators, modulator))


def _clamp(worm: Effects, neurons: Iterable[str], voltage: float, start: float, stop: float) -> Effects:
    clamped = (tools.clamp(name, voltage, start, stop) for name in anatomy.match_neurons(*neurons))
    return replace(worm, conductances=(*worm.conductances, *clamped))


def _stimulate(worm: Effects, neuron: str, amplitude: float, start: float, stop: float, force: bool = False) -> Effects:
    pulse, chosen = Pulse(amplitude, start, stop, force), anatomy.match_neurons(neuron)
    for name in chosen:
        beside = [each for cell, each in worm.pulses if cell == name and each.start < stop and each.stop > start]
        for begin in {start, *(max(start, each.start) for each in beside)}:
            on = [pulse, *(each for each in beside if each.start <= begin < each.stop)]
            forced = any(each.force for each in on)
            check_current(sum(each.amplitude for each in on), f"stimulate: pulses into {name} at {begin:g} ms", forced)
    return replace(worm, pulses=(*worm.pulses, *((name, pulse) for name in chosen)))


def _hold(worm: Effects, **walls: float) -> Effects:
    hold = Hold(**walls)
    hold.check_beside(worm.holds)
    return replace(worm, holds=(*worm.holds, hold))


def _touch(
    worm: Effects, at: Place, start: float, stop: float, indentation: float | None = None, side: str | None = None
) -> Effects:
    depth = touch_constants()["touch_indentation"] if indentation is None else indentation
    return replace(worm, pokes=(*worm.pokes, Poke(*ends_of(at), start, stop, depth, side or "")))


def _tap(worm: Effects, start: float, stop: float, indentation: float | None = None) -> Effects:
    depth = touch_constants()["tap_indentation"] if indentation is None else indentation
    return replace(worm, pokes=(*worm.pokes, Poke(0.0, 1.0, start, stop, depth, gentle_only=True)))


def _knock_out(worm: Effects, genes: Iterable[str], cells: str) -> Effects:
    if not genes:
        raise ConfigError("knock_out: name a gene, such as 'egl-19'")
    for gene in genes:
        _known_gene(gene)
    for gene in genes:
        worm, carriers = _expressed(worm, gene, 0.0, cells)
        if not carriers:
            log.warning("knock_out: no neuron of '%s' carries %s, so nothing changes%s", cells, gene, _why(worm, gene))
    return worm


def _why(worm: Effects, gene: str) -> str:
    """Which option of the worm lets a gene do something, if it is off."""
    if gene in amine_genes():
        return "" if worm.amines.on else "; amines are off, give Worm(amines='on')"
    if gene in perturbations.aminergic() and worm.tables.turning.empty:
        return "; the worm does not decide, give Worm(decision='network')"
    return ""


def _knock_down(worm: Effects, gene: str, remaining: float, cells: str) -> Effects:
    if not 0.0 <= number(remaining, "knock_down", "remaining") < 1.0:
        raise ConfigError(f"knock_down {gene}: remaining = {remaining:g} must lie from 0 to below 1")
    return _expressed_where_it_is(worm, "knock_down", gene, remaining, cells)


def _over_express(worm: Effects, gene: str, factor: float, cells: str) -> Effects:
    if not number(factor, "over_express", "factor", high=_MOST_FACTOR) > 1.0:
        raise ConfigError(f"over_express {gene}: factor = {factor:g} must be above 1")
    return _expressed_where_it_is(worm, "over_express", gene, factor, cells)


def _set_conductance(worm: Effects, neurons: anatomy.Names, channel: str, value: float) -> Effects:
    chosen, name = anatomy.match_neurons(neurons), conductance_of(channel)
    where = f"set_conductance {name}"
    density = number(value, where, "value", "S/cm2")
    ranges()["set_conductance.value"].refuse(density, f"{where}: value")
    for cell in chosen:
        parameter = worm.membranes[cell].driven_by(name)
        if parameter:
            raise ConfigError(f"{where}: in {cell} it is set by a parameter of all; change parameters.{parameter}")
    found = [cell for cell in chosen if worm.membranes[cell].has(name)]
    if not found:
        there = ", ".join(["leak", *worm.membranes[chosen[0]].conductances])
        raise ConfigError(f"{where}: {chosen[0]} has no {name} to set; it has {there}")
    if len(found) < len(chosen):
        log.warning("%s: %d of %d neurons have none and stay as they are", where, len(chosen) - len(found), len(chosen))
    membranes = {
        cell: each.with_density(name, density) if cell in found else each for cell, each in worm.membranes.items()
    }
    return replace(worm, membranes=membranes)


def _scale_synapses(worm: Effects, pre: str, post: str, factor: float) -> Effects:
    sources, targets = anatomy.match_neurons(pre), anatomy.match_cells(post)
    return replace(worm, tables=perturbations.scale_synapses(worm.tables, sources, targets, factor))


def _scale_gap_junctions(worm: Effects, a: str, b: str, factor: float) -> Effects:
    groups = anatomy.match_neurons(a), anatomy.match_neurons(b)
    return replace(worm, tables=perturbations.scale_gap_junctions(worm.tables, *groups, factor))


def _silence_stretch_receptors(worm: Effects, neurons: Iterable[str]) -> Effects:
    return replace(worm, silenced=worm.silenced.union(anatomy.match_neurons(*(neurons or ("*",)))))


def _shuffle(worm: Effects, what: str, seed: int) -> Effects:
    return replace(worm, tables=perturbations.shuffle(worm.tables, what, anatomy.neurons()["class"], seed))


def _expressed_where_it_is(worm: Effects, what: str, gene: str, factor: float, cells: str) -> Effects:
    worm, carriers = _expressed(worm, gene, factor, cells)
    if not carriers:
        raise ConfigError(f"{what} {gene}: no neuron of '{cells}' carries it, so there is nothing to change")
    return worm


def _expressed(worm: Effects, gene: str, factor: float, cells: str) -> tuple[Effects, int]:
    """The worm with a gene's product multiplied in some cells, and how many of them have it."""
    _known_gene(gene)
    chosen, releases = set(anatomy.match_neurons(cells)), tools.release_genes()
    if gene in releases:
        return _releasing(worm, chosen, releases[gene], factor)
    if gene in touch_genes():
        found = {name: worm.touchable.get(name, 1.0) * factor for name in touch_genes()[gene] if name in chosen}
        return replace(worm, touchable={**worm.touchable, **found}), len(found)
    if gene in perturbations.aminergic():
        tables, contacts = perturbations.scale_tyramine(worm.tables, gene, chosen, factor)
        amines, cells_left = worm.amines.scaled(gene, chosen, factor)
        return replace(worm, tables=tables, amines=amines), contacts + cells_left
    carriers = [name for name in chosen if worm.membranes[name].carries(gene)]
    membranes = {name: each.scaled(gene, factor) if name in chosen else each for name, each in worm.membranes.items()}
    return replace(worm, membranes=membranes), len(carriers)


def _releasing(worm: Effects, chosen: set[str], transmitter: str, factor: float) -> tuple[Effects, int]:
    made = anatomy.neurons().transmitter
    sources = {name for name in chosen if transmitter in ("*", made[name])}
    left = sources & {*worm.tables.chemical.pre, *worm.tables.nmj.pre}
    if left:
        tables = perturbations.scale_synapses(worm.tables, left, anatomy.match_cells("*"), factor)
        worm = replace(worm, tables=tables)
    return worm, len(left)


def _factor(what: str, value: float) -> float:
    if number(value, what, "factor", high=_MOST_FACTOR) < 0.0:
        raise ConfigError(f"{what}: factor = {value:g} cannot be negative; 0 cuts")
    return value


def _known_gene(gene: str) -> None:
    """Raise for a gene that is neither a channel nor needed for release, touch or amines."""
    releases = tools.release_genes()
    amines = perturbations.aminergic()
    if isinstance(gene, str) and (gene in releases or gene in touch_genes() or gene in amines):
        return
    if isinstance(gene, str) and gene in perturbations.WITHOUT_EFFECT:
        raise ConfigError(f"{gene} has nothing to act on here: it {perturbations.WITHOUT_EFFECT[gene]}")
    try:
        channel_of(gene)
    except ConfigError as error:
        # A gene is known by its number: the nearest name would be another gene, unless two digits are swapped.
        channels, letters = [*CHANNELS, *EXTRA_CHANNELS], sorted(filter(str.isalnum, str(gene).lower()))
        every = (*channels, *releases, *touch_genes(), *amines)
        same = [each for each in every if sorted(each.replace("-", "")) == letters]
        kinds = (("release", releases), ("touch", touch_genes()), ("amines", amines))
        others = ", ".join(f"for {kind} {', '.join(listed)}" for kind, listed in kinds)
        there = f"the model has ion channels {', '.join(channels)}, {others}"
        todo = f"did you mean '{same[0]}'?" if same else there
        if isinstance(gene, str) and any(fnmatch.filter(anatomy.neurons().index, part) for part in gene.split(",")):
            todo = f"it names neurons; write cells='{shorten(gene)}'"
        raise ConfigError(f"unknown gene '{shorten(gene)}': {todo}") from error


EFFECTS: dict[str, Callable[..., Effects]] = {
    "ablate": _ablate,
    "silence": _silence,
    "illuminate": _illuminate,
    "express": _express,
    "clamp": _clamp,
    "stimulate": _stimulate,
    "hold": _hold,
    "touch": _touch,
    "tap": _tap,
    "knock_out": _knock_out,
    "knock_down": _knock_down,
    "over_express": _over_express,
    "modulate": _modulate,
    "set_conductance": _set_conductance,
    "cut_synapses": lambda worm, pre, post: _scale_synapses(worm, pre, post, 0.0),
    "scale_synapses": lambda worm, pre, post, factor: _scale_synapses(
        worm, pre, post, _factor("scale_synapses", factor)
    ),
    "cut_gap_junctions": lambda worm, a, b: _scale_gap_junctions(worm, a, b, 0.0),
    "scale_gap_junctions": lambda worm, a, b, factor: _scale_gap_junctions(
        worm, a, b, _factor("scale_gap_junctions", factor)
    ),
    "silence_stretch_receptors": _silence_stretch_receptors,
    "shuffle": _shuffle,
}
"""What each intervention does, by its name."""
