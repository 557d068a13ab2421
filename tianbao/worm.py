"""The worm as an experimenter handles it: build, ablate, silence, knock out, cut, stimulate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from . import anatomy
from .anatomy import Names, joined, listed
from .apparatus import Place, Pulse, ends_of
from .arguments import elsewhere, named_arguments
from .cells.channels import PARAMETER_SETS
from .cells.ensembles import chosen_members
from .cells.geometry import check_discretisation
from .effects import EFFECTS
from .errors import ConfigError, shorten, unknown
from .muscles import MUSCLES
from .network.amines import Amines
from .network.decision import Decision
from .network.fatigue import Fatigue
from .network.signs import Signs
from .network.tools import channel_named
from .options import WormSection
from .parameters import Parameters, given_or_default
from .rows import number, numbers
from .sensing.touch import touch_constants
from .worm_model import WormModel

_FARTHEST, _MOST_TURN = 1e4, 1e3  # [mm] from the origin, where positions are exact to well below a um; [rad]
_DEFAULT = WormSection()
_OF_CELLS = ("neuron", "neurons", "cells", "pre", "post", "a", "b")  # arguments that name cells in one text


@named_arguments
class Worm:
    """An adult hermaphrodite: 302 neurons, 95 muscles, one body.

    Every method that changes the worm returns it, so that experiments read as one sentence. A simulation takes the
    worm as it is at that moment; later changes affect later simulations only. Wherever names or globs of cells are
    taken, so are lists of them, and texts in which commas separate them.

    Args:
        at: position of the middle of the body [mm].
        heading: direction of the head in the plane [rad], 0 along +x.
        parameters: class-level parameters; the crawling set when None.
        discretisation: "traced" (15,910 compartments) or "d_lambda".
        soma_compartments: 2, or 1 (15,608 compartments in all when traced).
        channel_set: kinetic parameter set of the channels, "C19" or "H".
        signs: "published" follows network/signs.csv and, elsewhere, the predictions of Fenyves et al. 2020; "deciding"
            adds contested families that a worm that decides needs; "predicted" follows the predictions alone;
            "transmitter" makes only synapses of GABA neurons and head cross-inhibition inhibitory. A table such as
            {"AVA-AVB": "-", "AIB-RIM": "+"} changes families of signs.csv (`tianbao sources --signs`); its key "others"
            is one of these words.
        decision: between forward and backward movement: "off"; "network", by AVA, AVD, AVE and RIM; or a table of
            values that differ from network/decision.csv, such as {"tyramine_gain": 0.2}.
        fatigue: of synapses: "off"; "touch", those of touch neurons tire; or a table of class -> use [1/s].
        amines: "off"; "on", amines, PDF-1 and FLP-1 as slow states that follow their neurons, and food that is felt;
            or a table of strengths that differ from network/amines.csv, such as {"mod-1": 0.5}.
        muscle: membrane of the body wall muscles: "passive", or "active", which fires calcium action potentials and
            is also joined to five neurons by gap junctions.
        connectome: name such as "white1986", path of a CSV, or what `anatomy.connectome` returned.
        morphologies: folder of SWC files such as AVAL.swc that replace the traced cells; empty for none.
        members: recorded cell -> member of its ensemble of fits (cells/ensembles.csv), such as {"AIY": 3}, for every
            neuron with the membrane of that cell; "all" stands for all of them, 0 is the best fit.

    Raises:
        ConfigError: for an unknown option.
        AnatomyError: for an unknown connectome, or a user-supplied file that is malformed.
    """

    def __init__(
        self,
        at: tuple[float, float, float] = _DEFAULT.at,
        heading: float = _DEFAULT.heading,
        *,
        parameters: Parameters | None = None,
        discretisation: str = _DEFAULT.discretisation,
        soma_compartments: int = _DEFAULT.soma_compartments,
        channel_set: str = _DEFAULT.channel_set,
        signs: str | Mapping[str, str] | Signs = _DEFAULT.signs,
        decision: str | Mapping[str, float] | Decision = _DEFAULT.decision,
        fatigue: str | Mapping[str, float] | Fatigue = _DEFAULT.fatigue,
        amines: str | Mapping[str, float] | Amines = _DEFAULT.amines,
        muscle: str = _DEFAULT.muscle,
        connectome: str | anatomy.Connectome = _DEFAULT.connectome,
        morphologies: str | anatomy.CellSource = _DEFAULT.morphologies,
        members: Mapping[str, int] | None = None,
    ) -> None:
        if muscle not in MUSCLES:
            raise ConfigError(unknown("muscle", muscle, MUSCLES))
        check_discretisation(discretisation, soma_compartments)
        if channel_set not in PARAMETER_SETS:
            raise ConfigError(unknown("channel set", channel_set, PARAMETER_SETS))
        self.__dict__["_model"] = WormModel(
            at=numbers(at, "worm", "at", 3, "mm", most=_FARTHEST),
            heading=number(heading, "worm", "heading", "rad", low=-_MOST_TURN, high=_MOST_TURN),
            parameters=given_or_default(parameters),
            discretisation=discretisation,
            soma_compartments=soma_compartments,
            channel_set=channel_set,
            signs=Signs.of(signs),
            decision=Decision.of(decision),
            fatigue=Fatigue.of(fatigue),
            amines=Amines.of(amines),
            muscle=muscle,
            wiring=anatomy.connectome(connectome),
            cell_source=anatomy.own_cells(morphologies),
            members=chosen_members(members or {}),
        )

    def __setattr__(self, name: str, value: object) -> None:
        todo = "give it to Worm(...), or use one of its methods"
        raise AttributeError(f"a worm's '{shorten(name)}' cannot be set: {todo}")

    def __getattr__(self, name: str) -> Any:
        # Every attribute of a worm is one of its model, and is documented there.
        if not name.startswith("_") and hasattr(WormModel, name) or name in WormModel.__dataclass_fields__:
            return getattr(self.model(), name)
        if answer := elsewhere("Worm", name):
            raise AttributeError(f"Worm: unknown attribute '{name}': {answer}")
        known = [each for each in dir(type(self)) + list(WormModel.__dataclass_fields__) if not each.startswith("_")]
        raise AttributeError(f"Worm: {unknown('attribute', name, known)}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *WormModel.__dataclass_fields__, *vars(WormModel)})

    def model(self) -> WormModel:
        """An immutable copy of the worm as it is now."""
        return self.__dict__["_model"]

    def ablate(self, *neurons: Names) -> Worm:
        """Kill neurons (names or globs such as "AVA*"): all their connections are gone.

        Raises:
            AnatomyError: for a neuron that does not exist.
        """
        return self._changed("ablate", neurons=neurons)

    def silence(
        self, *neurons: Names, start: float = 0.0, stop: float = math.inf, conductance: float | None = None
    ) -> Worm:
        """Silence neurons with a chloride channel that a ligand opens, as histamine does with HisCl1.

        Args:
            neurons: names or globs.
            start, stop: when it is open [ms].
            conductance: whole-cell [nS]; that of network/tools.csv when None.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for a value out of range.
        """
        return self._changed("silence", neurons=neurons, start=start, stop=stop, conductance=conductance)

    def illuminate(
        self, *neurons: Names, channel: str = "cation", start: float = 0.0, stop: float = math.inf,
        conductance: float | None = None,
    ) -> Worm:  # fmt: skip
        """Open light-gated channels: "cation" (channelrhodopsin-2) excites, "chloride" (GtACR) silences.

        Args:
            neurons: names or globs of those that carry the channel.
            channel: one of `tianbao.network.tools.CHANNELS`, or a tool of network/opsins.csv such as "Chrimson".
            start, stop: of the light [ms].
            conductance: whole-cell under full light [nS]; that of network/tools.csv when None.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for an unknown channel or a value out of range.
        """
        settings = {"channel": channel_named(channel), "start": start, "stop": stop, "conductance": conductance}
        return self._changed("illuminate", neurons=neurons, **settings)

    def express(self, channel: str, *neurons: Names, conductance: float | None = None) -> Worm:
        """Give neurons a light-gated channel that stays closed until `Simulation.step(..., light=...)` opens it.

        Args:
            channel: "cation" (channelrhodopsin-2) excites, "chloride" (GtACR) silences; or a tool of opsins.csv.
            neurons: names or globs of those that carry the channel.
            conductance: whole-cell under full light [nS]; that of network/tools.csv when None.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for an unknown channel or a value out of range.
        """
        return self._changed("express", channel=channel_named(channel), neurons=neurons, conductance=conductance)

    def clamp(self, *neurons: Names, voltage: float, start: float = 0.0, stop: float = math.inf) -> Worm:
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
        return self._changed("clamp", neurons=neurons, voltage=voltage, start=start, stop=stop)

    def stimulate(self, neuron: Names, pulse: Pulse) -> Worm:
        """Inject current into the soma of a neuron, or of each neuron of a glob.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for what is not a Pulse, or pulses that together exceed 1 nA in one cell and are not forced.
        """
        if not isinstance(pulse, Pulse):
            todo = "give a Pulse(amplitude [nA], start, stop [ms])"
            raise ConfigError(f"stimulate {shorten(joined(neuron))}: {todo}, not {shorten(repr(pulse))}")
        given = {"start": pulse.start, "stop": pulse.stop, **({"force": True} if pulse.force else {})}
        return self._changed("stimulate", neuron=neuron, amplitude=pulse.amplitude, **given)

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
        return self._changed("hold", curvature=curvature, front=front, back=back, start=start, stop=stop)

    def touch(
        self, at: Place, start: float = 0.0, stop: float = math.inf, indentation: float | None = None, side: str = ""
    ) -> Worm:
        """Press a probe, such as an eyelash, on the body wall for a while; its mechanoreceptors feel it.

        Args:
            at: place along the body, nose 0 to tail 1, or front and back of a part [L]; 0 touches the nose.
            start, stop: [ms], in effect for whole ticks.
            indentation: by which the wall is pressed in [um]; that of sensing/touch_constants.csv when None.
            side: of the body, "dorsal", "ventral", "left", "right" or two of them; all around if not given.

        Raises:
            ConfigError: for a place off the body, an unknown side or a value out of range.

        Limitations: it is felt, but does not push the body.
        """
        at = list(ends_of(at)) if hasattr(at, "__len__") else at
        return self._changed("touch", at=at, start=start, stop=stop, indentation=indentation, side=side or None)

    def tap(self, start: float, stop: float | None = None, indentation: float | None = None) -> Worm:
        """Tap the plate: all six touch receptor neurons feel a brief indentation at the same time.

        Args:
            start, stop: [ms], in effect for whole ticks; it lasts as sensing/touch_constants.csv says when None.
            indentation: [um]; that of sensing/touch_constants.csv when None.

        Raises:
            ConfigError: for a value out of range.
        """
        if stop is None:
            stop = number(start, "tap", "start", "ms") + touch_constants()["tap_duration"]
        return self._changed("tap", start=start, stop=stop, indentation=indentation)

    def knock_out(self, *genes: Names, cells: Names = "*") -> Worm:
        """Remove genes: of ion channels ("egl-19"), release ("unc-25"; genes.csv), touch ("mec-4"), amines ("tph-1").

        Args:
            genes: names.
            cells: name or glob of the neurons that lose them; all when not given.

        Raises:
            ConfigError: for a gene of no such kind, or when none is named.
        """
        return self._changed("knock_out", genes=genes, cells=cells)

    def knock_down(self, gene: str, remaining: float, cells: Names = "*") -> Worm:
        """Reduce a gene's product to a share of what it was.

        Args:
            gene: see `knock_out`.
            remaining: what is left [-], between 0 and 1.
            cells: name or glob.

        Raises:
            ConfigError: for an unknown gene, a share outside 0 to 1, or cells that do not carry it.
        """
        return self._changed("knock_down", gene=gene, remaining=remaining, cells=cells)

    def over_express(self, gene: str, factor: float, cells: Names = "*") -> Worm:
        """Multiply a gene's product where it is expressed.

        Args:
            gene: see `knock_out`.
            factor: [-], above 1.
            cells: name or glob.

        Raises:
            ConfigError: for an unknown gene, a factor that is not above 1, or cells that do not carry it.
        """
        return self._changed("over_express", gene=gene, factor=factor, cells=cells)

    def modulate(
        self, gene: str, factor: float, cells: Names = "*", start: float = 0.0, stop: float = math.inf,
        tau: float = 1000.0,
    ) -> Worm:  # fmt: skip
        """Multiply conductances slowly and for a while, as a modulator or a drug does.

        Args:
            gene: an ion channel, or what release needs, for the synapses that the cells make; see `knock_out`.
            factor: that the conductances approach while it is present [-].
            cells: name or glob.
            start, stop: of its presence [ms].
            tau: time constant with which the effect rises and decays [ms].

        Raises:
            ConfigError: for an unknown gene, cells that do not carry it, a value out of range, or conductances that
                are modulated already.
        """
        return self._changed("modulate", gene=gene, factor=factor, cells=cells, start=start, stop=stop, tau=tau)

    def set_conductance(self, neurons: Names, channel: str, value: float) -> Worm:
        """Set the conductance of a channel, or the leak, to an absolute density.

        Args:
            neurons: names or globs of those that carry it.
            channel: such as "egl-19", a BK complex such as "slo1_unc2", or "leak"; see `tianbao sources NEURON`.
            value: conductance over area of the whole membrane [S/cm2], as `density` in `tianbao.sources`; 0 for none.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for an unknown channel, cells that do not carry it, or a value that no membrane has.
        """
        return self._changed("set_conductance", neurons=neurons, channel=channel, value=value)

    def cut_synapses(self, pre: Names, post: Names) -> Worm:
        """Cut every chemical synapse from one group of neurons onto another, or onto muscles such as "MD*".

        Raises:
            AnatomyError: for a cell that does not exist.
            ConfigError: if there is nothing to cut.
        """
        return self._changed("cut_synapses", pre=pre, post=post)

    def scale_synapses(self, pre: Names, post: Names, factor: float) -> Worm:
        """Multiply the conductance of the chemical synapses from one group onto another.

        Raises:
            AnatomyError: for a cell that does not exist.
            ConfigError: for a factor below 0, or if there is no such synapse.
        """
        return self._changed("scale_synapses", pre=pre, post=post, factor=factor)

    def cut_gap_junctions(self, a: Names, b: Names) -> Worm:
        """Cut every gap junction between two groups of neurons, such as "AVB*" and "VB*".

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: if there is nothing to cut.
        """
        return self._changed("cut_gap_junctions", a=a, b=b)

    def scale_gap_junctions(self, a: Names, b: Names, factor: float) -> Worm:
        """Multiply the conductance of the gap junctions between two groups of neurons.

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: for a factor below 0, or if there is no such junction.
        """
        return self._changed("scale_gap_junctions", a=a, b=b, factor=factor)

    def silence_stretch_receptors(self, *neurons: Names) -> Worm:
        """Silence stretch receptors; all of them when no neuron is named."""
        if neurons:
            anatomy.match_neurons(*neurons)  # an empty list is not everything
        return self._changed("silence_stretch_receptors", neurons=neurons)

    def shuffle(self, what: str, seed: int) -> Worm:
        """Permute connections as a control; see `network.perturbations.shuffle`."""
        return self._changed("shuffle", what=what, seed=seed)

    def _changed(self, verb: str, **arguments: Any) -> Worm:
        """Apply an intervention and add it to the record; one that is refused changes nothing."""
        # Lists in lists and commas are one record, whichever way they were written.
        for name, value in arguments.items():
            one = joined(value) if name in _OF_CELLS else value
            arguments[name] = tuple(listed(value)) if isinstance(value, tuple) else one
        before = self.model()
        effects = EFFECTS[verb](before.effects, **arguments)
        given = {key: value for key, value in arguments.items() if value is not None}
        kept = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
        model = dataclasses.replace(before, record=(*before.record, {"verb": verb, **kept}))
        model.__dict__["effects"] = effects  # what replaying the record would give
        self.__dict__["_model"] = model
        return self
