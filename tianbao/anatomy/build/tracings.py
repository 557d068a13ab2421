"""Converts NeuroML tracings to SWC text.

One SWC point per traced point; the soma, a sphere in the source, is one point. Neurites start
at the soma centre, as traced.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict

from .wheels import Wheel

_NML = "{http://www.neuroml.org/schema/neuroml2}"
_MEMBERS = r"c302/NeuroML2/(?!MDL08)\w+\.cell\.nml"
SOMA, AXON, DENDRITE, CUT = 1, 2, 3, 7

_HEADER = """\
# {name}
# source: wheel {wheel} {version}, member {member}
# sha256 of the wheel: {sha256}
# paper: Virtual Worm tracings (Grove & Sternberg 2011), NeuroML by Gleeson et al. 2018,
#   doi 10.1098/rstb.2017.0379
# licence: MIT
# frame: um; x left(+) to right(-), y anterior(-) to posterior(+), z ventral(-) to dorsal(+);
#   the animal is posed, not straight
# soma: one point, a sphere; neurites start at its centre
# kind: 1 soma, 2 axon, 3 other neurite, 7 neurite the source cuts off without a branch point
# point kind x y z radius parent
"""


def swc_files(wheel: Wheel) -> dict[str, str]:
    """SWC text of every neuron, by neuron name."""
    members = wheel.members(_MEMBERS)
    texts = {}
    for member, data in zip(members, wheel.read(*members), strict=True):
        name = member.split("/")[-1].split(".")[0]
        header = _HEADER.format(
            name=name, wheel=wheel.name, version=wheel.version, member=member, sha256=wheel.sha256
        )
        texts[name] = header + "".join(f"{line}\n" for line in _points(data))
    return texts


def _points(data: bytes) -> list[str]:
    morphology = ET.fromstring(data).find(f"{_NML}cell/{_NML}morphology")
    segments = {int(each.get("id")): each for each in morphology.findall(f"{_NML}segment")}
    kinds = _kinds(morphology)
    children = defaultdict(list)
    for identity in sorted(segments):
        children[_parent(segments[identity])].append(identity)
    _mark_cuts(segments, children, _groups(morphology), kinds)
    (root,) = children[None]
    lines, number, stack = [], {None: -1}, [root]
    while stack:
        identity = stack.pop()
        number[identity] = len(number)
        end = segments[identity].find(f"{_NML}distal")
        x, y, z, diameter = (float(end.get(key)) for key in ("x", "y", "z", "diameter"))
        place = " ".join(f"{value:.6g}" for value in (x, y, z, diameter / 2.0))
        parent = number[_parent(segments[identity])]
        lines.append(f"{number[identity]} {kinds[identity]} {place} {parent}")
        stack.extend(reversed(children[identity]))
    return lines


def _parent(segment: ET.Element) -> int | None:
    parent = segment.find(f"{_NML}parent")
    return None if parent is None else int(parent.get("segment"))


def _groups(morphology: ET.Element) -> dict[int, str]:
    """Section (segment group with members of its own) of every segment."""
    return {
        int(member.get("segment")): group.get("id")
        for group in morphology.findall(f"{_NML}segmentGroup")
        for member in group.findall(f"{_NML}member")
    }


def _kinds(morphology: ET.Element) -> dict[int, int]:
    axon = {
        include.get("segmentGroup")
        for group in morphology.findall(f"{_NML}segmentGroup")
        if group.get("id") == "axon_group"
        for include in group.findall(f"{_NML}include")
    }
    return {
        segment: SOMA if section == "Soma" else AXON if section in axon else DENDRITE
        for segment, section in _groups(morphology).items()
    }


def _mark_cuts(segments: dict, children: dict, groups: dict[int, str], kinds: dict[int, int]) -> None:
    """Give a section that starts without a branch point its own kind, so that it stays a section."""
    for identity, segment in segments.items():
        parent = _parent(segment)
        if parent is None or kinds[parent] == SOMA or len(children[parent]) > 1:
            continue
        if groups[identity] != groups[parent] and kinds[identity] == kinds[parent]:
            cut = groups[identity]
            kinds.update({each: CUT for each, group in groups.items() if group == cut})
