"""A neuron of the worm alone in NEURON, started at -65 mV, for comparison with its export. NAME FILE."""

from __future__ import annotations

import sys

import numpy as np

import tianbao as tb
from tianbao import mechanisms
from tianbao.behaviour.midline import curvature_positions
from tianbao.network.assembly import cell_sections


def built(h, sections: dict) -> dict:
    """Sections in NEURON."""
    made = {}
    for name, given in sections.items():
        section = made[name] = h.Section(name=name)
        for point in given["geom"]["pt3d"]:
            h.pt3dadd(*point, sec=section)
        if given["topol"]:
            section.connect(made[given["topol"]["parentSec"]](given["topol"]["parentX"]), given["topol"]["childX"])
        section.nseg, section.Ra, section.cm = (given["geom"][key] for key in ("nseg", "Ra", "cm"))
        for mechanism, values in given["mechs"].items():
            section.insert(mechanism)
            for key, value in values.items():
                for segment in section:
                    setattr(getattr(segment, mechanism), key, value)
        for ion, values in given.get("ions", {}).items():
            if h.ismembrane(f"{ion}_ion", sec=section):
                if ion == "ca":
                    h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section)
                for segment in section:
                    setattr(segment, f"e{ion}", values["e"])
    return made


def main(name: str, file: str) -> None:
    """Step of 10 pA from 50 to 150 ms."""
    mechanisms.load()
    from neuron import h

    h.load_file("stdrun.hoc")
    cell = built(h, cell_sections(tb.Worm().design(curvature_positions(51)))[name])
    clamp = h.IClamp(cell["soma"](0.5))
    clamp.delay, clamp.dur, clamp.amp = 50.0, 100.0, 0.01
    voltage, time = h.Vector().record(cell["soma"](0.5)._ref_v), h.Vector().record(h._ref_t)
    h.dt = 0.025
    h.finitialize(-65.0)
    h.continuerun(200.0)
    np.savetxt(file, np.column_stack([time, voltage]))


if __name__ == "__main__":
    main(*sys.argv[1:])
