"""NetPyNE assembles the design into NEURON: 302 neurons, 95 muscles, every connection."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator

from .. import mechanisms, paths
from ..cells.geometry import constants
from ..cells.membrane import insert_membrane
from ..cells.modulation import modulate, point_at_one
from ..errors import ConfigError
from ..sensing import dendrite_tip
from ..units import NA_PER_PA
from . import tools
from .design import NetworkDesign
from .modulation import Modulator
from .rules import MUSCLE_SECTION, Rule, connection_rules
from .wiring import input_scale

log = logging.getLogger(__name__)

_SET_BY_HAND = "pointerParams", "mod", "weight"
POINTERS = {
    "StretchReceptor": "_ref_stretch",
    "SensoryTransduction": "_ref_concentration",
    "Mechanosensory": "_ref_indentation",
    "SwitchedConductance": "_ref_light",
}
"""POINTER of each point process that reads an input."""
_RETUNED = {"StretchReceptor": ("gain", "saturation", "share"), "SensoryTransduction": ("origin",)}
"""Settings of receptors that follow from the parameters of the worm."""


class Network:
    """The assembled nervous system, and handles on what the loop reads and writes.

    NEURON numbers its cells per process, so a process holds one network at a time; building a
    second one replaces the first.

    Attributes:
        design: what it was built from.
        sim: NetPyNE's `sim`; every cell and connection is in `sim.net.allCells`.
        inputs: what POINTERs read (NEURON Vector, length `design.inputs.size`).
    """

    _newest: Network | None = None

    def __init__(self, design: NetworkDesign) -> None:
        mechanisms.load()
        paths.settle_matplotlib()  # NetPyNE imports it
        with paths.kept_figures():
            from netpyne import sim, specs

        log.info("assembling %d neurons and %d muscles", len(design.neurons), len(design.muscles))
        self.design = design
        self.sim = sim
        rules = connection_rules(design)
        Network.release()
        with _quiet_netpyne():
            _clear(sim)
            sim.initialize(net_params(specs, design, rules), sim_config(specs))
            sim.net.createPops()
            sim.net.createCells()
            sim.net.connectCells()
            sim.net.addStims()
            sim.net.allCells = [cell.__dict__ for cell in sim.net.cells]
        self.cells = {cell.tags["pop"]: cell for cell in sim.net.cells}
        self._set_calcium_reversal()
        self._synapses = self._in_rule_order()
        expected = sum(len(rule.weights) * (2 if _bidirectional(rule) else 1) for rule in rules)
        if len(self._synapses) != expected:
            raise ConfigError(f"NetPyNE built {len(self._synapses)} of {expected} connections")
        self.inputs = self._connect_inputs()
        # With pointers and transfer set, finitialize() works for anyone who runs NEURON on this network.
        sim.pc.setup_transfer()
        Network._newest = self

    @property
    def alive(self) -> bool:
        """Whether NEURON still holds this network: a later one takes its place."""
        return Network._newest is self

    @classmethod
    def newest(cls) -> Network | None:
        """The network that NEURON holds; None when it holds none."""
        return cls._newest

    @classmethod
    def release(cls) -> bool:
        """Take the network of this process apart, so that NEURON holds no cell of it; whether there was one.

        A simulation builds its own again when it next runs.
        """
        newest, cls._newest = cls._newest, None
        if newest is None:
            return False
        from neuron import h

        with _quiet_netpyne():
            sections = newest.sections
            _clear(newest.sim)
        # Whoever still holds the cells would keep them in NEURON, and it would go on advancing them.
        for section in sections:
            h.delete_section(sec=section)
        return True

    def soma(self, neuron: str):
        """Soma section of a neuron (NEURON Section)."""
        return self.cells[neuron].secs["soma"]["hObj"]

    def section(self, cell: str, name: str):
        """Any section (NEURON Section)."""
        return self.cells[cell].secs[name]["hObj"]

    def muscle(self, muscle: str):
        """The section of a muscle cell (NEURON Section)."""
        return self.section(muscle, MUSCLE_SECTION)

    def current_clamp(self, neuron: str):
        """The current clamp on a soma through which bias, noise and stimuli enter."""
        return self.cells[neuron].stims[0]["hObj"]

    def receptors(self, neuron: str, kind: str) -> list:
        """Point processes of a neuron that read one kind of input, such as "stretch" or "chemical_0"."""
        return [
            point["hObj"]
            for section in self.cells[neuron].secs.values()
            for name, point in section["pointps"].items()
            if name == kind or name.startswith(f"{kind}_")
        ]

    def cells_in_order(self) -> list[list]:
        """Sections of every cell, neurons before muscles, in the order of the design's arrays."""
        names = (*self.design.neurons, *self.design.muscles.index)
        return [[section["hObj"] for section in self.cells[name].secs.values()] for name in names]

    def pointers(self) -> Iterator[tuple]:
        """Every mechanism with a POINTER, a point process or (segment, density), and the index of what it reads."""
        design = self.design
        for k, receptor in enumerate(design.stretch.receptors, start=design.inputs["stretch"].start):
            for point in self.receptors(receptor.neuron, "stretch"):
                yield point, k
        for sense, rows in design.endings.items():
            for k, receptor in enumerate(rows):
                for point in self.receptors(receptor.neuron, f"{sense}_{k}"):
                    yield point, design.inputs[sense].start + k
        driven = [index for index, each in enumerate(design.conductances) if each.driven]
        for k, (index, neuron) in enumerate(zip(driven, design.driven, strict=True)):
            for point in self.receptors(neuron, f"switched_{index}"):
                yield point, design.inputs["light"].start + k
        for k, modulator in enumerate(design.modulators):
            for instance in self._modulated(modulator):
                yield instance, design.inputs["modulation"].start + k

    def _modulated(self, modulator: Modulator) -> Iterator:
        """Synapses, or (segment, mechanism) of the densities, that a modulator reaches."""
        chosen = set(modulator.neurons)
        if modulator.synaptic:
            for (point, _), pre in zip(self.partners(), self._sources(), strict=True):
                if pre in chosen and point.hname().startswith(("GradedSynapse", "TiringSynapse")):
                    yield point
            return
        for name in modulator.neurons:
            for section in self.cells[name].secs.values():
                for segment in section["hObj"]:
                    if hasattr(segment, modulator.gene):
                        yield segment, modulator.gene

    def _sources(self) -> Iterator[str]:
        """Presynaptic cell of every entry of `partners`."""
        for rule in connection_rules(self.design):
            for a, b in zip(rule.pre, rule.post, strict=True):
                yield a
                if _bidirectional(rule):
                    yield b

    @property
    def sections(self) -> list:
        """Every section of every cell (NEURON Sections)."""
        return [section["hObj"] for cell in self.sim.net.cells for section in cell.secs.values()]

    def partners(self) -> Iterator[tuple]:
        """Every synapse and gap junction with the segment whose voltage it reads."""
        built = iter(self._synapses)
        for rule in connection_rules(self.design):
            sites = rule.sites
            pre, post = (
                [self.section(cell, name)(loc) for cell, name, loc in zip(*side, strict=True)]
                for side in (
                    (rule.pre, sites.pre_section, sites.pre_loc),
                    (rule.post, sites.post_section, sites.post_loc),
                )
            )
            for a, b in zip(pre, post, strict=True):
                yield next(built), a
                if _bidirectional(rule):
                    yield next(built), b

    def retune(self, design: NetworkDesign) -> None:
        """Apply the parameters of another design with the same cells and connections, in place.

        Far cheaper than building anew; searches and sweeps use it.
        """
        rules = connection_rules(design)
        objects = iter(self._synapses)
        for rule in rules:
            settings = {k: v for k, v in rule.mechanism.items() if k not in _SET_BY_HAND}
            for weight in rule.weights:
                for _ in range(2 if _bidirectional(rule) else 1):
                    synapse = next(objects)
                    synapse.weight = weight
                    for name, value in settings.items():
                        setattr(synapse, name, value)
        for name, sections in cell_sections(design).items():
            self._apply(name, sections)
        self.design = design

    def _apply(self, cell: str, sections: dict[str, dict]) -> None:
        for section_name, section in sections.items():
            built = self.section(cell, section_name)
            for mechanism, values in section["mechs"].items():
                for key, value in values.items():
                    for segment in built:
                        setattr(getattr(segment, mechanism), key, value)
            for name, point in section.get("pointps", {}).items():
                if point["mod"] not in _RETUNED:
                    continue
                target = self.cells[cell].secs[section_name]["pointps"][name]["hObj"]
                for key in _RETUNED[point["mod"]]:
                    setattr(target, key, point[key])

    def _connect_inputs(self):
        """The vector that POINTERs read."""
        from neuron import h

        layout = self.design.inputs
        inputs, modulation = h.Vector(layout.size), layout["modulation"]
        for instance, k in self.pointers():
            if modulation.start <= k < modulation.stop:
                density = isinstance(instance, tuple)
                modulate(getattr(*instance) if density else instance, inputs._ref_x[k])
                inputs.x[k] = 1.0
            else:
                setattr(instance, POINTERS[instance.hname().split("[")[0]], inputs._ref_x[k])
        point_at_one(self.sections)
        return inputs

    def _set_calcium_reversal(self) -> None:
        """Hold E_Ca: a pool that writes cai makes NEURON compute it by Nernst otherwise."""
        from neuron import h

        muscles = [self.muscle(name) for name in self.design.muscles.index]
        for section in [*map(self.soma, self.design.neurons), *muscles]:
            if h.ismembrane("ca_ion", sec=section):
                h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section)
                for segment in section:
                    segment.eca = constants()["reversal_calcium"]

    def _in_rule_order(self) -> list:
        """Synapse objects in the order of the rules: NetPyNE numbers its pointers that way."""
        connections = [conn for cell in self.sim.net.cells for conn in cell.conns]
        connections.sort(key=lambda conn: conn["pointer"]["id"])
        return [conn["hObj"] for conn in connections]


