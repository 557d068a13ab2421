"""Neurons and muscles as NeuroML 2 cells: segments, groups that are NEURON's sections, membrane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import numpy as np

from ..cells.channels import CHANNELS, COUPLED, EXTRA_CHANNELS
from ..cells.geometry import Cable, CellGeometry, constants
from ..cells.modulation import MODULATED
from ..errors import ConfigError
from .lems import number, parameters_of
from .neuroml_channels import ChannelKind

# SAO id that marks a group as an unbranched section for NeuroML tools.
_SECTION = "sao864921383"
_START_MV = -65.0
_UM_PER_M = 1e6


@dataclass(frozen=True)
class Density:
    """A conductance spread over a part of a cell.

    Attributes:
        channel: its channel; None for the leak.
        group: segment group, "all" or "soma_group".
        value: [S/cm2]
        reversal: [mV]
        ion: "k", "ca" or "non_specific".
    """

    channel: ChannelKind | None
    group: str
    value: float
    reversal: float
    ion: str


def densities(sections: Mapping[str, dict]) -> list[Density]:
    """Conductances of the membrane of a neuron, from its NetPyNE sections.

    Args:
        sections: with mechanisms, soma first.

    Raises:
        ConfigError: for a channel whose conductance something outside multiplies.
    """
    soma, *elsewhere = (section["mechs"] for section in sections.values())
    found = [Density(None, "all", soma["pas"]["g"], soma["pas"]["e"], "non_specific")]
    for name, values in soma.items():
        if name not in CHANNELS + EXTRA_CHANNELS:
            continue
        if values.get(MODULATED):
            raise ConfigError(
                f"{name} is modulated from outside, which NeuroML has no element for: export a worm without modulation"
            )
        everywhere = bool(elsewhere) and all(name in mechs for mechs in elsewhere)
        conductances = {each: value for each, value in values.items() if each.startswith("gbar") and value > 0.0}
        for conductance, value in conductances.items():
            kind = _kind(name, conductance, values)
            ion = kind.kinetics.ion
            reversals = {"k": constants()["reversal_potassium"], "ca": constants()["reversal_calcium"]}
            reversal = reversals[ion] if ion else kind.kinetics.reversal
            found.append(Density(kind, "all" if everywhere else "soma_group", value, reversal, ion or "non_specific"))
    return found


def _kind(name: str, conductance: str, values: Mapping[str, float]) -> ChannelKind:
    """The channel, with the parameters that this conductance depends on."""
    partner = {target: each.split("_")[1] for each, target in COUPLED.items()}.get((name, conductance))
    own = {each: value for each, value in values.items() if not each.startswith("gbar")}
    if partner is not None:
        # A complex contains copies of one calcium channel; the parameters of the other do not matter.
        own = {
            each: value
            for each, value in own.items()
            if each.startswith(f"{partner}_") or (each == "shift" and partner == "egl19")
        }
    defaults = parameters_of(name)
    own = {each: value for each, value in own.items() if value != defaults[each]}
    return ChannelKind(name, conductance, tuple(sorted(own.items())))


def cell(
    geometry: CellGeometry, sections: Mapping[str, dict], names: Mapping[ChannelKind | None, str], notes: str
) -> list[ET.Element]:
    """Elements of a neuron: its calcium pool, if it has one, and the cell.

    Args:
        geometry: the traced morphology.
        sections: of the same neuron, with mechanisms.
        names: channel -> id; None -> that of the leak.
        notes: description of the cell.
    """
    root = ET.Element("cell", id=geometry.name)
    ET.SubElement(root, "notes").text = notes
    _morphology(root, geometry)
    biophysics = ET.SubElement(root, "biophysicalProperties", id="biophysics")
    membrane = ET.SubElement(biophysics, "membraneProperties")
    for each in densities(sections):
        _density(membrane, each, names[each.channel])
    capacitance = constants()["membrane_capacitance"]
    _membrane_ends(membrane, capacitance)
    inside = ET.SubElement(biophysics, "intracellularProperties")
    pool = next(iter(sections.values()))["mechs"].get("ca_pool")
    before = []
    if pool is not None:
        model = f"ca_pool_{geometry.name}"
        before.append(_pool(model, pool["depth"]))
        ET.SubElement(inside, "species", id="ca", ion="ca", concentrationModel=model, segmentGroup="soma_group",
                      initialConcentration=f"{number(parameters_of('ca_pool')['rest'])} mM",
                      initialExtConcentration="2 mM")  # fmt: skip
    ET.SubElement(inside, "resistivity", value=f"{number(constants()['axial_resistivity'])} ohm_cm")
    return [*before, root]


def _pool(identity: str, depth: float) -> ET.Element:
    """Calcium under the membrane: influx over the volume of the shell, and one time constant of removal."""
    values = parameters_of("ca_pool")
    rho = values["fraction"] / (2.0 * values["FARADAY"] * depth / _UM_PER_M)
    return ET.Element(
        "fixedFactorConcentrationModel", id=identity, ion="ca", restingConc=f"{number(values['rest'])} mM",
        decayConstant=f"{number(values['tau'])} ms", rho=f"{number(rho)} mol_per_m_per_A_per_s",
    )  # fmt: skip


def _density(membrane: ET.Element, density: Density, channel: str) -> None:
    ET.SubElement(
        membrane, "channelDensity", id=f"{channel}_{density.group.removesuffix('_group')}", ionChannel=channel,
        condDensity=f"{number(density.value)} S_per_cm2", erev=f"{number(density.reversal)} mV",
        segmentGroup=density.group, ion=density.ion,
    )  # fmt: skip


def _membrane_ends(membrane: ET.Element, capacitance: float) -> None:
    ET.SubElement(membrane, "spikeThresh", value="0 mV")
    ET.SubElement(membrane, "specificCapacitance", value=f"{number(capacitance)} uF_per_cm2")
    ET.SubElement(membrane, "initMembPotential", value=f"{number(_START_MV)} mV")


def muscle_cell(identity: str, section: Mapping[str, dict], channels: tuple[str, str], notes: str) -> list[ET.Element]:
    """Elements of the muscle cell: one compartment, a leak, and the activation as a channel without current.

    Args:
        identity: of the cell.
        section: from `muscles.muscle_section`.
        channels: ids of the leak and of the activation.
        notes: description of the cell.
    """
    root = ET.Element("cell", id=identity)
    ET.SubElement(root, "notes").text = notes
    shape = ET.SubElement(root, "morphology", id=f"{identity}_morphology")
    length, diameter = section["geom"]["L"], section["geom"]["diam"]
    segment = ET.SubElement(shape, "segment", id="0", name="muscle")
    _point(segment, "proximal", (0.0, 0.0, 0.0, diameter))
    _point(segment, "distal", (0.0, length, 0.0, diameter))
    for name in ("all", "soma_group"):
        ET.SubElement(ET.SubElement(shape, "segmentGroup", id=name), "member", segment="0")
    biophysics = ET.SubElement(root, "biophysicalProperties", id="biophysics")
    membrane = ET.SubElement(biophysics, "membraneProperties")
    leak = section["mechs"]["pas"]
    _density(membrane, Density(None, "all", leak["g"], leak["e"], "non_specific"), channels[0])
    _density(membrane, Density(None, "all", 0.0, leak["e"], "non_specific"), channels[1])
    _membrane_ends(membrane, section["geom"]["cm"])
    inside = ET.SubElement(biophysics, "intracellularProperties")
    ET.SubElement(inside, "resistivity", value=f"{number(section['geom']['Ra'])} ohm_cm")
    return [root]


def _morphology(root: ET.Element, geometry: CellGeometry) -> None:
    shape = ET.SubElement(root, "morphology", id=f"{geometry.name}_morphology")
    firsts, groups = first_segments(geometry), []
    cables = {cable.name: cable for cable in geometry.cables}
    for cable in geometry.cables:
        start = firsts[cable.name]
        points = _points(cable)
        for k in range(len(points) - 1):
            segment = ET.SubElement(shape, "segment", id=str(start + k), name=f"{cable.name}_{k}")
            if k:
                ET.SubElement(segment, "parent", segment=str(start + k - 1))
            elif cable.parent is not None:
                parent = cables[cable.parent]
                number_, along = place(parent, firsts[parent.name], cable.parent_loc)
                ET.SubElement(segment, "parent", segment=str(number_), fractionAlong=number(along))
            if not k:
                _point(segment, "proximal", points[0])
            _point(segment, "distal", points[k + 1])
        groups.append((cable, range(start, start + len(points) - 1)))
    _groups(shape, groups)


def _groups(shape: ET.Element, groups: list[tuple[Cable, range]]) -> None:
    """One group per section with its number of compartments, and the groups for which densities are given."""
    for cable, segments in groups:
        group = ET.SubElement(shape, "segmentGroup", id=_group(cable), neuroLexId=_SECTION)
        ET.SubElement(group, "property", tag="numberInternalDivisions", value=str(cable.compartments))
        for each in segments:
            ET.SubElement(group, "member", segment=str(each))
    names = [_group(cable) for cable, _ in groups]
    for name, members in (("all", names), ("soma_group", names[:1]), ("neurite_group", names[1:])):
        if members:
            group = ET.SubElement(shape, "segmentGroup", id=name)
            for each in members:
                ET.SubElement(group, "include", segmentGroup=each)


def _group(cable: Cable) -> str:
    return f"section_{cable.name}"


def _points(cable: Cable) -> np.ndarray:
    # The soma is a cylinder, defined by its two ends; its middle point is redundant.
    return cable.points[[0, -1]] if cable.parent is None else cable.points


def first_segments(geometry: CellGeometry) -> dict[str, int]:
    """Section -> id of its first segment; segments are numbered along sections, soma first."""
    firsts, count = {}, 0
    for cable in geometry.cables:
        firsts[cable.name] = count
        count += len(_points(cable)) - 1
    return firsts


def place(cable: Cable, first: int, loc: float) -> tuple[int, float]:
    """Segment id and fraction along it of a normalised location on a section."""
    points = _points(cable)
    steps = np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1)
    ends = np.cumsum(steps)
    where = loc * ends[-1]
    k = int(min(np.searchsorted(ends, where), len(steps) - 1))
    along = (where - (ends[k] - steps[k])) / steps[k] if steps[k] > 0.0 else 0.0
    return first + k, float(np.clip(along, 0.0, 1.0))


def _point(segment: ET.Element, kind: str, values) -> None:
    x, y, z, diameter = (number(float(f"{value:.7g}")) for value in values)
    ET.SubElement(segment, kind, x=x, y=y, z=z, diameter=diameter)
