COMMENT
One side of an electrical synapse. `weight` is its conductance; two instances with equal weight, each
reading the other side's voltage, make a reciprocal junction. `vpre` is filled by ParallelContext
transfer (NetPyNE pointerParams), hence RANGE and not POINTER.

The transferred `vpre` is the one at the start of the step. A staggered Crank-Nicolson step (secondorder 2)
takes currents in its middle: `lead` 0.5 extrapolates the partner's voltage to there from the last two
steps. Backward Euler needs none (0). Being explicit, a lead is stable only while the step is short
against the capacitance over the summed junction conductance of a compartment.
ENDCOMMENT

NEURON {
    POINT_PROCESS GapJunction
    NONSPECIFIC_CURRENT i
    RANGE weight, vpre, partner, before, i
    GLOBAL lead
    THREADSAFE
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    weight = 0 (uS)
    vpre = -65 (mV)
    lead = 0 (1)
}

ASSIGNED {
    v (mV)
    i (nA)
    partner (mV)
    before (mV)
}

BREAKPOINT {
    SOLVE extrapolate
    i = weight*(v - partner)
}

INITIAL {
    partner = vpre
    before = vpre
}

: Once per step, after the voltages moved and were transferred.
PROCEDURE extrapolate() {
    partner = vpre + lead*(vpre - before)
    before = vpre
}