def _bidirectional(rule: Rule) -> bool:
    return rule.mechanism["pointerParams"]["bidirectional"]


def _clear(sim) -> None:
    """Forget an earlier network of this process."""
    if getattr(sim, "net", None) is not None and getattr(sim.net, "cells", None):
        sim.pc.gid_clear()
        sim.clearAll()


def neuron_sections(design: NetworkDesign, neuron: str) -> dict[str, dict]:
    """Sections of one neuron with its membrane, without receptors and synapses: what a patched cell is made of, too."""
    cell, exponent = design.cell(neuron), design.parameters.capacitance_exponent
    sections = cell.netpyne_sections()
    insert_membrane(sections, cell, design.membrane_of(neuron), exponent, design.channel_set)
    return sections


def cell_sections(design: NetworkDesign) -> dict[str, dict]:
    """Sections with membranes and receptors of every neuron and muscle, for NetPyNE."""
    p = design.parameters
    cells = {name: neuron_sections(design, name) for name in design.neurons}
    for receptor in design.stretch.receptors:
        scale = input_scale(design.capacitance[receptor.neuron], p)
        for number, (section, loc, share) in enumerate(receptor.sites):
            points = cells[receptor.neuron][section].setdefault("pointps", {})
            points[f"stretch_{number}"] = {
                "mod": "StretchReceptor",
                "loc": loc,
                "gain": receptor.gain * scale * NA_PER_PA,
                "saturation": p.stretch_saturation * scale * NA_PER_PA,
                "share": share,
            }
    for sense, rows in design.endings.items():
        for k, receptor in enumerate(rows):
            section, loc = dendrite_tip(design.cells[receptor.neuron], receptor.site)
            points = cells[receptor.neuron][section].setdefault("pointps", {})
            points[f"{sense}_{k}"] = {"mod": receptor.mechanism, "loc": loc, **receptor.mechanism_parameters(p)}
    tools.insert(design.conductances, design.cells, cells)
    for name in design.muscles.index:
        cells[name] = {MUSCLE_SECTION: design.muscle_section()}
    return cells


