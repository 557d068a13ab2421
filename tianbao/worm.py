"""The worm as an experimenter handles it: build, ablate, silence, knock out, cut, stimulate."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import Any

import numpy as np

from . import anatomy, parameters
from .apparatus import Hold, Pulse
from .cells.channels import CHANNELS, EXTRA_CHANNELS, PARAMETER_SETS
from .cells.geometry import check_discretisation
from .cells.membrane import channel_of
from .errors import AnatomyError, ConfigError, shorten, unknown
from .network import perturbations, tools
from .network.design import SIGNS, NetworkDesign, intact_membranes, intact_tables
from .parameters import Parameters
from .rows import number, numbers

log = logging.getLogger(__name__)

_FARTHEST = 1e4  # [mm] from the origin, where the round-off of a position is still far below a micrometre
_MOST_TURN = 1e3  # [rad]
_MOST_FACTOR = 1e3  # [-] on a conductance


class Worm:
    """An adult hermaphrodite: 302 neurons, 95 muscles, one body.

    Every method that changes the worm returns it, so that experiments read as one sentence.

    Args:
        at: position of the middle of the body [mm].
        heading: direction of the head in the plane [rad], 0 along +x.
        parameters: class-level parameters; the crawling set when None.
        discretisation: "traced" (15,910 compartments) or "d_lambda".
        soma_compartments: 2, or 1 (15,608 compartments in all when traced).
        channel_set: kinetic parameter set of the channels, "C19" or "H".
        signs: "predicted" makes every synapse that Fenyves et al. 2020 predict negative inhibitory;
            "transmitter" only those of GABA neurons and of head cross-inhibition.
        connectome: name such as "white1986", path of a CSV, or what `anatomy.connectome` returned.
        morphologies: folder of SWC files such as AVAL.swc that replace the traced cells; empty for none.

    Raises:
        ConfigError: for an unknown option.
        AnatomyError: for an unknown connectome, or a file of one's own that is malformed.
    """

    def __init__(
        self,
        at: tuple[float, float, float] = (0.0, 0.0, 0.0),
        heading: float = 0.0,
        *,
        parameters: Parameters | None = None,
        discretisation: str = "traced",
        soma_compartments: int = 2,
        channel_set: str = "C19",
        signs: str = "predicted",
        connectome: str | anatomy.Connectome = anatomy.STANDARD,
        morphologies: str | anatomy.CellSource = "",
    ) -> None:
        if signs not in SIGNS:
            raise ConfigError(unknown("signs", signs, SIGNS))
        check_discretisation(discretisation, soma_compartments)
        if channel_set not in PARAMETER_SETS:
            raise ConfigError(unknown("channel set", channel_set, PARAMETER_SETS))
        self.at = numbers(at, "worm", "at", 3, "mm", most=_FARTHEST)
        self.heading = number(heading, "worm", "heading", "rad", low=-_MOST_TURN, high=_MOST_TURN)
        self.parameters = _parameters(parameters)
        self.discretisation = discretisation
        self.soma_compartments = soma_compartments
        self.channel_set = channel_set
        self.signs = signs
        self._wiring, self._cells = anatomy.connectome(connectome), anatomy.own_cells(morphologies)
        self.connectome, self.morphologies = self._wiring.name, self._cells.folder
        self.pulses: list[tuple[str, Pulse]] = []
        self.holds: list[Hold] = []
        self.interventions: list[dict[str, Any]] = []
        self._tables = intact_tables(signs, self._wiring)
        self._membranes = intact_membranes()
        self._deaf: set[str] = set()
        self._conductances: tuple[tools.SwitchedConductance, ...] = ()

    def ablate(self, *neurons: str) -> Worm:
        """Kill neurons (names or globs such as "AVA*"): all their connections are gone.

        Raises:
            AnatomyError: for a neuron that does not exist.
        """
        gone = anatomy.match_neurons(*neurons)
        self._tables = perturbations.ablate(self._tables, gone)
        self._deaf.update(gone)
        return self._noted("ablate", neurons=neurons)

    def silence(
        self, *neurons: str, start: float = 0.0, stop: float = math.inf, conductance: float | None = None
    ) -> Worm:
        """Hold neurons down with a chloride channel that a ligand opens, as histamine does HisCl1.

        Args:
            neurons: names or globs.
            start, stop: when it is open [ms].
            conductance: whole-cell [nS]; that of network/tools.csv when None.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for a value out of range.
        """
        for name in anatomy.match_neurons(*neurons):
            self._conductances += (tools.channel("chloride", name, conductance, start, stop),)
        return self._noted("silence", neurons=neurons, start=start, stop=stop, conductance=conductance)

    def illuminate(
        self,
        *neurons: str,
        channel: str = "cation",
        start: float = 0.0,
        stop: float = math.inf,
        conductance: float | None = None,
    ) -> Worm:
        """Open light-gated channels: "cation" (channelrhodopsin-2) excites, "chloride" (GtACR) silences.

        Args:
            neurons: names or globs of those that carry the channel.
            channel: one of `tianbao.network.tools.CHANNELS`.
            start, stop: of the light [ms].
            conductance: whole-cell under full light [nS]; that of network/tools.csv when None.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for an unknown channel or a value out of range.
        """
        for name in anatomy.match_neurons(*neurons):
            self._conductances += (tools.channel(channel, name, conductance, start, stop),)
        settings = {"channel": channel, "start": start, "stop": stop, "conductance": conductance}
        return self._noted("illuminate", neurons=neurons, **settings)

    def clamp(self, *neurons: str, voltage: float, start: float = 0.0, stop: float = math.inf) -> Worm:
        """Clamp somas to a voltage.

        Args:
            neurons: names or globs.
            voltage: [mV]
            start, stop: [ms]

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for a value out of range.

        Limitations: a clamped soma does not hold the far end of its neurites.
        """
        for name in anatomy.match_neurons(*neurons):
            self._conductances += (tools.clamp(name, voltage, start, stop),)
        return self._noted("clamp", neurons=neurons, voltage=voltage, start=start, stop=stop)

    def stimulate(self, neuron: str, pulse: Pulse) -> Worm:
        """Inject current into the soma of a neuron, or of each neuron of a glob.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for what is not a Pulse.
        """
        if not isinstance(pulse, Pulse):
            raise ConfigError(f"stimulate {neuron}: give a Pulse(amplitude [nA], start, stop [ms]), not {pulse!r}")
        self.pulses += [(name, pulse) for name in anatomy.match_neurons(neuron)]
        return self._noted("stimulate", neuron=neuron, **dataclasses.asdict(pulse))

    def hold(
        self, curvature: float, front: float = 0.35, back: float = 0.55, start: float = 0.0, stop: float = math.inf
    ) -> Worm:
        """Hold a part of the body in one bend, as the walls of a narrow channel do (Wen 2012); see `apparatus.Hold`.

        Args:
            curvature: of the channel, positive to dorsal, 0 for a straight one [kappa L].
            front, back: of the part, nose 0 to tail 1 [L].
            start, stop: [ms]

        Raises:
            ConfigError: for a value out of range, or a part that is already held at that time.
        """
        walls = Hold(curvature, front, back, start, stop)
        walls.check_beside(self.holds)
        self.holds.append(walls)
        return self._noted("hold", curvature=curvature, front=front, back=back, start=start, stop=stop)

    def knock_out(self, *genes: str, cells: str = "*") -> Worm:
        """Remove genes: ion channels ("egl-19" or "egl19"), or what release needs ("unc-25"; network/genes.csv).

        Args:
            genes: names.
            cells: name or glob of the neurons that lose them; all when not given.

        Raises:
            ConfigError: for a gene of neither kind, or when none is named.
        """
        if not genes:
            raise ConfigError("knock_out: name a gene, such as 'egl-19'")
        for gene in genes:
            _known_gene(gene)
        for gene in genes:
            if not self._express(gene, 0.0, cells):
                log.warning("knock_out: no neuron of '%s' carries %s, so nothing changes", cells, gene)
        return self._noted("knock_out", genes=genes, cells=cells)

    def knock_down(self, gene: str, remaining: float, cells: str = "*") -> Worm:
        """Leave a share of a gene's product.

        Args:
            gene: see `knock_out`.
            remaining: what is left [-], between 0 and 1.
            cells: name or glob.

        Raises:
            ConfigError: for an unknown gene, a share outside 0 to 1, or cells that do not carry it.
        """
        if not 0.0 <= number(remaining, "knock_down", "remaining") < 1.0:
            raise ConfigError(f"knock_down {gene}: remaining = {remaining:g} must lie from 0 to below 1")
        self._express_where_it_is("knock_down", gene, remaining, cells)
        return self._noted("knock_down", gene=gene, remaining=remaining, cells=cells)

    def over_express(self, gene: str, factor: float, cells: str = "*") -> Worm:
        """Multiply a gene's product where there is some.

        Args:
            gene: see `knock_out`.
            factor: [-], above 1.
            cells: name or glob.

        Raises:
            ConfigError: for an unknown gene, a factor that is not above 1, or cells that do not carry it.
        """
        if not number(factor, "over_express", "factor", high=_MOST_FACTOR) > 1.0:
            raise ConfigError(f"over_express {gene}: factor = {factor:g} must be above 1")
        self._express_where_it_is("over_express", gene, factor, cells)
        return self._noted("over_express", gene=gene, factor=factor, cells=cells)

    def cut_synapses(self, pre: str, post: str) -> Worm:
        """Cut every chemical synapse from one group of neurons onto another, or onto muscles such as "MD*".

        Raises:
            AnatomyError: for a cell that does not exist.
            ConfigError: if there is nothing to cut.
        """
        return self._scaled_synapses(pre, post, 0.0)._noted("cut_synapses", pre=pre, post=post)

    def scale_synapses(self, pre: str, post: str, factor: float) -> Worm:
        """Multiply the conductance of the chemical synapses from one group onto another.

        Raises:
            AnatomyError: for a cell that does not exist.
            ConfigError: for a factor below 0, or if there is no such synapse.
        """
        done = self._scaled_synapses(pre, post, _factor("scale_synapses", factor))
        return done._noted("scale_synapses", pre=pre, post=post, factor=factor)

    def cut_gap_junctions(self, a: str, b: str) -> Worm:
        """Cut every gap junction between two groups of neurons, such as "AVB*" and "VB*".

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: if there is nothing to cut.
        """
        return self._scaled_gap(a, b, 0.0)._noted("cut_gap_junctions", a=a, b=b)

    def scale_gap_junctions(self, a: str, b: str, factor: float) -> Worm:
        """Multiply the conductance of the gap junctions between two groups of neurons.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for a factor below 0, or if there is no such junction.
        """
        done = self._scaled_gap(a, b, _factor("scale_gap_junctions", factor))
        return done._noted("scale_gap_junctions", a=a, b=b, factor=factor)

    def silence_stretch_receptors(self, *neurons: str) -> Worm:
        """Make stretch receptors deaf; all of them when no neuron is named."""
        self._deaf.update(anatomy.match_neurons(*(neurons or ("*",))))
        return self._noted("silence_stretch_receptors", neurons=neurons)

    def shuffle(self, what: str, seed: int) -> Worm:
        """Permute connections as a control; see `network.perturbations.shuffle`."""
        classes = anatomy.neurons()["class"]
        self._tables = perturbations.shuffle(self._tables, what, classes, seed)
        return self._noted("shuffle", what=what, seed=seed)

    def _scaled_synapses(self, pre: str, post: str, factor: float) -> Worm:
        sources, targets = anatomy.match_neurons(pre), _match_cells(post)
        self._tables = perturbations.scale_synapses(self._tables, sources, targets, factor)
        return self

    def _scaled_gap(self, a: str, b: str, factor: float) -> Worm:
        group_a, group_b = anatomy.match_neurons(a), anatomy.match_neurons(b)
        self._tables = perturbations.scale_gap_junctions(self._tables, group_a, group_b, factor)
        return self

    def _express_where_it_is(self, verb: str, gene: str, factor: float, cells: str) -> None:
        if not self._express(gene, factor, cells):
            raise ConfigError(f"{verb} {gene}: no neuron of '{cells}' carries it, so there is nothing to change")

    def _express(self, gene: str, factor: float, cells: str) -> int:
        """Multiply a gene's product in some cells; how many of them have it."""
        _known_gene(gene)
        chosen, releases = set(anatomy.match_neurons(cells)), tools.release_genes()
        if gene in releases:
            return self._release(chosen, releases[gene], factor)
        carriers = [name for name in chosen if self._membranes[name].carries(gene)]
        self._membranes = {
            name: each.scaled(gene, factor) if name in chosen else each for name, each in self._membranes.items()
        }
        return len(carriers)

    def _release(self, chosen: set[str], transmitter: str, factor: float) -> int:
        made = anatomy.neurons().transmitter
        sources = {name for name in chosen if transmitter in ("*", made[name])}
        left = sources & {*self._tables.chemical.pre, *self._tables.nmj.pre}
        if left:
            self._tables = perturbations.scale_synapses(self._tables, left, _match_cells("*"), factor)
        return len(left)

    def design(self, stretch_positions: np.ndarray) -> NetworkDesign:
        """The nervous system to assemble.

        Args:
            stretch_positions: body coordinates at which the body reports kappa L.
        """
        return NetworkDesign(
            parameters=self.parameters,
            tables=self._tables,
            membranes=self._membranes,
            discretisation=self.discretisation,
            channel_set=self.channel_set,
            stretch_positions=stretch_positions,
            deaf=frozenset(self._deaf),
            soma_compartments=self.soma_compartments,
            conductances=self._conductances,
            cell_source=self._cells,
        )

    @property
    def provenance(self) -> dict[str, str]:
        """Wiring and cells it is made of, files of one's own with their digests."""
        return {"connectome": self._wiring.provenance, "morphologies": self._cells.provenance}

    @property
    def anatomy_changes(self) -> tuple[dict[str, Any], ...]:
        """Interventions that call for a new network; injected currents and walls around the body do not."""
        return tuple(each for each in self.interventions if each["verb"] not in ("stimulate", "hold"))

    def _noted(self, verb: str, **arguments: Any) -> Worm:
        kept = {key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()}
        self.interventions.append({"verb": verb, **{key: value for key, value in kept.items() if value is not None}})
        return self


def _parameters(given: Parameters | None) -> Parameters:
    if given is not None and not isinstance(given, Parameters):
        raise ConfigError(f"worm: parameters are tianbao.Parameters, not {shorten(given)}; change some with .replace")
    return given or parameters.defaults()


def _factor(verb: str, value: float) -> float:
    if number(value, verb, "factor", high=_MOST_FACTOR) < 0.0:
        raise ConfigError(f"{verb}: factor = {value:g} cannot be negative; 0 cuts")
    return value


def _match_cells(pattern: str) -> list[str]:
    """Neurons and muscles that match a pattern; it must match some."""
    found: list[str] = []
    for match in (anatomy.match_neurons, anatomy.match_muscles):
        try:
            found += match(pattern)
        except AnatomyError as error:
            wrong = error
    if not found:
        raise wrong
    return found


def _known_gene(gene: str) -> None:
    """Raise for a gene that is neither a channel nor needed for release."""
    releases = tools.release_genes()
    if isinstance(gene, str) and gene in releases:
        return
    try:
        channel_of(gene)
    except ConfigError as error:
        raise ConfigError(unknown("gene", gene, [*CHANNELS, *EXTRA_CHANNELS, *releases])) from error
