"""Mistakes that a newcomer makes, and what the answer has to say; see test_mistakes.py.

Each is what was written and the words of the cure, all of which the answer must hold.
"""

# ruff: noqa: E501

from __future__ import annotations

import math

import tianbao as tb
from tianbao import anatomy

SETTINGS = [
    ("gap_gain=0.02", "parameters.gap_gain"),
    ("dt=0.25", "clock.dt"),
    ("parameters.dt=0.25", "clock.dt"),
    ("clock.gap_gain=0.02", "parameters.gap_gain"),
    ("bending_stiffness_n_m2=2e-14", "material.bending_stiffness_n_m2"),
    ("drag_normal=100.0", "medium.drag_normal"),
    ("temperature=25.0", "arena.temperature"),
    ("worm.temperature=25.0", "arena.temperature"),
    ("arena.viscosity=0.1", "viscosity_pa_s"),
    ("material.stiffness=2e-14", "material.bending_stiffness_n_m2"),
    ("medium=water", "arena.medium"),
    ("worms=2", "[[worms]]|--worms"),
    ("n_worms=2", "[[worms]]|--worms"),
    ("worms={at = [0.0, 0.0, 0.0]}", "[[worms]]"),
    ("interventions={verb = 'ablate'}", "[[interventions]]"),
    ("fields={kind = 'gaussian'}", "[[fields]]"),
    ("ablate=AVB*", "[[interventions]]|ablate"),
    ("knockout=egl-19", "[[interventions]]|knock_out"),
    ("stimulus=0.02", "stimulate|nA"),
    ("touch=true", "touch|limits.md"),
    ("odor=diacetyl", "smell|limits.md"),
    ("odour.start=3", "smell|limits.md"),
    ("pheromone=true", "pheromones|limits.md"),
    ("pharynx.pumping=4", "pharynx|limits.md"),
    ("egg_laying=true", "eggs|limits.md"),
    ("learning_rate=0.1", "learns nothing|limits.md"),
    ("sex=male", "hermaphrodite|limits.md"),
    ("dauer=true", "adult|limits.md"),
    ("gpu=true", "processors|limits.md"),
    ("timestep=0.1", "clock.dt"),
    ("output=here", "--out"),
    ("threads.workers=4", "--workers"),
    ("duration=10 s", "duration"),
    ("seed=-1.5", "seed"),
    ("record.voltage=AVA*", "list"),
    ("clock.fram=10", "clock.frame"),
]
"""`--set`, and the words of the answer, separated by bars."""

DONE = [
    ("ablate AVB", "class|'AVB*'"),
    ("ablate avbl", "AVBL"),
    ("ablate AS", "class|'AS[0-9]*'"),
    ("silence RMD", "class|'RMD?'"),
    ("ablate muscles", "muscle|neuron"),
    ("ablate MDL08", "muscle|neuron"),
    ("ablate all", "'*'"),
    ("cut_synapses DB* muscles", "'M[DV]*'"),
    ("kill AVBL", "ablate"),
    ("stimulate AVAL amplitude=20 start=0 stop=100", "nA|pA|force"),
    ("stimulate AVAL amplitude=0.02", "start"),
    ("stimulate AVAL amplitude=20pA start=0 stop=100", "number"),
    ("illuminate AVA* channel=arch", "proton pump|cation|chloride"),
    ("illuminate AVA* channel=chr22", "cation|excites|chloride|silences"),
    ("illuminate AVA* chanel=chr2", "channel"),
    ("knock_out unc-49", "unc-25|model has"),
    ("knock_out unc25", "unc-25"),
    ("knock_down egl-19 50", "0 to below 1"),
    ("clamp AVAL voltage=-0.07V", "number"),
    ("set_conductance AWC* shk1 120", "S/cm2|0 to 1"),
    ("set_conductance AWC* slo1 1e-4", "slo1_egl19|slo1_unc2"),
    ("set_conductance AWC* egl36 1e-4", "no egl36|leak"),
    ("set_conductance AWC* shk1 -1e-4", "negative"),
    ("set_conductance AVBL leak 1e-5", "parameters.avb_conductance"),
    ("touch PLML", "touch|limits.md"),
]
"""`--do`, and the words of the answer."""

CALLS = [
    (lambda: tb.Worm(paramters=None), "parameters"),
    (lambda: tb.Worm().ablate("AVB"), "class|'AVB*'"),
    (lambda: tb.Worm().illuminate("AVA*", chanel="cation"), "channel"),
    (lambda: tb.Worm().stimulate("AVAL", 0.02), "Pulse"),
    (lambda: tb.Worm().stimulate("AVAL", tb.Pulse(0.02, 0.0)), "stop"),
    (lambda: tb.Pulse(0.02, 0.0, 100.0, 5.0), "force"),
    (lambda: tb.Pulse(0.02, begin=0.0, stop=100.0), "start"),
    (lambda: tb.Worm().stimulate("AVAL", tb.Pulse(0.6, 0.0, 9.0)).stimulate("AVA*", tb.Pulse(0.6, 5.0, 9.0)), "1.2 nA|AVAL"),
    (lambda: tb.Arena("water", temprature=25.0), "temperature"),
    (lambda: tb.Arena("soil"), "agar"),
    (lambda: tb.Clock(dT=0.5), "dt"),
    (lambda: tb.Clock(0.5, 4.0, 20.0, 1, 0, 3), "at most 5"),
    (lambda: tb.Material(2e-14), "bending_stiffness_n_m2="),
    (lambda: tb.Gaussian("nacl", 50.0), "width"),
    (lambda: tb.Bath("nacl", step=[(0.0, 5.0)]), "steps"),
    (lambda: tb.Pillar(0.0, 0.0, r=0.1), "x, y, radius"),
    (lambda: tb.Simulation(tb.Worm(), clok=tb.Clock()), "clock"),
    (lambda: tb.Simulation(tb.Worm(), seed=2**70), "seed"),
    (lambda: tb.Simulation(tb.Worm(), seed=True), "seed"),
    (lambda: tb.Worm().parameters.replace(gap_gain=math.nan), "gap_gain"),
    (lambda: tb.Worm().clamp("AVAL", voltage=complex(-20, 1)), "voltage"),
    (lambda: tb.Worm().ablate("AVAL\ud800"), "AVAL"),
    (lambda: anatomy.neuron_name("AVB"), "AVBL"),
    (lambda: tb.PatchedCell.of_neuron("AWC"), "AWCL"),
]
"""Calls, and the words of the answer."""

COMMANDS = [
    ("simulate", "tianbao run"),
    ("run --gap-gain 0.02", "--set parameters.gap_gain"),
    ("run --durration 400", "--duration"),
    ("run --touch", "touch|limits.md"),
    ("run --seed two", "--seed"),
    ("run one.toml two.toml", "two.toml"),
    ("neurons AVB", "'AVB*'"),
    ("draw AVB", "AVBL"),
    ("export wcn output/run", "wcon"),
    ("plot", "RESULT"),
]
"""Commands, and the words of the answer."""
