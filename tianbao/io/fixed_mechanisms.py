"""Mechanisms of an exported NetPyNE model that replace pointers and settings made by Tianbao with parameters."""

from __future__ import annotations

FIXED_MECHANISMS = {
    "fixed_sensory_transduction.mod": """\
COMMENT
SensoryTransduction without a world: `concentration` is a number that the user sets, at any time of a run, instead of a
pointer into an arena, in the unit of the receptor (mM, degC or %); 0 is nothing to sense. finitialize() adapts the cell
to what is there.
ENDCOMMENT

NEURON {
    POINT_PROCESS FixedSensoryTransduction
    NONSPECIFIC_CURRENT i
    RANGE concentration, gain, k_half, hill, origin, tau, tau_rise, weber, tonic, polarity, whole, open, response, i
    THREADSAFE
}

UNITS {
    (nA) = (nanoamp)
}

PARAMETER {
    concentration = 0 (1)
    gain = 0 (nA)
    k_half = 1 (1)
    hill = 1 (1)
    origin = 0 (1)
    tau = 1000 (ms)
    tau_rise = 0 (ms)
    weber = 0 (1)
    tonic = 0 (1)
    polarity = 0 (1)
    whole = 0 (nA)
    open = 0.5 (1)
}

ASSIGNED {
    response (1)
    i (nA)
}

STATE {
    background (1)
    bound (1)
    adaptation (1)
}

INITIAL {
    background = above(concentration)
    bound = occupancy(concentration - origin, half(background))
    adaptation = bound
    response = 0
}

BREAKPOINT {
    SOLVE adapt METHOD cnexp
    response = felt(bound) - adaptation
    if (polarity < 0) {
        response = -response
    }
    if (polarity != 0 && response < 0) {
        response = 0
    }
    i = -limited(gain*((1 - tonic)*response + tonic*felt(bound)))
}

DERIVATIVE adapt {
    background' = (above(concentration) - background)/tau
    : a rise that takes no time still divides by it
    bound' = (occupancy(concentration - origin, half(background)) - bound)/(tau_rise + 1e-9)
    adaptation' = (felt(bound) - adaptation)/tau
}

FUNCTION limited(current (nA)) (nA) {
    LOCAL odds
    limited = current
    if (whole > 0 && current != 0) {
        : a Boltzmann function of the answer, with the slope `gain` at rest; finite where `whole` is 0, too
        odds = exp(-current/(whole*open*(1 - open) + 1e-12))*(1 - open)/open
        limited = whole*(1/(1 + odds) - open)
    }
}

FUNCTION above(c (1)) (1) {
    above = 0
    if (c > origin) {
        above = c - origin
    }
}

FUNCTION half(b (1)) (1) {
    half = k_half
    if (weber > 0) {
        half = k_half + weber*b
    }
}

FUNCTION felt(b (1)) (1) {
    if (tau_rise > 0) {
        felt = b
    } else {
        felt = occupancy(concentration - origin, half(background))
    }
}

FUNCTION occupancy(x (1), k (1)) (1) {
    LOCAL positive
    : so that no power of nothing is taken
    positive = 1
    if (x > 0) {
        positive = x
    }
    occupancy = 0
    if (x > 0) {
        occupancy = positive^hill/(positive^hill + k^hill)
    }
}
""",
    "fixed_mechanosensory.mod": """\
COMMENT
Mechanosensory without a body: `indentation` is a number that the user sets, at any time of a run, instead of a pointer:
how deep the body wall is pressed in at the ending (um). finitialize() adapts the cell to what is there.
ENDCOMMENT

NEURON {
    POINT_PROCESS FixedMechanosensory
    NONSPECIFIC_CURRENT i
    RANGE indentation, g_max, e, k_half, hill, tau, tau_rise, off, tonic, strain, i
    THREADSAFE
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (um) = (micron)
}

PARAMETER {
    indentation = 0 (um)
    g_max = 0 (uS)
    e = 10 (mV)
    k_half = 1.5 (um)
    hill = 3 (1)
    tau = 50 (ms)
    tau_rise = 2 (ms)
    off = 1 (1)
    tonic = 0 (1)
}

ASSIGNED {
    v (mV)
    strain (um)
    i (nA)
}

STATE {
    anchor (um)
    p_open (1)
}

INITIAL {
    anchor = indentation
    strain = felt(indentation, anchor)
    p_open = opened(strain)
}

BREAKPOINT {
    SOLVE follow METHOD cnexp
    strain = felt(indentation, anchor)
    i = g_max*p_open*(v - e)
}

DERIVATIVE follow {
    anchor' = (indentation - anchor)/tau
    p_open' = (opened(felt(indentation, anchor)) - p_open)/tau_rise
}

FUNCTION felt(x (um), a (um)) (um) {
    felt = x - (1 - tonic)*a
    if (felt < 0) {
        felt = -off*felt
    }
}

FUNCTION opened(y (um)) (1) {
    LOCAL ratio
    : so that no power of nothing is taken
    ratio = 1
    if (y > 0) {
        ratio = y/k_half
    }
    opened = 0
    if (y > 0) {
        opened = ratio^hill/(ratio^hill + 1)
    }
}
""",
    "fixed_stretch_receptor.mod": """\
COMMENT
StretchReceptor without a body: `stretch` is a number that the user sets (mean kappa L over the receptive window,
positive when the neuron's own side is stretched) instead of a pointer into a body.
ENDCOMMENT

NEURON {
    POINT_PROCESS FixedStretchReceptor
    NONSPECIFIC_CURRENT i
    RANGE gain, saturation, share, stretch, i
    THREADSAFE
}

UNITS {
    (nA) = (nanoamp)
}

PARAMETER {
    gain = 0 (nA)
    saturation = 0.04 (nA)
    share = 1 (1)
    stretch = 0 (1)
}

ASSIGNED {
    i (nA)
}

BREAKPOINT {
    i = 0
    if (saturation > 0) {
        i = -share*saturation*tanh(gain*stretch/saturation)
    }
}
""",
    "calcium_reversal.mod": """\
COMMENT
Holds the calcium reversal potential: a pool that writes cai makes NEURON compute it by Nernst, unless a mechanism
writes it.
ENDCOMMENT

NEURON {
    SUFFIX calcium_reversal
    USEION ca WRITE eca
    RANGE e
    THREADSAFE
}

UNITS {
    (mV) = (millivolt)
}

PARAMETER {
    e = 60 (mV)
}

ASSIGNED {
    eca (mV)
}

INITIAL {
    eca = e
}
""",
}
"""The mechanisms of an exported folder in addition to those of mod/: file name -> NMODL."""
