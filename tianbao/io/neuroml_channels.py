"""Ion channels of mod/ in NeuroML 2: gates, with component types for formulas that NeuroML does not define."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree as ET

from ..cells.channels import COUPLED
from ..cells.geometry import constants
from .lems import Kinetics, expression, kinetics, number, polynomial, sigmoid

UNIT_CONDUCTANCE = "10 pS"
"""Conductance of a single channel: required by NeuroML, but the densities do not depend on it."""

_SCALES = {"v": ("MILLIVOLT", "voltage", "1 mV"), "cai": ("MILLIMOLAR", "concentration", "1 mM")}
_REQUIRED = {"v": "v", "cai": "caConc"}
_LONG = 60
_OWN = {"v": "V", "cai": "CA"}
_MILLISECOND = ("MILLISECOND", "time", "1 ms")


@dataclass(frozen=True)
class ChannelKind:
    """One channel with one set of kinetic parameters.

    Attributes:
        mechanism: name in mod/.
        conductance: its conductance parameter, "gbar" or that of a BK complex.
        values: RANGE parameters and their values, sorted by name.
    """

    mechanism: str
    conductance: str
    values: tuple[tuple[str, float], ...]

    @property
    def name(self) -> str:
        """Channel, or BK complex such as "slo1_egl19"."""
        complexes = {target: name for name, target in COUPLED.items()}
        return complexes.get((self.mechanism, self.conductance), self.mechanism)

    @property
    def kinetics(self) -> Kinetics:
        """Formulas."""
        return _kinetics(self)


@cache
def _kinetics(kind: ChannelKind) -> Kinetics:
    fixed = {"eca": constants()["reversal_calcium"]}
    return kinetics(kind.mechanism, dict(kind.values), kind.conductance, fixed)


def passive_channel(identity: str) -> ET.Element:
    """A channel without gates."""
    return ET.Element("ionChannelHH", id=identity, conductance=UNIT_CONDUCTANCE, species="non_specific")


def channel(kind: ChannelKind, identity: str) -> list[ET.Element]:
    """Elements of a channel: the channel itself, then the component types of its formulas.

    Args:
        kind: the channel.
        identity: its id in the files.
    """
    k = kind.kinetics
    root = ET.Element("ionChannelHH", id=identity, conductance=UNIT_CONDUCTANCE, species=k.ion or "non_specific")
    ET.SubElement(root, "notes").text = _notes(kind)
    types: dict[str, ET.Element] = {}
    gates = _gates(k)
    split = any(len(parts) > 1 or share != 1.0 for _, parts in gates for _, share in parts)
    for instances, parts in gates:
        if not split:
            gate = ET.SubElement(root, "gateHHtauInf", id=parts[0][0], instances=str(instances))
            _formulas(k, parts[0][0], identity, gate, types)
            continue
        # The schema wants all gates of a channel in one form.
        name = parts[0][0] if len(parts) == 1 else _common(tuple(state for state, _ in parts))
        gate = ET.SubElement(root, "gateFractional", id=name, instances=str(instances))
        for state, share in parts:
            # jNeuroML mixes up a subGate with a gate of the same id.
            own = state if len(parts) > 1 else f"{state}_whole"
            inner = ET.SubElement(gate, "subGate", id=own, fractionalConductance=number(share))
            _formulas(k, state, identity, inner, types)
    return [root, *types.values()]


def _common(states: tuple[str, ...]) -> str:
    """Name of a gate that consists of several: the common prefix of their names."""
    shared = states[0]
    while not all(each.startswith(shared) for each in states):
        shared = shared[:-1]
    return shared.rstrip("_") or "gate"


def _gates(k: Kinetics) -> list[tuple[int, list[tuple[str, float]]]]:
    """Gates as (instances, [(state, share of the conductance), ...]).

    A state that has the same power in every term is a gate; states of which each term has exactly one are parts of a
    gate.
    """
    terms = polynomial(k.graph, k.opening, k.states)
    gates: list[tuple[int, list[tuple[str, float]]]] = []
    shared: list[tuple[str, float]] = []
    for n, state in enumerate(k.states):
        powers = {powers[n] for powers in terms}
        if powers == {0}:
            continue  # followed by another gate, whose formula holds it
        if len(powers) == 1:
            gates.append((powers.pop(), [(state, 1.0)]))
        else:
            shared.append((state, sum(value for powers, value in terms.items() if powers[n] == 1)))
    if shared:
        gates.append((1, shared))
    return gates


def _formulas(k: Kinetics, state: str, identity: str, gate: ET.Element, types: dict[str, ET.Element]) -> None:
    """Time constant and steady state of a gate; formulas without a NeuroML type get their own."""
    constant = k.graph.value(k.tau[state])
    if constant is not None:
        ET.SubElement(gate, "timeCourse", type="fixedTimeCourse", tau=f"{number(constant)} ms")
    else:
        name = f"{identity}_{state}_tau"
        ET.SubElement(gate, "timeCourse", type=name)
        types[name] = _formula(k, k.tau[state], name, "t")
    known = sigmoid(k.graph, k.target[state])
    if known is not None:
        midpoint, scale = (f"{number(each)} mV" for each in known)
        ET.SubElement(gate, "steadyState", type="HHSigmoidVariable", rate="1", midpoint=midpoint, scale=scale)
    else:
        name = f"{identity}_{state}_inf"
        ET.SubElement(gate, "steadyState", type=name)
        types[name] = _formula(k, k.target[state], name, "x")


def _formula(k: Kinetics, node: int, name: str, exposure: str) -> ET.Element:
    """Component type of a formula: x, a steady state, or t, a time constant.

    A gate that depends on another (the opening of a BK complex on its calcium channel) gets a copy of the latter.
    """
    followed = [each for each in k.states if each in k.symbols(node)]
    outputs = [node, *(pair[each] for each in followed for pair in (k.target, k.tau))]
    symbols = sorted(k.symbols(*outputs) - set(k.states))
    base = "baseVoltageConcDep" if "cai" in symbols else "baseVoltageDep"
    kind = ET.Element("ComponentType", name=name, extends=base + ("Time" if exposure == "t" else "Variable"))
    timed = exposure == "t" or followed
    for constant, dimension, value in [_SCALES[each] for each in symbols] + ([_MILLISECOND] if timed else []):
        ET.SubElement(kind, "Constant", name=constant, dimension=dimension, value=value)
    dynamics = ET.SubElement(kind, "Dynamics")
    for each in followed:
        ET.SubElement(dynamics, "StateVariable", name=each, dimension="none")
    for each in symbols:
        _variable(dynamics, _OWN[each], f"{_REQUIRED[each]} / {_SCALES[each][0]}")
    names = _shared(k, outputs, dynamics)
    for each in followed:
        _variable(dynamics, f"{each}_inf", expression(k.graph, k.target[each], names))
        _variable(dynamics, f"{each}_tau", f"({expression(k.graph, k.tau[each], names)}) * MILLISECOND", "time")
    text = expression(k.graph, node, names) + (" * MILLISECOND" if exposure == "t" else "")
    _variable(dynamics, exposure, text, "time" if exposure == "t" else "none", exposure=exposure)
    for each in followed:
        ET.SubElement(dynamics, "TimeDerivative", variable=each, value=f"({each}_inf - {each}) / {each}_tau")
    if followed:
        start = ET.SubElement(dynamics, "OnStart")
        for each in followed:
            ET.SubElement(start, "StateAssignment", variable=each, value=f"{each}_inf")
    return kind


def _variable(dynamics: ET.Element, name: str, value: str, dimension: str = "none", **more: str) -> None:
    ET.SubElement(dynamics, "DerivedVariable", name=name, dimension=dimension, value=value, **more)


def _shared(k: Kinetics, outputs: list[int], dynamics: ET.Element) -> dict[int, str]:
    """Define variables for long or repeated expressions: NEURON reads lines of at most 512 characters."""
    entries = k.graph.entries
    names = {
        node: _OWN[entry[2]] for node, entry in enumerate(entries) if entry[0] == "symbol" and entry[2] in _OWN
    }  # fmt: skip
    order = k.graph.order(outputs)
    uses: dict[int, int] = {}
    for node in order:
        for part in k.graph.arguments(node):
            uses[part] = uses.get(part, 0) + 1
    count = 0
    for node in order:
        if not k.graph.arguments(node) or node in outputs:
            continue
        text = expression(k.graph, node, names)
        if uses.get(node, 0) > 1 or len(text) > _LONG:
            count += 1
            _variable(dynamics, f"part_{count}", text)
            names[node] = f"part_{count}"
    return names


def _notes(kind: ChannelKind) -> str:
    text = f"{kind.name}: from mod/{kind.mechanism}.mod of Tianbao, which gives its source"
    changed = ", ".join(f"{name} = {value:g}" for name, value in kind.values)
    return text + (f"; with {changed}" if changed else "")
