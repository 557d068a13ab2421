"""Builds the NEURON sections of one cell from section dictionaries in NetPyNE's format."""

from __future__ import annotations

from ..cells.modulation import point_at_one


def build(sections: dict[str, dict], name: str) -> dict:
    """NEURON sections of one cell outside any network.

    Args:
        sections: name -> geometry, topology, mechanisms and ions, parents before children; from
            `CellGeometry.netpyne_sections` and `insert_membrane`.
        name: of the cell.

    Returns:
        Section name -> NEURON Section; dropping them frees the cell.
    """
    from neuron import h

    built = {}
    for key, described in sections.items():
        section = built[key] = h.Section(name=f"{name}_{key}")
        geometry = described["geom"]
        for point in geometry.get("pt3d", ()):
            section.pt3dadd(*point)
        section.nseg = geometry.get("nseg", 1)
        for quantity in ("L", "diam", "Ra", "cm"):
            if quantity in geometry:
                setattr(section, quantity, geometry[quantity])
        parent = described["topol"]
        if parent:
            section.connect(built[parent["parentSec"]](parent["parentX"]), parent["childX"])
        for mechanism, values in described["mechs"].items():
            section.insert(mechanism)
            for segment in section:
                for quantity, value in values.items():
                    setattr(getattr(segment, mechanism), quantity, value)
        _set_ions(section, described.get("ions", {}))
    point_at_one(built.values())
    return built


def _set_ions(section, ions: dict[str, dict[str, float]]) -> None:
    """Set concentrations, and hold the reversal potentials that are given.

    Without the latter NEURON computes the potential by the Nernst equation where a mechanism writes a concentration.

    Args:
        section: with its mechanisms (NEURON Section).
        ions: ion -> any of "e" [mV], "i" and "o" [mM].
    """
    from neuron import h

    for ion, values in ions.items():
        if not h.ismembrane(f"{ion}_ion", sec=section):
            continue
        if "e" in values:
            h.ion_style(f"{ion}_ion", 3, 1, 0, 0, 0, sec=section)
        for segment in section:
            for which, value in values.items():
                setattr(segment, f"e{ion}" if which == "e" else f"{ion}{which}", value)
