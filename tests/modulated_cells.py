"""Small cells whose conductances are modulated and whose gates have rates of their own, in both engines.

Run by test_modulation.py in a process of its own, because NEURON integrates every section that there is:
`python modulated_cells.py` prints one JSON object with what was measured.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from tianbao import mechanisms

mechanisms.load()
from neuron import h  # noqa: E402

from tianbao.cells.modulation import modulate  # noqa: E402
from tianbao.cells.temperature import set_rates  # noqa: E402
from tianbao.engine.adjoint import Adjoint  # noqa: E402
from tianbao.engine.native import NativeBrain  # noqa: E402
from tianbao.engine.reader import Partner, Pointer  # noqa: E402
from tianbao.errors import MechanismError  # noqa: E402

TICK, TICKS = 4.0, 60  # [ms]
RAMP = np.interp(np.arange(TICKS), [0, 20, 40, TICKS], [1.0, 2.0, 0.5, 0.5])
CHANNELS = ("egl19", "unc2", "kcnl", "shl1", "kqt3", "nca", "slo1")
MODULATED = ("egl19", "shl1", "kqt3", "nca", "slo1")  # by the first modulator; the synapse by the second
PARALLEL = h.ParallelContext()


def spherical(name: str, segments: int = 1, **densities: float):
    section = h.Section(name=name)
    section.L, section.diam, section.nseg, section.cm = 30.0, 4.0, segments, 1.0
    for mechanism in ("pas", "ca_pool", *dict.fromkeys(each.split(".")[0] for each in densities)):
        section.insert(mechanism)
    section.g_pas, section.e_pas = 5e-5, -60.0
    for key, value in densities.items():
        mechanism, _, parameter = key.partition(".")
        for segment in section:
            setattr(getattr(segment, mechanism), parameter or "gbar", value)
    h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section)
    for ion, reversal in (("k", -80.0), ("ca", 60.0)):
        if h.ismembrane(f"{ion}_ion", sec=section):
            setattr(section, f"e{ion}", reversal)
    return section


class Pair:
    """A cell that excites another through a graded synapse, and a current that drives the first."""

    def __init__(self, gid: int, modulated: bool) -> None:
        values = {
            "egl19": 2e-4, "unc2": 1e-4, "kcnl": 3e-5, "shl1": 3e-4, "kqt3": 2e-4, "nca": 1e-5, "slo1.gbar_egl19": 2e-4,
        }  # fmt: skip
        self.pre, self.post = (spherical(f"{name}{gid}", 3, **values) for name in ("pre", "post"))
        self.synapse = h.GradedSynapse(self.post(0.5))
        self.synapse.weight, self.synapse.v_half, self.synapse.tau = 4e-4, -45.0, 8.0
        PARALLEL.source_var(self.pre(0.5)._ref_v, gid, sec=self.pre)
        PARALLEL.target_var(self.synapse, self.synapse._ref_vpre, gid)
        self.clamp = h.IClamp(self.pre(0.5))
        self.clamp.delay, self.clamp.dur, self.clamp.amp = 5.0, 1e9, 8e-3
        self.modulators = h.Vector([1.0, 1.0])
        # The middle compartment of the second cell is modulated, its neighbours are not.
        self.pointers = []
        if modulated:
            for name in MODULATED:
                modulate(getattr(self.post(0.5), name), self.modulators._ref_x[0])
                self.pointers.append(Pointer((self.post(0.5), name), 0))
            modulate(self.synapse, self.modulators._ref_x[1])
            self.pointers.append(Pointer(self.synapse, 1))
        self.somas = [self.pre(0.5), *self.post]

    def native(self, precision: str = "f64") -> NativeBrain:
        partners = [Partner(self.synapse, self.pre(0.5))]
        return NativeBrain([self.pre, self.post], partners, self.pointers, 2, precision)

    def release(self) -> None:
        """NEURON forgets whose voltage goes where; the next network says it anew."""
        PARALLEL.gid_clear()


def rest() -> None:
    """Both engines start from what NEURON's segments hold."""
    for section in h.allsec():
        section.v = -60.0


