"""Mechanisms of an exported NetPyNE model that replace pointers and settings made by Tianbao with parameters."""

from __future__ import annotations

FIXED_MECHANISMS = {
    "fixed_sensory_transduction.mod": """\
COMMENT
SensoryTransduction without a world: `concentration` is a number that the user sets, at any time of a run, instead of a
pointer into an arena. finitialize() adapts the cell to what is there.
ENDCOMMENT

NEURON {
    POINT_PROCESS FixedSensoryTransduction
    NONSPECIFIC_CURRENT i
    RANGE concentration, gain, k_half, tau, polarity, response, i
    THREADSAFE
}

UNITS {
    (nA) = (nanoamp)
    (molar) = (1/liter)
    (mM) = (millimolar)
}

PARAMETER {
    concentration = 0 (mM)
    gain = 0 (nA)
    k_half = 1 (mM)
    tau = 1000 (ms)
    polarity = 0 (1)
}

ASSIGNED {
    response (1)
    i (nA)
}

STATE { adaptation }

INITIAL {
    adaptation = occupancy(concentration)
    response = 0
}

BREAKPOINT {
    SOLVE adapt METHOD cnexp
    response = occupancy(concentration) - adaptation
    if (polarity < 0) {
        response = -response
    }
    if (polarity != 0 && response < 0) {
        response = 0
    }
    i = -gain*response
}

DERIVATIVE adapt {
    adaptation' = (occupancy(concentration) - adaptation)/tau
}

FUNCTION occupancy(c (mM)) (1) {
    occupancy = 0
    if (c > 0) {
        occupancy = c/(c + k_half)
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
