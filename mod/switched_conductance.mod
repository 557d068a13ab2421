COMMENT
A conductance that an experimenter opens for a while: a channel gated by light or by a ligand, or, when it is large
and fast, the tip of a voltage clamp.

`opening` relaxes to 1 between `start` and `stop` and to 0 outside, with a time constant of its own each way. Where
`driven` is not 0 it relaxes to `light` instead, a number from 0 to 1 that is set from outside. One
such channel may sit on several compartments, each with its part of the conductance. The network sets every
parameter.
ENDCOMMENT

NEURON {
    POINT_PROCESS SwitchedConductance
    NONSPECIFIC_CURRENT i
    RANGE g_max, e, start, stop, tau_on, tau_off, driven, i
    THREADSAFE : must stand before POINTER
    POINTER light
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    g_max = 0 (uS)
    e = 0 (mV)
    start = 0 (ms)
    stop = 0 (ms)
    tau_on = 1 (ms)
    tau_off = 1 (ms)
    driven = 0 (1)
}

ASSIGNED {
    v (mV)
    i (nA)
    g (uS)
    light (1)
}

STATE { opening }

INITIAL {
    if (driven != 0) {
VERBATIM
        if (!nrn_pointing(&(light))) {
            hoc_execerror("SwitchedConductance: 'light' points to nothing;",
                "set it with conductance._ref_light = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    opening = 0
}

BREAKPOINT {
    SOLVE gating METHOD cnexp
    CONDUCTANCE g
    g = g_max*opening
    i = g*(v - e)
}

DERIVATIVE gating {
    opening' = (lit(t) - opening)/switching(t)
}

FUNCTION lit(time (ms)) (1) {
    lit = 0
    if (driven != 0) {
        lit = light
    } else {
        if (time > start) {
            if (time <= stop) {
                lit = 1
            }
        }
    }
}

FUNCTION switching(time (ms)) (ms) {
    switching = tau_off
    if (driven != 0) {
        if (light > 0) {
            switching = tau_on
        }
    } else {
        if (time > start) {
            if (time <= stop) {
                switching = tau_on
            }
        }
    }
}