def in_neuron(segments, dt: float, order: int, each_tick=lambda k: None, ticks: int = TICKS) -> np.ndarray:
    """Voltages after every tick [mV], shape (ticks, segments)."""
    h.dt, h.secondorder, h.celsius = dt, 2 if order == 2 else 0, 20.0
    rest()
    PARALLEL.set_maxstep(10.0)
    PARALLEL.setup_transfer()
    h.finitialize()
    found = []
    for k in range(ticks):
        each_tick(k)
        for _ in range(round(TICK / dt)):
            h.fadvance()
        found.append([each.v for each in segments])
    return np.array(found)


def in_native(native, segments, dt: float, order: int, each_tick=lambda k: None, ticks: int = TICKS, rate=1.0):
    rest()
    native.start(dt, order, 0, rate)
    places, found = native.nodes(segments), []
    for k in range(ticks):
        each_tick(k)
        native.advance(round(TICK / dt))
        found.append(native.voltage[places].copy())
    return np.array(found)


def ramp() -> dict:
    """Both modulators move from tick to tick, the second the other way; then both stay at 1."""
    pair, found = Pair(20_000_000, modulated=True), {}
    native = pair.native()

    def move(k: int) -> None:
        for place, value in enumerate((RAMP[k], 2.0 - 0.7 * RAMP[k])):
            pair.modulators.x[place] = native.external[place] = value

    for label, dt, order in (("euler", 0.1, 1), ("second", 0.05, 2)):
        theirs = in_neuron(pair.somas, dt, order, move)
        ours = in_native(native, pair.somas, dt, order, move)
        found[f"ramp {label}"] = float(np.abs(theirs - ours).max())
    pair.modulators.x[0] = pair.modulators.x[1] = 1.0
    native.external[:] = 1.0
    ones = in_native(native, pair.somas, 0.1, 1)
    ones_in_neuron = in_neuron(pair.somas, 0.1, 1)
    pair.release()
    plain = Pair(20_000_001, modulated=False)
    found["modulated by 1"] = float(np.abs(ones - in_native(plain.native(), plain.somas, 0.1, 1)).max())
    found["modulated by 1, NEURON"] = float(np.abs(ones_in_neuron - in_neuron(plain.somas, 0.1, 1)).max())
    found["effect of the ramp"] = float(np.abs(in_native(native, pair.somas, 0.1, 1, move) - ones).max())
    plain.release()
    return found


def twice() -> dict:
    """Every channel modulated by 2 against twice its density, alone in a driven cell."""
    found, two = {}, h.Vector([2.0])
    for name in mechanisms.names():
        names = _parameters(name)
        if f"modulated_{name}" not in names:
            continue
        densities = {each.replace(f"_{name}", "") for each in names if each.startswith("gbar")}
        cells, natives = [], []
        for factor in (1.0, 2.0):
            cell = spherical(f"{name}{factor:g}", **{f"{name}.{each}": 1e-4 * factor for each in densities})
            cell.rest_ca_pool = 0.02  # [mM]: enough to open the potassium channels that wait for calcium
            pointers = []
            if factor == 1.0:
                modulate(getattr(cell(0.5), name), two._ref_x[0])
                pointers.append(Pointer((cell(0.5), name), 0))
            clamp = h.IClamp(cell(0.5))
            clamp.delay, clamp.dur, clamp.amp = 2.0, 20.0, 8e-3
            native = NativeBrain([cell], (), pointers, 1)
            native.external[:] = 2.0
            cells.append((cell, clamp))
            natives.append(in_native(native, [cell(0.5)], 0.1, 1, ticks=8)[:, 0])
            if factor == 1.0:
                native.external[:] = 1.0
                once = in_native(native, [cell(0.5)], 0.1, 1, ticks=8)[:, 0]
        theirs = in_neuron([cell(0.5) for cell, _ in cells], 0.1, 1, ticks=8)
        found[name] = {
            "effect": float(np.abs(natives[0] - once).max()),
            "native": float(np.abs(natives[0] - natives[1]).max()),
            "NEURON": float(np.abs(theirs[:, 0] - theirs[:, 1]).max()),
            "engines": float(np.abs(theirs - np.array(natives).T).max()),
        }
    return found