def net_params(specs, design: NetworkDesign, rules: list[Rule]):
    """NetPyNE's description of the network (`specs.NetParams`)."""
    params = specs.NetParams()
    for name, sections in cell_sections(design).items():
        params.cellParams[name] = {"conds": {"cellType": name}, "secs": sections}
        params.popParams[name] = {"cellType": name, "numCells": 1}
    order = {name: k for k, name in enumerate([*design.neurons, *design.muscles.index])}
    everyone = list(order)
    for rule in rules:
        params.synMechParams[rule.label] = rule.mechanism
        if len(rule.weights) == 0:
            continue
        params.connParams[rule.label] = {
            "preConds": {"pop": everyone},
            "postConds": {"pop": everyone},
            "connList": [[order[a], order[b]] for a, b in zip(rule.pre, rule.post, strict=True)],
            "synMech": rule.label,
            "weight": [float(weight) for weight in rule.weights],
            "sec": list(rule.sites.post_section),
            "loc": [float(loc) for loc in rule.sites.post_loc],
            "preSecs": list(rule.sites.pre_section),
            "preLocs": [float(loc) for loc in rule.sites.pre_loc],
        }
    params.stimSourceParams["current"] = {"type": "IClamp", "delay": 0, "dur": 1e9, "amp": 0.0}
    params.stimTargetParams["current->soma"] = {
        "source": "current",
        "conds": {"pop": list(design.neurons)},
        "sec": "soma",
        "loc": 0.5,
    }
    return params


def sim_config(specs):
    """NetPyNE's run options; Tianbao drives the clock itself."""
    config = specs.SimConfig()
    config.verbose = False
    config.progressBar = 0
    config.timing = False
    config.pt3dRelativeToCellLocation = False
    config.oneSynPerNetcon = True
    config.connRandomSecFromList = False
    return config


@contextlib.contextmanager
def _quiet_netpyne():
    """NetPyNE prints its progress; keep it in the log."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        yield
    log.debug("%s", said.getvalue())
