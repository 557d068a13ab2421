"""The nervous system of a worm in NeuroML 2: cells, channels, synapses and the network, validated against its schema.

One file per neuron (`AVAL.cell.nml`), one per channel (`egl19.channel.nml`), the network (`tianbao.net.nml`), a LEMS
component type for the graded synapse, which NeuroML lacks (`tianbao_types.xml`), and a LEMS file that runs the network
(`LEMS_tianbao.xml`). Formulas come from mod/, through the parser of the native engine.

Limitations: the export does not contain stretch receptors and the body (it is a straight worm), noise
of membrane currents, or the experimenter's clamps and gated channels. Calcium also falls if its current is
outward, which does not happen below 60 mV. The activation of a muscle is the gate of a channel without conductance.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ..behaviour.midline import curvature_positions
from ..cells.geometry import CellGeometry
from ..units import NA_PER_PA, US_PER_NS
from .files import prepare_folder, write_atomically
from .lems import number
from .neuroml_cells import cell, densities, first_segments, muscle_cell, place
from .neuroml_channels import ChannelKind, channel, passive_channel

if TYPE_CHECKING:
    from ..network.design import NetworkDesign
    from ..network.rules import Rule
    from ..worm import Worm

log = logging.getLogger(__name__)

NETWORK = "tianbao.net.nml"
TYPES = "tianbao_types.xml"
SIMULATION = "LEMS_tianbao.xml"

_NAMESPACE = "http://www.neuroml.org/schema/neuroml2"
_SCHEMA = "https://raw.githubusercontent.com/NeuroML/NeuroML2/master/Schemas/NeuroML2/NeuroML_v2.3.1.xsd"
_LEAK, _ACTIVATION, _MUSCLE, _GAP, _SILENT = "leak", "muscle_activation", "muscle", "gap_junction", "silent"
_NETWORK_ID = "tianbao"
_POSITIONS = 49
_STEP_MS = 0.1
_FOREVER_MS = 1e9
_SYNAPSE = "tianbaoGradedSynapse"


def write_neuroml(worm: Worm, folder: str | Path, *, duration: float = 200.0) -> Path:
    """Write the nervous system of a worm.

    Args:
        worm: with its ablations, cut synapses, knocked-out channels and injected currents.
        folder: to write to; files of an earlier export are replaced.
        duration: of the run described by LEMS_tianbao.xml [ms].

    Returns:
        Path of the network file.

    Raises:
        ConfigError: for a worm that is modulated or waits for light.
        MechanismError: for a channel whose formulas LEMS cannot express.
        OutputError: if the folder cannot be written to.
    """
    from ..network.assembly import cell_sections
    from ..network.rules import connection_rules

    design = worm.design(curvature_positions(_POSITIONS + 2))
    design.check_exportable()
    if design.conductances:
        log.warning("clamps and gated channels of %d neurons cannot be exported to NeuroML", len(design.conductances))
    folder = prepare_folder(folder)
    log.info("writing %d neurons and %d muscles as NeuroML into %s", len(design.neurons), len(design.muscles), folder)
    sections, rules = cell_sections(design), connection_rules(design)
    names = _channel_names(design, sections)
    types = _types(rules)
    for kind, name in names.items():
        if kind is None:
            _write(folder, f"{name}.channel.nml", name, [passive_channel(name)])
        else:
            _write(folder, f"{name}.channel.nml", name, channel(kind, name))
    _write(folder, f"{_ACTIVATION}.channel.nml", _ACTIVATION, [_activation(sections, design)])
    for name in design.neurons:
        _write_cell(folder, design, name, sections[name], names)
    own = muscle_cell(_MUSCLE, sections[design.muscles.index[0]]["muscle"], (_LEAK, _ACTIVATION),
                      "A body wall muscle; the gate a of the channel muscle_activation is its activation")  # fmt: skip
    _write(folder, f"{_MUSCLE}.cell.nml", _MUSCLE, own, [f"{each}.channel.nml" for each in (_LEAK, _ACTIVATION)])
    _write_lems(folder, TYPES, types)
    _write_lems(folder, SIMULATION, _simulation(design, duration))
    files = [f"{name}.cell.nml" for name in (*design.neurons, _MUSCLE)]
    return _write(folder, NETWORK, "tianbao_network", _network(design, rules, worm), files)


def _write_cell(
    folder: Path, design: NetworkDesign, name: str, sections: dict, names: Mapping[ChannelKind | None, str]
) -> None:
    used = dict.fromkeys(each.channel for each in densities(sections))
    files = [f"{names[kind]}.channel.nml" for kind in used]
    notes = f"Neuron {name} of Tianbao; membrane of template {design.membranes[name].template}"
    _write(folder, f"{name}.cell.nml", f"{name}_cell", cell(design.cells[name], sections, names, notes), files)


def _channel_names(design: NetworkDesign, sections: Mapping[str, dict]) -> dict[ChannelKind | None, str]:
    """Id of every channel; variants of one channel with different parameters are numbered from the second on."""
    names: dict[ChannelKind | None, str] = {None: _LEAK}
    count: dict[str, int] = {}
    for neuron in design.neurons:
        for each in densities(sections[neuron]):
            if each.channel not in names:
                n = count[each.channel.name] = count.get(each.channel.name, 0) + 1
                names[each.channel] = each.channel.name + (f"_{n}" if n > 1 else "")
    return names


def _activation(sections: Mapping[str, dict], design: NetworkDesign) -> ET.Element:
    values = sections[design.muscles.index[0]]["muscle"]["mechs"]["muscle_activation"]
    root = ET.Element("ionChannelHH", id=_ACTIVATION, conductance="10 pS", species="non_specific")
    ET.SubElement(root, "notes").text = "Carries no current: its gate drives the body"
    gate = ET.SubElement(root, "gateHHtauInf", id="a", instances="1")
    ET.SubElement(gate, "timeCourse", type="fixedTimeCourse", tau=f"{number(values['tau'])} ms")
    ET.SubElement(gate, "steadyState", type="HHSigmoidVariable", rate="1", midpoint=f"{number(values['v_half'])} mV",
                  scale=f"{number(values['slope'])} mV")  # fmt: skip
    return root


def _types(rules: Iterable[Rule]) -> list[ET.Element]:
    """The graded synapse with a fixed time constant, for which NeuroML has no element."""
    elements = [_graded_synapse()]
    for rule in rules:
        if not _bidirectional(rule):
            m = rule.mechanism
            elements.append(ET.Element(
                "Component", id=_identity(rule), type=_SYNAPSE, conductance="1 nS", erev=f"{number(m['e'])} mV",
                vHalf=f"{number(m['v_half'])} mV", slope=f"{number(m['slope'])} mV", tau=f"{number(m['tau'])} ms",
            ))  # fmt: skip
    return elements


def _graded_synapse() -> ET.Element:
    about = "Opening follows a sigmoid of the presynaptic voltage with one time constant: mod/graded_synapse.mod"
    root = ET.Element("ComponentType", name=_SYNAPSE, extends="baseGradedSynapse", description=about)
    ET.SubElement(root, "Property", name="weight", dimension="none", defaultValue="1")
    parameters = {"conductance": "conductance", **dict.fromkeys(("erev", "vHalf", "slope"), "voltage"), "tau": "time"}
    for name, dimension in parameters.items():
        ET.SubElement(root, "Parameter", name=name, dimension=dimension)
    ET.SubElement(root, "Exposure", name="i", dimension="current")
    ET.SubElement(root, "Exposure", name="inf", dimension="none")
    ET.SubElement(root, "Requirement", name="v", dimension="voltage")
    ET.SubElement(root, "InstanceRequirement", name="peer", type="baseGradedSynapse")
    dynamics = ET.SubElement(root, "Dynamics")
    ET.SubElement(dynamics, "StateVariable", name="s", dimension="none")
    formulas = {
        "vpeer": {"dimension": "voltage", "select": "peer/v"},
        "inf": {"dimension": "none", "value": "1 / (1 + exp((vHalf - vpeer) / slope))", "exposure": "inf"},
        "i": {"exposure": "i", "dimension": "current", "value": "weight * conductance * s * (erev - v)"},
    }
    for name, attributes in formulas.items():
        ET.SubElement(dynamics, "DerivedVariable", name=name, **attributes)
    ET.SubElement(dynamics, "TimeDerivative", variable="s", value="(inf - s) / tau")
    ET.SubElement(ET.SubElement(dynamics, "OnStart"), "StateAssignment", variable="s", value="inf")
    return root


def _network(design: NetworkDesign, rules: list[Rule], worm: Worm) -> list[ET.Element]:
    """Junctions, inputs and the network, in the order required by the schema."""
    before = [ET.Element("gapJunction", id=_GAP, conductance="1 nS"), ET.Element("silentSynapse", id=_SILENT)]
    root = ET.Element("network", id=_NETWORK_ID)
    ET.SubElement(root, "notes").text = f"{len(design.neurons)} neurons and {len(design.muscles)} muscles of Tianbao"
    for name in (*design.neurons, *design.muscles.index):
        component = name if name in design.cells else _MUSCLE
        population = ET.SubElement(root, "population", id=name, component=component, type="populationList", size="1")
        # Morphologies are already in the frame of the animal.
        ET.SubElement(ET.SubElement(population, "instance", id="0"), "location", x="0", y="0", z="0")
    sites = _Sites(design.cells)
    for rule in rules:
        if _bidirectional(rule):
            _junctions(root, rule, sites)
    for rule in rules:
        if not _bidirectional(rule):
            _synapses(root, rule, sites)
    inputs = _inputs(root, design, worm)
    return [*before, *inputs, root]


def _bidirectional(rule: Rule) -> bool:
    return rule.mechanism["pointerParams"]["bidirectional"]


def _identity(rule: Rule) -> str:
    """Label of a rule with characters that NeuroML allows in an id."""
    return re.sub(r"\W", "_", rule.label.replace("-", "minus_"))


class _Sites:
    """Converts section and location to segment and fraction along it."""

    def __init__(self, cells: Mapping[str, CellGeometry]) -> None:
        self._cables = {name: {cable.name: cable for cable in geometry.cables} for name, geometry in cells.items()}
        self._firsts = {name: first_segments(geometry) for name, geometry in cells.items()}

    def attributes(self, side: str, name: str, section: str, loc: float) -> dict[str, str]:
        """Attributes of one end of a connection, "pre" or "post"."""
        segment, along = 0, loc
        if name in self._cables:
            segment, along = place(self._cables[name][section], self._firsts[name][section], loc)
        component = name if name in self._cables else _MUSCLE
        return {
            f"{side}Cell": f"../{name}/0/{component}",
            f"{side}Segment": str(segment),
            f"{side}FractionAlong": number(float(f"{along:.9g}")),
        }


def _ends(rule: Rule, sites: _Sites, k: int) -> dict[str, str]:
    s = rule.sites
    return {
        **sites.attributes("pre", rule.pre[k], s.pre_section[k], float(s.pre_loc[k])),
        **sites.attributes("post", rule.post[k], s.post_section[k], float(s.post_loc[k])),
    }


def _junctions(root: ET.Element, rule: Rule, sites: _Sites) -> None:
    for pre, post, rows in _pairs(rule):
        projection = ET.SubElement(root, "electricalProjection", id=f"{_identity(rule)}_{pre}_{post}",
                                   presynapticPopulation=pre, postsynapticPopulation=post)  # fmt: skip
        for n, k in enumerate(rows):
            weight = number(float(rule.weights[k]) / US_PER_NS)
            ET.SubElement(projection, "electricalConnectionInstanceW", id=str(n), synapse=_GAP, weight=weight,
                          **_ends(rule, sites, k))  # fmt: skip


def _synapses(root: ET.Element, rule: Rule, sites: _Sites) -> None:
    for pre, post, rows in _pairs(rule):
        projection = ET.SubElement(root, "continuousProjection", id=f"{_identity(rule)}_{pre}_{post}",
                                   presynapticPopulation=pre, postsynapticPopulation=post)  # fmt: skip
        for n, k in enumerate(rows):
            weight = number(float(rule.weights[k]) / US_PER_NS)
            ET.SubElement(projection, "continuousConnectionInstanceW", id=str(n), preComponent=_SILENT,
                          postComponent=_identity(rule), weight=weight, **_ends(rule, sites, k))  # fmt: skip


def _pairs(rule: Rule) -> list[tuple[str, str, list[int]]]:
    """Connections of a rule by partners: a NeuroML projection is from one population to another."""
    order = sorted(range(len(rule.pre)), key=lambda k: (rule.pre[k], rule.post[k]))
    grouped = itertools.groupby(order, key=lambda k: (rule.pre[k], rule.post[k]))
    return [(pre, post, list(rows)) for (pre, post), rows in grouped]


def _inputs(root: ET.Element, design: NetworkDesign, worm: Worm) -> list[ET.Element]:
    """Current clamps: the tonic currents of the model and the pulses of the experimenter [nA]."""
    currents = [
        (name, float(amplitude) * NA_PER_PA, 0.0, _FOREVER_MS)
        for name, amplitude in zip(design.neurons, design.bias(), strict=True)
        if amplitude
    ]
    currents += [(name, p.amplitude, p.start, min(p.stop, _FOREVER_MS) - p.start) for name, p in worm.pulses]
    generators = []
    for n, (name, amplitude, start, length) in enumerate(currents):
        identity = f"current_{n}_{name}"
        generators.append(ET.Element("pulseGenerator", id=identity, delay=f"{number(start)} ms",
                                     duration=f"{number(length)} ms", amplitude=f"{number(amplitude)} nA"))  # fmt: skip
        entry = ET.SubElement(root, "inputList", id=f"input_{n}_{name}", population=name, component=identity)
        ET.SubElement(entry, "input", id="0", target=f"../{name}/0/{name}", destination="synapses")
    return generators


def _simulation(design: NetworkDesign, duration: float) -> list[ET.Element]:
    """The run and its recordings."""
    root = ET.Element("Simulation", id="tianbao_run", length=f"{number(duration)} ms", step=f"{_STEP_MS} ms",
                      target=_NETWORK_ID)  # fmt: skip
    output = ET.SubElement(root, "OutputFile", id="voltages", fileName="tianbao_voltages.dat")
    for name in design.neurons:
        ET.SubElement(output, "OutputColumn", id=name, quantity=f"{name}/0/{name}/0/v")
    includes = [ET.Element("Include", file=name) for name in _CORE]
    own = [ET.Element("Include", file=TYPES), ET.Element("Include", file=NETWORK)]
    return [ET.Element("Target", component="tianbao_run"), *includes, *own, root]


_CORE = ("Cells.xml", "Networks.xml", "Simulation.xml")


def _write(folder: Path, file: str, identity: str, elements: list[ET.Element], includes: Iterable[str] = ()) -> Path:
    """One NeuroML document."""
    root = ET.Element("neuroml", {
        "xmlns": _NAMESPACE, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "xsi:schemaLocation": f"{_NAMESPACE} {_SCHEMA}", "id": identity,
    })  # fmt: skip
    for each in includes:
        ET.SubElement(root, "include", href=each)
    root.extend(elements)
    return _write_xml(folder / file, root)


def _write_lems(folder: Path, file: str, elements: list[ET.Element]) -> Path:
    root = ET.Element("Lems")
    root.extend(elements)
    return _write_xml(folder / file, root)


def _write_xml(path: Path, root: ET.Element) -> Path:
    ET.indent(root)
    return write_atomically(path, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