def _parameters(name: str) -> list[str]:
    standard, text = h.MechanismStandard(name, 1), h.ref("")
    return [standard.name(text, k) and text[0] for k in range(int(standard.count()))]


def rates() -> dict:
    """Two compartments at two rates: the engines agree, and gates of known time constants follow theirs."""
    h("rate_stranger = 5")
    gone = h.GradedSynapse(spherical("gone")(0.5))  # its section is dropped at once
    pair = Pair(20_000_002, modulated=False)
    set_rates(h, 1.7)
    set_to = {getattr(segment, name).rate for segment in pair.post for name in CHANNELS if name != "nca"}
    set_to.add(pair.synapse.rate)
    set_rates(h, 1.0)
    for name in CHANNELS:
        if name != "nca":
            getattr(pair.post(0.1), name).rate, getattr(pair.post(0.9), name).rate = 0.6, 2.5
    pair.synapse.rate = 3.0
    ours = in_native(pair.native(), pair.somas, 0.1, 1, rate=None)
    theirs = in_neuron(pair.somas, 0.1, 1)
    pair.release()
    fast, slow = (spherical(f"clamped{k}", egl36=1e-4) for k in range(2))
    for section, rate in ((fast, 3.0), (slow, 1.0)):
        section.cm, section(0.5).egl36.rate = 1e9, rate
    rest()
    native = NativeBrain([fast, slow])
    native.start(0.1, 1, 0, None)
    _, (m,) = native.values("egl36", "m2")
    before = m.copy()
    native.voltage[:] = 20.0
    native.advance(500)
    end = 1.0 / (1.0 + np.exp(-(20.0 - h.v_half_m_egl36) / h.slope_m_egl36))
    return {
        "set to": sorted(set_to),
        "stranger": h.rate_stranger,
        "left without a section": not gone.has_loc(),
        "engines at two rates": float(np.abs(ours - theirs).max()),
        "effect of rates": float(np.abs(ours - in_native(pair.native(), pair.somas, 0.1, 1)).max()),
        "time constants": (-50.0 / np.log((end - m) / (end - before))).tolist(),
        "of the file": h.m2_tau_egl36,
    }


def unset() -> dict:
    """What happens to a pointer that points to nothing."""
    cell, said = spherical("unset", egl19=1e-4), {}
    synapse = h.GradedSynapse(cell(0.5))
    h.finitialize(-60.0)
    h.fadvance()
    said["while it does not count"] = cell(0.5).v
    for label, instance, key in (("density", cell(0.5).egl19, None), ("synapse", synapse, synapse)):
        instance.modulated = 1
        for engine, start in (
            ("NEURON", lambda: h.finitialize(-60.0)),
            ("native", lambda key=key: NativeBrain([cell], [Partner(synapse, cell(0.5))])),
        ):
            try:
                start()
            except (RuntimeError, MechanismError) as error:
                said[f"{label}, {engine}"] = str(error)
        instance.modulated = 0
    return said


def gradient() -> dict:
    """Slope of a loss along each modulator in one tick: by the adjoint, and by central differences."""
    pair, found = Pair(20_000_003, modulated=True), {}
    native, steps, tick = pair.native(), 300, 100
    for order, corrections in ((1, 0), (2, 1)):
        adjoint = Adjoint(native, pair.somas, every=5)
        external = np.array([[1.3, 0.8], [0.9, 1.6], [1.8, 1.1]])
        weights = np.random.default_rng(3).normal(size=(steps // 5, len(pair.somas)))

        def loss(values, adjoint=adjoint, method=(order, corrections), weights=weights):
            return float((adjoint.run(steps, 0.1, *method, external=values, tick=tick).voltage * weights).sum())

        loss(external)
        slopes = adjoint.gradient(weights).external
        for index in np.ndindex(*external.shape):
            up, down = external.copy(), external.copy()
            up[index], down[index] = external[index] + 1e-4, external[index] - 1e-4
            central = (loss(up) - loss(down)) / 2e-4
            found[f"order {order}, tick {index[0]}, modulator {index[1]}"] = [float(slopes[index]), central]
    pair.release()
    return found


if __name__ == "__main__":
    parts = (unset, twice, ramp, rates, gradient)
    json.dump({each.__name__: each() for each in parts}, sys.stdout)
